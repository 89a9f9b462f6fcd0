# %% [markdown]
r"""
# What tells one bird from another

The difference of two maps of CALM {cite:p}`calm`, $s^A - s^B$, shows where the network sees evidence for class $A$ rather than for class
$B$. If $A$ and $B$ are two finches that differ only in the crown, there is one right answer. Figure A of the supplement (and figure 4 of
the paper) shows such counterfactual maps for the birds of CUB-200-2011, beside the mask of the parts whose attributes differ. The paper
claims that CALM's maps are the most like these masks.

No package carries CUB's photographs. Birds of 24 species, drawn for this book, stand in for them, so it is known exactly which parts
differ and where they are. This page makes the figure, and measures every map against the mask of the *cue*, the parts that differ, for
pairs of species that differ in one, two and three parts.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # birds or cub, of which it is known how the parts of each species look; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 32  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import pandas as pd
import torch

from book import Page, in_one_sentence, report
from book.species import looks_of, telling
from lib.data import DATASETS
from lib.data.cues import cues
from lib.evaluate import evaluate_maps
from lib.maps import normalise, predict, upsample
from lib.methods.calm import has_latent_position
from lib.metrics import METRICS
from lib.metrics.similarity import correlation

page = Page("calm/02_counterfactual_maps", globals(), needs=["parts"])
COUNTS = (1, 2, 3)  # of the parts that differ
page.protocol()

# %% [markdown]
r"""
## Which pairs

A part differs between two classes if its attributes (colour, pattern or shape) differ. A bird's two eyes count as one part, and so do its
legs and its wings. For each class $A$ and each number of parts, $B$ is the first class that differs from $A$ in that number of parts. An
image counts if at least one of these parts is visible. *Cue* is the mean share of the image that these parts cover. The columns named
after networks have each network's accuracy on these images.
"""

# %%
def spoken(parts):
    """Both eyes as one."""
    return [*dict.fromkeys(part.rpartition("_")[2] for part in parts)]


def rivals(looks, count):
    """For each class, the first class that differs from it in that number of parts."""
    found = {}
    for a in sorted(looks):
        others = [b for b in sorted(looks) if len(spoken(telling(looks, a, b))) == count]
        found |= {a: others[0]} if others else {}
    return found


def with_cue(images, looks, rival):
    """The images of classes that have a rival, with the cue as their mask, if some of the cue is visible."""
    marked = cues(images.readable(), {a: telling(looks, a, b) for a, b in rival.items()})
    return marked.subset(i for i, sample in enumerate(marked) if sample.mask.any())


with in_one_sentence():
    net, images = page.opened[0]
    LOOKS = looks_of(images, page.root)
    RIVALS = {count: rivals(LOOKS, count) for count in COUNTS}
    MARKED = {count: with_cue(images, LOOKS, rival) for count, rival in RIVALS.items() if rival}
    MARKED = {count: marked for count, marked in MARKED.items() if len(marked)}
    if not MARKED:
        raise ValueError("no image shows a part that tells its class from another class: give more images")


def right(net, marked):
    """Whether each image is classified correctly."""
    return torch.cat([predict(net, x) == y for x, y in page.batches(net, marked)]).double()


rows = {}
for count, marked in MARKED.items():
    area = torch.stack([sample.mask.double().mean() for sample in marked])
    rows[count] = {
        "classes": len({*marked.targets}), "images": len(marked), "cue (% of the image)": f"{100 * area.mean():.1f}",
        **{f"{net.name} (%)": f"{100 * right(net, marked).mean():.0f}" for net, _ in page.opened},
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index="parts that differ")

# %% [markdown]
r"""
## The maps

Each map is the difference of two raw maps of one network, upsampled to the size of the image. The first is for $A$, the class of the image,
and the second for $B$:

* CALM, for the networks that were trained as a CALM with either loss: $s^y_z = p(y, z|x)$;
* CAM, for the same backbone with CAM's head; the difference is CAM's map of $y_A - y_B$, and Grad-CAM gives the same map there;
* GradientSHAP on the pixels, for the network with CAM's head, which stands in for the paper's methods that integrate gradients;
* Grad-CAM and the linear approximation, for CALM's own network (trained by EM), with the score $\log p(y|x)$.

