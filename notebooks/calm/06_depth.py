# %% [markdown]
r"""
# How far to add up

CALM {cite:p}`calm` adds up the maps of several classes so that the sum covers the object. Which classes should be added? The class
alone marks what tells it from others; all 1,000 classes together mark whatever any of them looks for. The concepts above the class in
WordNet lie in between. Figure E of the paper shows maps for concepts of different depth, and the paper notes that the depth at which a
map covers the object differs between classes.

This page adds up the class maps of networks at every depth of the hierarchy, and measures how well they find the object.
[The page on supersets](05_supersets) shows the hierarchy.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a network of ImageNet's classes whose head pools; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list` that has boxes; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from book import Page, report
from lib.annotated_supersets import imagenet_supersets
from lib.class_maps import class_maps, over_supersets
from lib.metrics import METRICS
from lib.saliency import finish
from lib.superset import members
from lib.wordnet import classes_below, genealogy, synsets

page = Page("calm/06_depth", globals(), needs=["boxes", "ImageNet's classes", "class maps or a latent position"])
page.protocol()

# %% [markdown]
r"""
## Maps by depth

The root, "entity", has depth 0. At depth $d$, the superset $\mathcal{Y}_d$ of a class has all classes below the class's ancestor of depth $d$.
From the class's own depth on, it is the class alone. A network whose head is pooling and one linear layer has class maps $f_y$, as CAM reads
them, and

$$
s^{\mathcal{Y}} = \sum_{y \in \mathcal{Y}} \frac{f_y - \min f_y}{\max f_y - \min f_y}, \qquad
\mathcal{Y}_0 \supseteq \mathcal{Y}_1 \supseteq \dots \ni y .
$$

Maps of CALM would be summed without the division, but the book has no CALM of ImageNet's classes. The outline in the figure is the object's box.
"""

# %%
DEEPEST = max(len(genealogy(c)) for c in range(1000)) - 1
NEAR = imagenet_supersets()


def concept(c, depth):
    """The ancestor of a class at a depth; the class itself at its own depth and below."""
    path = genealogy(c)[::-1]
    return path[min(depth, len(path) - 1)]


def supersets_of(c):
    """The superset of a class at each depth, and that of table A."""
    return [*(classes_below(concept(c, d)) for d in range(DEEPEST + 1)), NEAR[c]]


@torch.no_grad()
def summed(f, size, c, supersets):
    """S (L, H, W): sums of an image's class maps (C, h, w) over supersets of its class, each computed once."""
    different = list(dict.fromkeys(supersets))
    among = torch.cat([members(one, torch.tensor([c]), 1000) for one in different])  # (L, C)
    raw = over_supersets(f[None], among)[0].cpu()
    return finish("cam", raw, size)[[different.index(one) for one in supersets]]


def maps_at(net, images, i):
    """S (L, H, W) of an image at every depth, and over the superset of table A."""
    [(x, target)] = page.batches(net, images[i : i + 1])
    return summed(class_maps(net, x)[0], images.size, int(target), supersets_of(int(target)))


opened = [(net, images.readable()) for net, images in page.opened]

# %%
FAMILIES = {
    "canines": "n02083346", "cats": "n02120997", "birds": "n01503061", "other mammals": "n01861778",
    "other vertebrates": "n01471682", "invertebrates": "n01905661", "ships and boats": "n04530566",
    "vehicles on wheels": "n04576211", "instruments": "n03800933", "devices": "n03183080",
}  # fmt: skip


def family(c):
    """The first family that has the class."""
    return next((name for name, synset in FAMILIES.items() if c in classes_below(synset)), "all others")


SHOWN = ("canines", "cats", "birds", "ships and boats", "instruments")
net, images = opened[0]
of = pd.Series([family(c) for c in images.targets])
index = [i for name in SHOWN for i in of.index[of == name][: page.setting("shown")]] or [0]
steps = []
for i in index:
    path = genealogy(images.targets[i])[::-1]
    sizes = [len(classes_below(one)) for one in path]
    own = [d for d in range(len(path)) if d + 1 == len(path) or sizes[d] != sizes[d + 1]]
    steps.append([own[k] for k in np.linspace(0, len(own) - 1, 6).round().astype(int)])
figure, panels = plt.subplots(len(index), 7, figsize=(9.6, 1.75 * len(index)), squeeze=False)
for line, i, depths in zip(panels, index, steps):
    sample, S = images[i], maps_at(net, images, i)
    report.draw(line[0], report.in_colour(sample.image), images.labels[i])
    for panel, d in zip(line[1:], depths):
        synset = concept(images.targets[i], d)
        name = synsets()[synset].name.replace("_", " ")
        title = f"{name[:14]}\n{len(classes_below(synset))}"
        report.draw(panel, report.overlay(sample.image, S[d]), title)
        panel.title.set_fontsize(9)
        report.draw_boxes(panel, sample.boxes, edgecolor="#40e0d0", linewidth=1.2)
    line[0].title.set_fontsize(10)
report.key(figure, panels.ravel().tolist())
report.show(
    figure,
    name="calm-figure-e",
    alt="Sums of class maps over concepts, from all classes to the class alone, for " + ", ".join(images.labels[i] for i in index) + ".",
    caption=f"As CALM, figure E: sums of class maps of {net.name} over concepts, from all classes on the left to the class alone on the right. The "
    "number below each concept is how many classes it has.",
)

