# %% [markdown]
r"""
# Lesions on radiographs

DiffCAM {cite:p}`diffcam` can tell a radiograph from normal radiographs: what it marks should then be the lesion. The
paper fine-tunes a network on two sets of chest radiographs, and tells it only whether a film is normal. Experts have
marked the lesions in both sets: pneumonia by boxes (RSNA), and pneumothorax, air between a lung and the ribs, by masks
(SIIM-ACR). The paper's figures 14 and 15 show maps of several methods beside these marks, for the reader to judge.

This page makes the same figures and measures what they show: what share of a map lies on the lesions, where its
largest value lies, and how well its largest values cover the lesions. By default the films are drawn for this book.
Both diseases are drawn in the same people, and the lesions are known exactly. Pneumonia is soft and diffuse; a
pneumothorax is a dark rim along the ribs of one lung.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list` that has boxes; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import pandas as pd
import torch
from scipy.stats import rankdata

from book import Page, fewer, report
from lib.evaluate import coefficients
from lib.methods import METHODS
from lib.metrics.boxes import covered
from lib.metrics.parts import regions
from lib.saliency import finish

page = Page("diffcam/06_medical", globals(), needs=["boxes"])
RIVALS = ["grad_cam", "grad_cam_plus_plus", "score_cam", "layer_cam", "opti_cam", "lift_cam"]
page.protocol()

# %% [markdown]
r"""
## What is told from what

The references are films of the training split. For the question *why is this film ill*, the references of other classes
are the normal films, so that

$$
w \propto S_v^{-1}\,(z - \hat\mu_{\text{normal}}), \qquad S = \mathrm{ReLU}\Big(\sum_k w_k A_k\Big)
$$

with the $k$ nearest of them. The other methods explain the logit of the disease. Maps are made for all ill films of the
test split, whether or not the network classifies them correctly. The table has the number of ill films, the number of
normal films to choose from, and the share of all test films that the network classifies correctly.
"""

# %%
ill = [(net, images.readable()) for net, images in page.having("boxes")]
rows = {}
for net, images in ill:
    experiment, R = page.experiment(net), page.reference(net)
    accuracy = None if weights else experiment.test_accuracy(page.root)
    others = len(R) if R.classes is None else int((R.classes != images.targets[0]).sum())
    rows[net.name] = {
        "films": images.name,
        "ill": len(images),
        "references of other classes": others,
        "channels": R.z.shape[1],
        "grid": " × ".join(map(str, page.maps(net, images[:1], "diff_cam", raw=True).shape[1:])),
        "test accuracy": "–" if accuracy is None else f"{100 * accuracy:.1f} %",
    }
pd.DataFrame(rows).T

# %% [markdown]
r"""
## On the lesions

Let $L$ be the pixels of the lesions: those of the mask if there is one, else those of the boxes. Let $T$ be the $|L|$
pixels where a map $S$ is largest. Then

$$
\begin{aligned}
\text{share} &= \sum_L S \big/ \sum S, &
\text{hit} &= 1\big[\arg\max S \in L\big], \\
\text{IoU} &= |L \cap T| \big/ |L \cup T|, &
\text{AUC} &= P(S_i > S_j), \; i \in L, \; j \notin L .
\end{aligned}
$$

Share and IoU are small if the lesions are small. The AUC is one half by chance, whatever their size.
"""

# %%
def lesions(images):
    """The pixels L (N, H, W) of each film's lesions: those of its mask, or those that its boxes cover."""
    return torch.stack([covered(s.boxes, images.size) if s.mask is None else s.mask for s in images])


def largest(S, L):
    """T (N, H, W): the largest values of each map, as many as there are pixels in L."""
    return torch.cat([regions(s[None], l.double().mean().item()) for s, l in zip(S, L)])


def auc(S, L):
    """How often a pixel of L has a larger value than another pixel; equal values count one half."""
    ranks = torch.from_numpy(rankdata(S.flatten(1), axis=1))
    inside, n = L.flatten(1), L.sum((1, 2))
    return ((ranks * inside).sum(1) / n - (n + 1) / 2) / (inside.shape[1] - n)


def on(S, L):
    """The four measures, one number per film each."""
    T, tiny = largest(S, L), torch.finfo(torch.float64).tiny
    highest = S.flatten(1).argmax(1, keepdim=True)
    return {
        "share_inside": (S.double() * L).sum((1, 2)) / S.double().sum((1, 2)).clamp_min(tiny),
        "hit_inside": L.flatten(1).gather(1, highest)[:, 0].double(),
        "iou_inside": (L & T).sum((1, 2)) / (L | T).sum((1, 2)),
        "auc_inside": auc(S, L),
    }


def values(maps, L):
    """The measures of several maps, as `page.rows` takes them."""
    return {(label, metric): value for label, S in maps.items() for metric, value in on(S, L).items()}


