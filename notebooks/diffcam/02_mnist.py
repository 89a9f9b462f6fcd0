# %% [markdown]
r"""
# Why a three, and why not an eight

DiffCAM {cite:p}`diffcam` can be asked two questions about a digit. "Why three" tells the digit from the nearest digits of
other classes, and its answer is the two bows that are open to the left. "Why not eight" tells it from eights, and its
answer is only the gaps on the left. An explanation that answers the first question does not answer the second.

The paper shows both kinds of maps on randomly chosen digits of MNIST (its figure 11, appendix B), beside three methods
that can only answer the first question. It measures nothing there. This page makes the figure on real digits, and then
measures what the figure should show: that the maps mark what tells two digits apart. There are two measures. The mean
images of two classes show which pixels differ. And erasing the marked pixels should bring the digit closer to the other
class.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 50  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from book import Page, fewer, report
from lib.evaluate import COLUMNS
from lib.maps import normalise, upsample
from lib.metrics.curves import ranks
from lib.metrics.differences import difference_rank, difference_share
from lib.reference import reference_set

page = Page("diffcam/02_mnist", globals())
page.protocol()

# %% [markdown]
r"""
## Which rivals

The paper does not say which digits it compares. Here each digit has three rivals that are easily taken for it; they were
fixed before anything was measured. Other images have as rivals the three classes of the references whose mean features are
nearest to those of their own class.
"""

# %%
DIGITS = {0: (6, 8, 2), 1: (7, 4, 2), 2: (3, 7, 1), 3: (8, 5, 2), 4: (9, 7, 1),
          5: (3, 6, 8), 6: (0, 8, 5), 7: (1, 9, 2), 8: (3, 9, 5), 9: (4, 7, 3)}  # fmt: skip


def rivals_of(net, images):
    """Mappings of each class to its first, second and third rival; none if the references have no classes."""
    R = page.reference(net)
    if images.name == "mnist":
        return [{c: of[n] for c, of in DIGITS.items()} for n in range(3)]
    if R.classes is None:
        return []
    own = reference_set(net, images, batch_size=page.batch_size, store=page.store)
    others = R.classes.unique().tolist()
    means = torch.stack([R.z[R.classes == c].mean(0) for c in others])
    nearest = {}
    for c in set(own.classes.tolist()):
        distance = (means - own.z[own.classes == c].mean(0)).norm(dim=1)
        nearest[c] = [others[i] for i in distance.argsort().tolist() if others[i] != c]
    most = min(3, *map(len, nearest.values()))
    return [{c: of[n] for c, of in nearest.items()} for n in range(most)]


def called(images, c):
    """What a class is called."""
    return images.classes[c] if images.classes else str(c)


opened = [(net, images.readable()) for net, images in page.opened]
RIVALS = {net.name: rivals_of(net, images) for net, images in opened}
rows = {
    (net.name, f"rival {n + 1}"): {called(images, c): called(images, r) for c, r in rival.items()}
    for net, images in opened for n, rival in enumerate(RIVALS[net.name])
}  # fmt: skip
pd.DataFrame(rows).T.rename_axis(columns="class") if rows else None

# %% [markdown]
r"""
## The figure

The columns on the left answer "why is": DiffCAM, with the nearest digits of other classes as the references $R$, and the
three methods that the paper's figures show beside it. The columns on the right are DiffCAM's answers to "why not" each
rival, with all training images of the rival as $R$. The rows are spread evenly over the test images: ten rows show one
image of each class.
"""

# %%
BASELINES = {"grad_cam": "Grad-\nCAM", "grad_cam_plus_plus": "Grad-\nCAM++", "score_cam": "Score-\nCAM"}


def why_not(net, images, rival, **options):
    """DiffCAM's maps (N, H, W) against one rival of each class."""
    return page.maps(net, images, "diff_cam", question="why not", rival=rival, **options)