The [weighted contrast](../contrast/02_visualizations) of CAM is shown as well. It tells $A$ from all other classes at once, each weighted by the
probability that the network gives it, and does not know $B$. *Random* is noise.
"""

# %%
def methods_of(net):
    """The methods on a network, by label."""
    if has_latent_position(net):
        label = page.setting("label", net)
        beside = {"grad_cam_of_calm": "grad_cam", "linear_approximation_of_calm": "linear_approximation"}
        return {label: "calm"} | (beside if label != "calm_ml" else {})
    of = "cam" if net.affine_head else "grad_cam"
    return {of: of, "gradient_shap": "gradient_shap"}


def other(marked, rival):
    """The same images for the rival of their class."""
    return marked.relabelled(rival[c] for c in marked.targets)


def raw_difference(net, marked, rival, method, **options):
    """s^A − s^B (N, H, W)."""
    A, B = (page.maps(net, some, method, raw=True, **options) for some in (marked, other(marked, rival)))
    return upsample(A - B, marked.size)


def differences(net, marked, rival):
    """The signed maps of a network, each divided by its largest magnitude."""
    raw = {label: raw_difference(net, marked, rival, name) for label, name in methods_of(net).items() if page.runs(name, net)}
    if net.affine_head:
        weighted = page.maps(net, marked, "cam", raw=True, contrast="weighted")
        raw |= {"cam_weighted": upsample(weighted, marked.size)}
        generator = torch.Generator().manual_seed(0)
        raw |= {"random": torch.rand(weighted.shape[0], *marked.size, generator=generator)}
    return {label: normalise(M.float(), "signed") for label, M in raw.items()}


MAPS = {count: {} for count in MARKED}  # by label
frames = []
for count, marked in MARKED.items():
    for net, _ in page.opened:
        S = differences(net, marked, RIVALS[count])
        MAPS[count] |= S
        frame = evaluate_maps(net, marked, S, {f"cue_pxap_{count}": "cue_pxap"})
        frames.append(frame.assign(architecture=net.architecture))

# %%
def shown_of(count):
    """The images on which the most of the cue is visible, of different classes."""
    marked, best = MARKED[count], {}
    areas = torch.tensor([sample.mask.sum() for sample in marked])
    for i in areas.argsort(descending=True, stable=True).tolist():
        best.setdefault(marked.targets[i], i)
    return [*best.values()][: page.setting("shown")]


COLUMNS = [label for label in ("calm_em", "calm_ml", "calm", "cam", "grad_cam", "cam_weighted", "gradient_shap") if label in MAPS[min(MAPS)]]
HEADINGS = {"cam_weighted": "CAM,\nweighted", "gradient_shap": "Gradient-\nSHAP"}
SIDE = 160  # pixels; drawn birds are drawn anew at any size

for count, marked in MARKED.items():
    big, grid, titles, outlines = marked.at(max(SIDE, marked.size[0])), [], [], {}
    for row, i in enumerate(shown_of(count)):
        sample = big[i]
        maps = [upsample(MAPS[count][label][i][None], big.size)[0].clamp(-1, 1) for label in COLUMNS]
        grid.append([report.in_colour(sample.image), *(report.overlay(sample.image, M, signed=True) for M in maps)])
        a = marked.targets[i]
        b = RIVALS[count][a]
        titles.append(f"{marked.classes[a]}, not {marked.classes[b]}: {', '.join(spoken(telling(LOOKS, a, b)))}")
        outlines |= {(row, column): sample.mask for column in range(1 + len(COLUMNS))}
    headings = ["Image", *(HEADINGS.get(label) or report.method_title(label) for label in COLUMNS)]
    report.show(
        report.grid(grid, headings, titles, outlines=outlines, signed=True),
        name=f"calm-counterfactual-{count}",
        alt=f"Counterfactual maps of {', '.join(headings[1:])} for pairs that differ in {count} parts: {'; '.join(titles)}.".replace("\n", " "),
        caption=f"As CALM, figure A, on drawn birds, for pairs that differ in {count} part{'s' * (count > 1)}. Outlined: the cue, the parts that differ. "
        "Red speaks for the class of the image, blue for the other class.",
    )

# %% [markdown]
r"""
## How like the cue