frames, L, maps = [], {}, {}
passed = {net.name for net, _ in page.having("a head that DeepLIFT passes")}  # LIFT-CAM needs such a head
for net, images in ill:
    L[net.name] = lesions(images)
    methods = [m for m in page.methods(["diff_cam", *RIVALS], net) if m != "lift_cam" or net.name in passed]
    maps[net.name] = {m: page.maps(net, images, m) for m in methods}
    frames.append(page.rows(net, images, values(maps[net.name], L[net.name])))
frame = pd.concat(frames, ignore_index=True)
means = report.measured(frame)
report.cross(means, ["network", "title"], "metric").rename(columns=lambda m: report.symbols([m]))

# %%
for net, images in ill:
    mine = means[means["network"] == net.name]
    page.forest(
        mine, "share_inside", "iou_inside", name=f"diffcam-lesions-{images.name.replace('_', '-')}",
        title=f"The four measures on {len(images)} ill films of {images.name}",
    )  # fmt: skip

# %% [markdown]
"""
## Figures 14 and 15

Each figure shows some of the ill films, evenly spread, with the lesions outlined.
"""

# %%
SIDE = 192  # pixels; drawn films are drawn anew at this size, and maps are upsampled to it


def shown_maps(net, few, size):
    """The maps of the methods at another size, by title."""
    return {METHODS[m].title: finish(m, page.maps(net, few, m, raw=True), size) for m in maps[net.name]}


FIGURES = {"pneumothorax": 15, "siim_pneumothorax": 15}  # others are figure 14
for number, (net, images) in enumerate(ill):
    few = fewer(images, page.setting("shown"))
    large = few.at(max(SIDE, *few.size))
    own = frame[(frame["network"] == net.name) & frame["image"].isin(few.ids)]
    best = own[own["metric"] == "iou_inside"].pivot(index="image", columns="method", values="value").loc[[*few.ids]]
    titles = [f"{label}: largest IoU {report.method_title(m)}, {iou:.2f}" for label, m, iou in
              zip(few.labels, best.idxmax(axis=1), best.max(axis=1))]  # fmt: skip
    figure = report.gallery([s.image for s in large], shown_maps(net, few, large.size), titles, columns=4)
    for block, where in zip(figure.subfigs, lesions(large)):
        for panel in block.axes[: 2 + len(RIVALS)]:
            if panel.images:
                report.outline(panel, where)
    report.show(
        figure,
        name=f"diffcam-films-{number}",
        alt=f"Maps of DiffCAM and {len(maps[net.name]) - 1} other methods for ill films of {images.name}, lesions outlined. "
        f"{'; '.join(titles)}.",
        caption=f"As DiffCAM, figure {FIGURES.get(images.name, 14)}, {images.name}, {net.name}. Outlined: the lesions. The title of each film names "
        "the method whose largest values cover them best.",
    )

# %% [markdown]
r"""
## What one method marks alone

The paper says of one film of SIIM-ACR that only DiffCAM highlights a certain part of the lesion. *Alone* measures this: it is
the share of $L$ that lies in this method's $T$ and in no other method's.
"""

# %%
def alone(maps, L):
    """The share of each film's lesions that the largest values of one map cover, and of no other map."""
    T = {label: largest(S, L) & L for label, S in maps.items()}
    once = torch.stack([*T.values()]).sum(0) == 1
    return {(label, "marked_alone"): (t & once).sum((1, 2)) / L.sum((1, 2)) for label, t in T.items()}


lonely = [page.rows(net, images, alone(maps[net.name], L[net.name])) for net, images in ill]
frames += lonely
report.cross(report.measured(pd.concat(lonely)), "title", "network")

# %% [markdown]
r"""
## Two diseases in the same people

The paper finds that the maps of all methods agree less with the masks of SIIM-ACR than with the boxes of RSNA. The drawn
films of both diseases show the same people under the same exposure, so the table compares the two person by person. A
pneumothorax is the smaller lesion. Its size alone makes the IoU smaller, but not the AUC.
"""

# %%
def other_disease(first, second):
    """Rows of the people who have both diseases: the maps for the first, named as such, under the network of the second.
    """
    (net, images), (other, theirs) = first, second
    common = [i for i, name in enumerate(images.ids) if name in theirs.ids]
    if not common:
        print(f"Not run: nobody is in both {images.name} and {theirs.name}.")
        return frame[:0]
    disease = images.classes[images.targets[0]].lower()
    some = {f"{m}_{disease}": S[common] for m, S in maps[net.name].items()}
    # The same people, and the same ids: rows of one table.
    return page.rows(other, theirs.subset([theirs.ids.index(images.ids[i]) for i in common]), values(some, L[net.name][common]))


by_films = {}  # the first network of each set of films
for net, images in ill:
    by_films.setdefault(images.name, (net, images))
both = frame[:0]
if len(by_films) == 2:
    first, second = by_films.values()
    both = other_disease(first, second)
if len(both):
    frames.append(both)
    network, own = second[0].name, frame[frame["network"] == second[0].name]
    names = [images.classes[images.targets[0]].lower() for _, images in (first, second)]
    columns = {f"{report.symbols([metric])}, {' → '.join(names)}": metric for metric in ("iou_inside", "auc_inside")}
    told = pd.DataFrame({
        heading: {METHODS[m].title: report.changed(pd.concat([own, both]), network, metric, f"{m}_{names[0]}", m)
                  for m in maps[network]}
        for heading, metric in columns.items()
    })  # fmt: skip
    display(told)