for number, (net, images) in enumerate(opened, 1):
    few, rivals = fewer(images, page.setting("shown")), RIVALS[net.name]
    columns = {"Diff-\nCAM": page.maps(net, few, "diff_cam")}
    columns |= {BASELINES[m]: page.maps(net, few, m) for m in page.methods([*BASELINES], net)}
    columns |= {f"not\n{word}": why_not(net, few, rival) for word, rival in zip(("first", "second", "third"), rivals)}
    against = [", ".join(called(images, rival[c]) for rival in rivals) for c in few.targets]
    titles = [label + (f": why not {them}?" if them else "") for label, them in zip(few.labels, against)]
    rows = [
        [report.in_colour(few[i].image), *(report.overlay(few[i].image, M[i]) for M in columns.values())]
        for i in range(len(few))
    ]
    for n in range(0, len(few), 5):
        report.show(
            report.grid(rows[n : n + 5], ["Image", *columns], titles[n : n + 5]),
            name=f"diffcam-figure-11-{number}-{n // 5 + 1}",
            alt=f"Maps of {len(rows[n : n + 5])} images, {net.name}. {'; '.join(titles[n : n + 5])}.",
            caption=f"As DiffCAM, figure 11, {net.name}: maps of four methods for the class"
            + (", then DiffCAM's maps against each of its three rivals." if rivals else "."),
        )
    if not rivals:
        print("Not run: the question why not, since the references have no classes.")

# %% [markdown]
r"""
## On the pixels that tell two digits apart

Let $m_a$ and $m_c$ be the mean images of the training digits of the two classes. Let $D$ be the tenth of all pixels where
$|m_a - m_c|$ is largest, and $O$ the pixels where either class has ink, $\max(m_a, m_c) > 0.1$. For a map $S$ that
answers "why $a$ and not $c$",

$$
\text{share} = \sum_D S \big/ \sum S, \qquad
\text{rank} = P(S_i > S_j), \quad i \in D, \; j \in O \setminus D.
$$

A flat map has a share of 10 % and a rank of one half. A map that covers the strokes of the digit, whatever the question,
has more, since much of $D$ is ink. The rows called *other questions* show how much is due to the question: they measure
the maps against the two other rivals on the pixels $D$ of this rival.

The table compares DiffCAM's "why not" with its own "why is", with the baselines, which know of no rival, and with three
maps that do know the rival: GALORE {cite:p}`galore` with either of its two confidences, and a plain contrast, the linear
approximation of $y_a - y_c$.
"""

# %%
def means_of(net):
    """The mean image (C, H, W) of each class of the references."""
    data = page.references(net).readable()
    x = torch.stack([sample.image.mean(0) for sample in data])
    classes = torch.tensor(data.targets)
    return torch.stack([x[classes == c].mean(0) for c in range(net.num_classes)])


def pairwise(net, images, rival):
    """The positive part of the linear approximation of the logit of a class less that of its rival."""
    others = images.relabelled([rival[c] for c in images.targets])
    a, c = (page.maps(net, of, "linear_approximation", raw=True) for of in (images, others))
    return normalise(upsample((a - c).relu(), images.size))


def maps_of(net, images, rival):
    """The maps of all methods for one rival of each class."""
    return {
        "diff_cam_why_not": why_not(net, images, rival),
        "diff_cam": page.maps(net, images, "diff_cam"),
        **{m: page.maps(net, images, m) for m in page.methods([*BASELINES], net)},
        "galore": page.maps(net, images, "galore", rival=rival),
        "galore_certainty": page.maps(net, images, "galore", rival=rival, confidence="certainty"),
        "linear_approximation_pairwise": pairwise(net, images, rival),
    }


def telling(means, images, rival):
    """D and O (N, H, W) of images against one rival of their class."""
    a = torch.tensor(images.targets)
    c = torch.tensor([rival[t] for t in images.targets])
    apart = (means[a] - means[c]).abs()
    least = apart.flatten(1).quantile(0.9, dim=1)
    return apart > least[:, None, None], torch.maximum(means[a], means[c]) > 0.1