# %% [markdown]
r"""
## Localisation by depth

*MaxBoxAccV2* {cite:p}`wsol` cuts a map at the threshold that is best for the data set, and tests whether the box of any connected part overlaps the
object's box by an IoU of at least 0.3, 0.5 and 0.7. The curve shows it at every depth, over all images. The dotted line is the superset of table A.
"""

# %%
V2 = METRICS["max_box_acc_v2"]


def overlaps(net, images):
    """The best overlap (N, L, T) of each image, depth and threshold."""
    found = []
    for x, target in page.batches(net, images):
        for f, c in zip(class_maps(net, x), target.tolist()):
            supersets, box = supersets_of(c), images[len(found)].boxes
            different = list(dict.fromkeys(supersets))
            S = summed(f, images.size, c, different)
            of = V2.measure(None, None, None, S, boxes=[box] * len(S))
            found.append(of[[different.index(one) for one in supersets]])
    return torch.stack(found)


met = {net.name: overlaps(net, images) for net, images in opened}
pooled = {name: torch.stack([V2.value(one) for one in of.unbind(1)], 1).numpy() for name, of in met.items()}
curves = {name: 100 * of[:, :-1] for name, of in pooled.items()}
if len({len(of) for of in curves.values()}) == 1:
    ax = report.curves(range(DEEPEST + 1), curves, xlabel="depth of the concept; 0 is “entity”", ylabel="MaxBoxAccV2 (%)")
    for line, of in zip(ax.get_lines(), pooled.values()):
        ax.axhline(100 * of[:, -1].mean(), color=line.get_color(), linestyle=":", linewidth=1)
    ax.set_xticks(range(0, DEEPEST + 1, 2))
    best = {name: int(of.mean(0).argmax()) for name, of in curves.items()}
    report.show(
        ax.figure,
        name="calm-depth",
        alt="MaxBoxAccV2 by depth. " + "; ".join(
            f"{name}: at depth 0 {of.mean(0)[0]:.1f} %, at {best[name]} {of.mean(0)[best[name]]:.1f} %, of the class alone "
            f"{of.mean(0)[-1]:.1f} %" for name, of in curves.items()
        ) + ".",
        caption="MaxBoxAccV2 by the depth of the concept, means over images with 95 % intervals. The best depth over all images: "
        + ", ".join(f"{d} for {name}" for name, d in best.items()) + ".",
    )  # fmt: skip

# %% [markdown]
r"""
## Does the best depth differ?

The table has the best depth for the images of each family, and the most frequent concept of its images at that depth. Each image is measured at its
own best threshold, as appendix E says, since a few images are not enough to choose a threshold for a data set.
"""

# %%
each = {
    name: torch.stack([V2.value(one.amax(1, keepdim=True)) for one in of.unbind(1)], 1).numpy() for name, of in met.items()
}
table = {}
for net, images in opened:
    of = np.array([family(c) for c in images.targets])
    for name in [*FAMILIES, "all others"]:
        mine = each[net.name][of == name]
        if len(mine) == 0:
            continue
        mean = mine.mean(0)
        d = int(mean[:-1].argmax())
        concepts = pd.Series([concept(c, d) for c, f in zip(images.targets, of) if f == name])
        common = concepts.mode()[0]
        table[net.name, name] = {
            "images": len(mine), "best depth": d, "where most are": synsets()[common].name.replace("_", " "),
            "there (%)": 100 * mean[d], "table A (%)": 100 * mean[-1], "class (%)": 100 * mean[-2],
        }  # fmt: skip
pd.DataFrame(table).T.rename_axis(index=["network", "family"]).map(lambda v: f"{v:.0f}" if isinstance(v, float) else v)

# %% [markdown]
r"""
The best of many depths is at least as good as any fixed depth on the same images, even by chance alone. So the depth for each image is chosen
without that image. *Depth of its family* is the depth that is best for the other images of its family; *one depth for all* is the depth that is best
for all other images. If the best depth differs between families, the first should be better.
"""

# %%
def left_out(values, groups):
    """The value (N,) of each image at the depth that is best for the others of its group."""
    found = np.full(len(values), np.nan)
    for i, group in enumerate(groups):
        others = (groups == group) & (np.arange(len(groups)) != i)
        if others.any():
            found[i] = values[i, values[others].mean(0).argmax()]
    return found


frames = []
for net, images in opened:
    values, of = each[net.name], np.array([family(c) for c in images.targets])
    depths = values[:, :-1]
    found = {
        "family_depth": left_out(depths, of), "common_depth": left_out(depths, np.zeros(len(of))),
        "cam": values[:, -2], "cam_superset": values[:, -1], "entity_depth": values[:, 0],
    }  # fmt: skip
    both = ~np.isnan(found["family_depth"])
    kept = images.subset(np.flatnonzero(both).tolist())
    frames.append(page.rows(net, kept, {(m, "max_box_acc_v2"): v[both] for m, v in found.items()}))
frame = pd.concat(frames, ignore_index=True)
report.cross(report.measured(frame), "title", "network")

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Appendix H")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**CAM in place of CALM.** Figure E shows maps of CALM, which need a CALM of ImageNet's classes, trained for days on a GPU. Here the class maps of
CAM are added up, as in the paper's rows *CAM + Y*.

**Paths.** A concept may have several hypernyms. Depth is counted along the first hypernym of each concept.

**SqueezeNet** has one channel per class before its last ReLU. These channels are its class maps.

**Families.** The paper shows examples and does not group them. Here every photograph is in one of the families of the table.
```
"""

# %%
page.departures()

# %%
page.provenance()