# %% [markdown]
r"""
## What the references and the layer change

The paper does not say from how many normal films a film is told, nor what replaces $S_v^{-1}$ where $S_v$ has no inverse.
The table varies three choices: the $k$ nearest normal films, or all of them; the covariance, shrunk as by Ledoit and Wolf,
or no covariance, which gives the plain difference $z - \hat\mu$; and the *centred* map
$\sum_k w_k (A_k - \hat\mu_k)$, which leaves out the part that a normal film has on average. If the profile names an earlier
layer, whose grid is finer, the table has that layer too, with Grad-CAM and Layer-CAM at the same layer.
"""

# %%
VARIANTS = {
    "5 nearest": {"k": 5},
    "50 nearest (default)": {},
    "50 nearest, plain difference": {"shrinkage": 1.0},
    "all": {"k": None},
    "all, plain difference": {"k": None, "shrinkage": 1.0},
}


def centred(net, images):
    """Maps with the direction from all references of other classes, less what these have on average."""
    options = page.options("diff_cam", net) | {"k": None}
    w = coefficients(net, images, {"w": ("diff_cam", options)}, **page.how)["w"]  # (N, K)
    R = options["reference"]
    mean = R.z[R.classes != images.targets[0]].mean(0) if R.classes is not None else R.z.mean(0)
    raw = page.maps(net, images, "diff_cam", raw=True, k=None)
    return finish("diff_cam", raw - (w @ mean.to(w))[:, None, None], images.size)


def chosen(net, images):
    """DiffCAM's maps by its choices, and the maps of two other methods."""
    found = {f"DiffCAM, {title}": page.maps(net, images, "diff_cam", **of) for title, of in VARIANTS.items()}
    found["DiffCAM, all, centred"] = centred(net, images)
    return found | {METHODS[m].title: page.maps(net, images, m) for m in ("grad_cam", "layer_cam")}


def finer(net):
    """The network cut at the earlier layer that the profile names, with its films, if it names one."""
    earlier = page.setting("finer").get(page.experiment(net).network)
    if not earlier or layer:
        return []
    other, images = page.open(replace(page.experiment(net), layer=earlier))
    return [(f"{net.name}, {earlier}", other, images.having("boxes").readable())]


choices = []
for net, images in ill:
    for title, one, films in [(net.name, net, images), *finer(net)]:
        choices.append(page.rows(one, films, values(chosen(one, films), lesions(films))).assign(network=title))
choices = pd.concat(choices, ignore_index=True)
shown = report.measured(choices[choices["metric"].isin(["iou_inside", "auc_inside"])])
report.cross(shown, ["network", "title"], "metric").rename(columns=lambda m: report.symbols([m]))

# %% [markdown]
r"""
To choose and to judge on the same films would favour the choice. So the choice is made on every second film, by the mean IoU,
and judged on the others, against the default and against the other methods.
"""

# %%
def judged(network):
    """The choice that is best on every second film, and what it gains on the others."""
    mine = choices[choices["network"] == network]
    first = mine["image"].isin([*dict.fromkeys(mine["image"])][::2])
    ours = [title for title in mine["method"].unique() if title.startswith("DiffCAM")]
    best = mine[first & (mine["metric"] == "iou_inside") & mine["method"].isin(ours)].groupby("method")["value"].mean().idxmax()
    rows = {"chosen": best}
    for rival in ("DiffCAM, 50 nearest (default)", METHODS["grad_cam"].title, METHODS["layer_cam"].title):
        if rival != best:
            gain = report.paired_difference(mine[~first], "iou_inside", best, rival, (0, 1)).scaled(100)
            rows[f"IoU, less that of {rival}"] = f"{gain:+.1f}".replace("-", "−")
    return rows


pd.DataFrame({network: judged(network) for network in choices["network"].unique()}).T.fillna("–")

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(frames, ignore_index=True), "Appendix F")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Films.** RSNA Pneumonia and SIIM-ACR may not be redistributed. `dataset="rsna_pneumonia"` with `root` runs this page on your
own copy, and trains the paper's network on it: InceptionV3 from ImageNet's weights, by stochastic gradient descent with a
learning rate of 0.0001, momentum 0.9, weight decay 0.00001 and batches of 64. The paper does not give the number of epochs.
Here there are at most 30, and the weights with the lowest validation loss are kept. For drawn films, small networks are trained
from scratch.

**Lesions.** A box contains some lung that is not ill, so masks are used where a data set has them. The paper measures nothing
in this appendix: the claims put numbers to what it says about its figures.

**One film.** The paper says *only DiffCAM highlights* about one film. The claim is about the share of the lesions that one method
marks alone, over all films.

**Which are harder.** The paper compares different people with different marks. The table compares the same drawn people, and
does not test the paper's claim.
```
"""

# %%
page.departures()

# %%
page.provenance()