The pixels of all images are pooled. At every threshold $\tau$ of $|s^A - s^B|$, precision is the share of the marked pixels that lies in the cue,
and recall is the share of the cue that is marked. *Cue PxAP* is the area under the curve of precision and recall; its index is the number of parts
that differ. Each map is first divided by its largest magnitude. The cue PxAP of a random map is the share of the cue among all pixels.
"""

# %%
frame = pd.concat(frames, ignore_index=True)
pooled = frame.assign(network=DATASETS[images.name]["title"].partition(",")[0])
measured = report.measured(pooled)
named = measured.assign(parts=[f"{m[-1]} part{'s' * (m[-1] != '1')}" for m in measured["metric"]])
report.cross(named, "title", "parts").rename_axis(index=None, columns="cue PxAP ↑ (%)")

# %%
page.forest(measured, *measured["metric"].unique(), name="calm-cue-pxap", title="Cue PxAP")

# %%
def against(label, rival):
    """The paired difference of two maps, by the number of parts."""
    return {
        f"{count} part{'s' * (count > 1)}": f"{report.paired_difference(pooled, f'cue_pxap_{count}', label, rival).scaled(100):+.1f}"
        for count in MARKED
    }


FIRST = COLUMNS[0]
rivals_shown = [label for label in MAPS[min(MAPS)] if label != FIRST]
pd.DataFrame({report.method_title(rival): against(FIRST, rival) for rival in rivals_shown}).T.replace("-", "−", regex=True).rename_axis(
    columns=f"{report.method_title(FIRST)}, less … (points)"
)

# %% [markdown]
r"""
## By the choices that the number rests on

The authors do not divide CALM's map by anything, since it is a probability, and they space their thresholds evenly in its logarithm. The table has cue
PxAP with and without the division by the largest magnitude, and with either spacing of the thresholds. It also has the posterior $p(z|x, y)$ in place of
the joint probability $p(y, z|x)$; the posterior does not depend on how probable each class is.
"""

# %%
def posterior_difference(net, marked, rival):
    """p(z|x, A) − p(z|x, B)."""
    A, B = (page.maps(net, some, "calm", raw=True) for some in (marked, other(marked, rival)))
    A, B = (M / M.sum((1, 2), keepdim=True).clamp_min(torch.finfo(M.dtype).tiny) for M in (A, B))
    return upsample(A - B, marked.size)


rows = {}
for net, _ in page.opened:
    if not has_latent_position(net):
        continue
    for count, marked in MARKED.items():
        raw = {"joint": raw_difference(net, marked, RIVALS[count], "calm"), "posterior": posterior_difference(net, marked, RIVALS[count])}
        S = {(of, "by its largest"): normalise(M, "signed") for of, M in raw.items()}
        S |= {(of, "as it is"): M.clamp(-1, 1) for of, M in raw.items()}
        mask = [sample.mask for sample in marked]
        for (of, scale), M in S.items():
            for spacing in ("log", "even"):
                value = METRICS["cue_pxap"].accumulator(spacing=spacing)
                value.update(M, mask=mask)
                rows.setdefault((net.name, of, scale, spacing), {})[count] = f"{100 * value.compute():.1f}"
pd.DataFrame(rows).T.rename_axis(index=["network", "map", "scale", "thresholds"], columns="parts")

# %% [markdown]
r"""
## What the subtraction changes

The maps of CALM are probabilities. There are two cases in which the difference $s^A - s^B$ is nearly the map $s^A$ itself, with everything that speaks for $A$.
The network may be sure of $A$, so that the map of $B$ has little to subtract. Or $A$ and $B$ may have the same proportion at every position, as when every
position sees most of the bird. The maps of CAM are logits: evidence that speaks for $A$ and $B$ alike is equally large in both maps, and cancels.