digits = [(net, images) for net, images in opened if images.name == "mnist"]
if not digits:
    print("Not run: the measures by pixels, since pixels tell two classes apart only where images are aligned, as digits are.")
maps, D, O, MEANS = {}, {}, {}, {}
for net, images in digits:
    MEANS[net.name] = means_of(net)
    for n, rival in enumerate(RIVALS[net.name]):
        maps[net.name, n] = maps_of(net, images, rival)
        D[net.name, n], O[net.name, n] = telling(MEANS[net.name], images, rival)

# %%
for net, images in digits[:1]:
    pairs = [(3, 8), (4, 9), (7, 1), (5, 3)]
    m = MEANS[net.name]
    figure, panels = plt.subplots(2, 4, figsize=(6.4, 3.7))
    for column, (a, c) in zip(panels.T, pairs):
        place = DIGITS[a].index(c)
        i = images.targets.index(a)
        report.draw(column[0], (0.5 + 0.5 * (m[a] - m[c])[..., None].expand(-1, -1, 3)).numpy(), f"{a}, not {c}")
        report.draw(column[1], report.in_colour(images[i].image))
        for panel in column:
            panel.contour(D[net.name, place][i].float(), [0.5], colors="#e8553a", linewidths=1.6)
    report.show(
        figure,
        name="diffcam-telling-pixels",
        alt="The difference of the mean images of two digits, bright where the first has more ink, and an example of the "
        "first, with the pixels outlined that tell them apart: " + "; ".join(f"{a} and {c}" for a, c in pairs) + ".",
        caption="Above: the mean image of the first digit less that of the second. Below: an example of the first digit. "
        "Outlined: the tenth of all pixels that tells the two digits apart.",
    )

# %%
OTHERS = {
    "diff_cam_why_not": "diff_cam_other_questions", "galore": "galore_other_questions",
    "linear_approximation_pairwise": "linear_approximation_other_questions",
}  # fmt: skip


def named(frame, n):
    """Rows for the n-th rival of each image: an image has one row for each rival."""
    return frame.assign(image=frame["image"] + f", rival {n + 1}")


def on_what_differs(net, images, n):
    """Share and rank of the maps for the n-th rival."""
    where, ink = D[net.name, n], O[net.name, n]
    measures = {
        "difference_share": lambda S: difference_share(S, where),
        "difference_rank": lambda S: difference_rank(S, where, ink),
    }
    values = {(label, m): of(S) for label, S in maps[net.name, n].items() for m, of in measures.items()}
    for label, other in OTHERS.items():
        asked = [maps[net.name, k][label] for k in range(3) if k != n]
        values |= {(other, m): torch.stack([of(S) for S in asked]).mean(0) for m, of in measures.items()}
    return named(page.rows(net, images, values), n)


frames = [pd.DataFrame(columns=COLUMNS)]
frames += [on_what_differs(net, images, n) for net, images in digits for n in range(3)]

# %% [markdown]
r"""
## With what is marked taken away

If a map marks what speaks for $a$ and against $c$, then the network should lean more towards $c$ without the marked pixels.
The tenth of the pixels where the map is largest is replaced, and the *shift* is how much the difference of the logits,
$y_a - y_c$, falls. Pixels are replaced in two ways: by black, which removes ink but cannot add any, and by the mean image of
$c$, which does both. For comparison, the table has *random* pixels, and the *brightest* pixels of the digit, which show what
erasing ink alone can do.
"""

# %%
@torch.no_grad()
def margin(net, images, rival, x):
    """The logit of the class less its rival's (N,)."""
    y = torch.cat([net(part.to(net.device)).cpu() for part in x.split(page.batch_size)])
    a, c = (torch.tensor(of)[:, None] for of in (images.targets, [rival[t] for t in images.targets]))
    return (y.gather(1, a) - y.gather(1, c))[:, 0].double()