The table has the cue PxAP of the map of $A$ alone, of the difference, and of the difference on the images where the network hesitates,
$p(B|x) \ge \frac1{20} p(A|x)$. *B, share of A* is the median ratio of the sums of the two maps, where only positive values count. *r* is the mean
correlation of the map of $A$ and the difference.
"""

# %%
def pxap_of(M, marked, index=None):
    """Cue PxAP (%) of signed maps, each divided by its largest magnitude; of all images, or of some."""
    index = range(len(marked)) if index is None else index
    if not len(index):
        return "–"
    value = METRICS["cue_pxap"].accumulator()
    value.update(normalise(M[[*index]].float(), "signed"), mask=[marked[i].mask for i in index])
    return f"{100 * value.compute():.1f}"


@torch.no_grad()
def hesitating(net, marked, rival):
    """The images whose rival is at least a twentieth as probable as their class."""
    p = torch.cat([net(x).softmax(1).cpu() for x, _ in page.batches(net, marked)])
    a = torch.tensor(marked.targets)
    b = torch.tensor([rival[c] for c in marked.targets])
    return (p.gather(1, b[:, None]) >= p.gather(1, a[:, None]) / 20)[:, 0].nonzero()[:, 0].tolist()


rows = {}
for net, _ in page.opened:
    label, name = next(iter(methods_of(net).items()))
    for count, marked in MARKED.items():
        A, B = (upsample(page.maps(net, some, name, raw=True), marked.size) for some in (marked, other(marked, RIVALS[count])))
        few = hesitating(net, marked, RIVALS[count])
        share = B.relu().sum((1, 2)) / A.relu().sum((1, 2)).clamp_min(1e-12)
        rows[report.method_title(label), count] = {
            "images": len(marked), "A alone": pxap_of(A, marked), "A less B": pxap_of(A - B, marked),
            "hesitating": len(few), "A less B there": pxap_of(A - B, marked, few), "B, share of A": f"{share.median():.2f}",
            "r": f"{correlation(A, A - B).nanmean():.2f}",
        }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index=["map", "parts"])

# %% [markdown]
r"""
## By how the network was trained

The table has cue PxAP for CALMs that were trained in different ways: by EM as above, on a coarser grid, and without detaching the sum that
divides $h$ (see [the page on equivalence and EM](01_equivalence_and_em)).
"""

# %%
rows = {}
for name in page.setting("others") if page.as_planned else []:
    trained = page.open(replace(page.experiments[0], network=name, title=""))[0]
    found = {count: raw_difference(trained, marked, RIVALS[count], "calm") for count, marked in MARKED.items()}
    accuracy = right(trained, MARKED[max(MARKED)]).mean()
    grid = tuple(trained.cut(torch.zeros(1, 3, trained.input_size, trained.input_size))[0].shape[2:])
    rows[name] = {"grid": "{} × {}".format(*grid), "accuracy (%)": f"{100 * accuracy:.0f}"}
    rows[name] |= {f"PxAP{'₁₂₃'[count - 1]} (%)": pxap_of(M, MARKED[count]) for count, M in found.items()}
pd.DataFrame(rows).T.rename_axis(index="network") if rows else print("Not run: the networks that are trained here, since others are asked for.")

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(pooled, "Appendix D")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Pairs.** The paper takes all pairs of classes that differ in one, two or three parts. Here each class has one rival for each number of parts, so
that an image counts once.

**Which parts differ.** For drawn birds this is exact. The authors merge beak, crown, eyes, forehead, nape and throat of CUB's birds into one part, the head, and
count an attribute as present if half of the people saw it.

**Baselines.** The supplement does not name the baselines of figure A. Here they are CAM, and GradientSHAP for the methods that integrate gradients.

**One network for all.** CALM and CAM cannot share one network, since they have different heads. Their backbones, images and training are the same.
```
"""

# %%
page.departures()

# %%
page.provenance()