def shifts(net, images, n, share=0.1, methods=None):
    """How much the margin falls if a share of the pixels is replaced, by method and by what replaces them."""
    rival, x = RIVALS[net.name][n], torch.stack([sample.image for sample in images])
    c = torch.tensor([rival[t] for t in images.targets])
    others = {"shift_black": torch.zeros_like(x), "shift_rival": MEANS[net.name][c][:, None].expand_as(x)}
    noise = torch.rand(x[:, 0].shape, generator=torch.Generator().manual_seed(n))
    compared = maps[net.name, n] | {"random": noise, "brightest": x.mean(1)}
    whole, values = margin(net, images, rival, x), {}
    for label, S in compared.items():
        top = (ranks(S) < round(share * S[0].numel()))[:, None]
        for metric, other in others.items() if methods is None or label in methods else ():
            values[label, metric] = whole - margin(net, images, rival, torch.where(top, other, x))
    return values


frames += [named(page.rows(net, images, shifts(net, images, n)), n) for net, images in digits for n in range(3)]
frame = pd.concat(frames, ignore_index=True)
ORDER = {"difference_share": "share (%)", "difference_rank": "rank", "shift_black": "shift, black",
         "shift_rival": "shift, mean of c"}  # fmt: skip
TITLES = {"diff_cam_why_not": "DiffCAM, why not", "diff_cam": "DiffCAM, why is", "galore": "GALORE, softmax",
          "linear_approximation_pairwise": "pairwise contrast",
          "linear_approximation_other_questions": "pairwise contrast, other questions"}  # fmt: skip
if digits:
    told = report.measured(frame)
    told["title"] = told["method"].map(lambda m: TITLES.get(m) or report.method_title(m))
    table = report.cross(told, ["network", "title"], "metric")[[*ORDER]].rename(columns=ORDER)
    display(table)

# %%
SHARES = (0.02, 0.05, 0.1, 0.15, 0.2)
DRAWN = {"diff_cam_why_not": "DiffCAM, why not", "galore": "GALORE", "linear_approximation_pairwise": "pairwise contrast",
         "grad_cam": "Grad-CAM", "random": "random"}  # fmt: skip
for number, (net, images) in enumerate(digits, 1):
    found = {}
    for share in SHARES:
        for n in range(3):
            for key, of in shifts(net, images, n, share, DRAWN).items():
                found.setdefault(key, {}).setdefault(share, []).append(of)
    figure, panels = plt.subplots(2, 1, figsize=(6.4, 7.4), sharex=True)
    for panel, metric in zip(panels, ("shift_black", "shift_rival")):
        lines = {
            title: torch.stack([torch.cat(found[m, metric][share]) for share in SHARES], 1).numpy()
            for m, title in DRAWN.items()
        }
        by = "black" if metric == "shift_black" else "the rival's mean"
        report.curves(SHARES, lines, xlabel="", ylabel=f"shift to the rival,\nreplaced by {by}",
                      emphasis="DiffCAM, why not", groups=images.ids * 3, ax=panel)  # fmt: skip
        panel.get_legend().remove()
    panels[1].set(xlabel="share of the pixels replaced")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    ends = "; ".join(f"{title} {of[:, -1].mean():.1f}" for title, of in lines.items())
    report.show(
        figure,
        name=f"diffcam-erased-{number}",
        alt=f"How far the logits move towards the rival, by the share of the pixels replaced. With the rival's mean on "
        f"{SHARES[-1]:.0%} of the pixels: {ends}.",
        caption=f"How far the logits move towards the rival, {net.name}: means over pairs of an image and a rival. The "
        f"band is DiffCAM's 95 % interval, clustered by image. With the rival's mean on {SHARES[-1]:.0%} of the pixels: {ends}.",
    )

# %% [markdown]
r"""
## What the answer depends on

DiffCAM's answer depends on two choices, the layer and the shrinkage. What tells two digits apart can be narrower than a cell
of the last grid, and earlier layers have finer grids. The covariance matters here, because each class has more references
than the network has channels, and it can be shrunk more or less. The first table tries these choices, and GALORE's layer and
confidence, on one half of the digits, by the share. The second table judges the best choice of each method on the other
half. *No covariance* is $w = z - \hat\mu$.
"""

# %%
SHRINKAGES = {"Ledoit-Wolf": "ledoit_wolf", "δ = 0.1": 0.1, "no covariance": 1.0}


def cuts(net):
    """The network as it runs, and cut at earlier layers."""
    earlier = [] if layer else page.setting("layers").get(page.experiment(net).network, [])
    return [net, *(page.open(replace(page.experiment(net), layer=name))[0] for name in earlier)]


def choices(net):
    """By method, layer and setting: a function that makes maps of images against a rival."""
    found = {}
    for cut in cuts(net):
        with torch.no_grad():
            A = cut.cut(torch.zeros(1, 3, cut.input_size, cut.input_size, device=cut.device, dtype=cut.dtype))[0]
        at = f"{A.shape[2]} × {A.shape[3]}, K = {A.shape[1]}"
        for label, delta in SHRINKAGES.items():
            found["DiffCAM", at, label] = lambda images, rival, cut=cut, delta=delta: why_not(
                cut, images, rival, shrinkage=delta
            )
        for confidence in ("softmax", "certainty"):
            found["GALORE", at, confidence] = lambda images, rival, cut=cut, by=confidence: page.maps(
                cut, images, "galore", rival=rival, confidence=by
            )
    return found


def share_of(net, images, make, index):
    """The share (n,) of some images, the mean over their rivals."""
    few, over = images.subset(index), []
    for n, rival in enumerate(RIVALS[net.name]):
        over.append(difference_share(make(few, rival), D[net.name, n][index]))
    return torch.stack(over).nanmean(0).numpy()


tried, scores = {net.name: choices(net) for net, _ in digits}, {}
for net, images in digits:
    half = list(range(0, len(images), 2))
    for place, make in tried[net.name].items():
        scores[net.name, *place] = 100 * np.nanmean(share_of(net, images, make, half))
if scores:
    table = pd.Series(scores).rename_axis(["network", "method", "layer", "choice"])
    display(table.unstack("layer", sort=False).round(1).rename_axis(columns="share (%), grid").astype(object).fillna("–"))

# %%
def judged(net, images):
    """Differences of the share on the other half of the images."""
    own = {place[1:]: value for place, value in scores.items() if place[0] == net.name}
    best, galore = (max((p for p in own if p[0] == m), key=own.get) for m in ("DiffCAM", "GALORE"))
    every = [p for p in own if p[2] == "Ledoit-Wolf"]
    pairs = [
        ("DiffCAM's best, less GALORE's best", best, galore),
        ("DiffCAM's best, less DiffCAM as above", best, every[0]),
        *(("with covariance, less without", p, (*p[:2], "no covariance")) for p in every),
    ]
    other = list(range(1, len(images), 2))
    of = {p: share_of(net, images, tried[net.name][p], other) for _, *two in pairs for p in two}
    for label, one, two in pairs:
        difference = report.mean_ci(100 * (of[one] - of[two]))
        yield {
            "network": net.name, "on the other half": label, "first": "; ".join(one[1:]), "second": "; ".join(two[1:]),
            "share, points": f"{difference:+.1f}".replace("-", "−"), "images": difference.n,
        }  # fmt: skip


if digits:
    rows = pd.DataFrame([row for net, images in digits for row in judged(net, images)])
    display(rows.set_index(["network", "on the other half"]))

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Appendix B")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**What is measured.** The paper shows figure 11 and measures nothing in it. The claims above put numbers to what its text
says about the figure. GALORE is not in that figure, but it answers the same question.

**Where the digits come from.** They are 5,000 real digits of MNIST. Every fifth digit of a class is for testing, and the
others are for training. The paper names neither its network nor its layer here.

**References.** "Why is" takes the 50 nearest training digits of other classes, "why not" all training digits of the rival
class.

**Pairs.** A digit has three rivals, and therefore three rows in the claims. Intervals are clustered by digit.
```
"""

# %%
page.departures()

# %%
page.provenance()
