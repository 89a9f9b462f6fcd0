# %% [markdown]
r"""
# Where the cue is, and where the object is

Figures B, C and D of CALM's supplement {cite:p}`calm` show maps for the class of the image, on birds, OpenImages and ImageNet. A map of CALM is
not made to cover the object: it shows where the network finds the cue of the class. The sum of the maps over a superset $\mathcal{Y}$ of classes
whose objects have the same structure is made to cover it, since each class has its cue elsewhere. If every superset is a single class, as in
OpenImages, the sum changes nothing.

This page shows such maps on drawn birds with their boxes, on drawn scenes with their masks, and on photographs, and measures
how well they cover the object.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a network whose head pools, such as torchvision:resnet50; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import time

import pandas as pd
import torch

from book import Page, report
from book.localisation import SUPERSET, localising_maps
from lib.annotated_supersets import supersets
from lib.data import DATASETS
from lib.evaluate import COLUMNS, evaluate_maps
from lib.methods.calm import has_latent_position

page = Page("calm/03_attribution_maps", globals(), needs=["class maps or a latent position"])
page.protocol()

# %% [markdown]
r"""
## The maps

$$
s^y_z = p(y, z|x), \qquad s^{\mathcal{Y}}_z = \sum_{y \in \mathcal{Y}} p(y, z|x),
$$

for CALM, trained by EM or by ML. For CAM, $s^y = f_y$, and $s^{\mathcal{Y}}$ is the sum of the $f_y$, each divided by its range. All birds are one superset, as
all species of CUB-200-2011 are. Each class of the scenes is its own superset. ImageNet's classes have the supersets of [table A](05_supersets).
"""

# %%
maps, seen = {}, {}  # by dataset, and of photographs by network: S by label, and a network with the images
for net, images in page.opened:
    images = images.readable()
    found = localising_maps(page, net, images, page.setting("label", net))
    of_photographs = DATASETS[images.name]["depicts"] == "photographs"
    key = images.name, net.name if of_photographs else ""
    maps.setdefault(key, {}).update(found)
    seen[key] = net, images


def gallery(key, name, caption, boxes):
    """The maps of a few images, with the object's boxes or mask."""
    _, images = seen[key]
    step = max(1, len(images) // page.setting("shown"))
    index = list(range(step // 2, len(images), step))[: page.setting("shown")]
    few = images.subset(index)
    S = {report.method_title(label): of[index] for label, of in maps[key].items()}
    figure = report.gallery([s.image for s in few], S, few.labels, columns=min(4, 1 + len(S)))
    for block, sample in zip(figure.subfigs, few):
        for panel in block.axes[: 1 + len(S)]:
            if boxes or sample.mask is None:
                report.draw_boxes(panel, sample.boxes, edgecolor="#40e0d0", linewidth=1.5)
            else:
                report.outline(panel, sample.mask)
    alt = f"Maps of {', '.join(S)} for {', '.join(few.labels)}."
    report.show(figure, name=name, alt=alt, caption=caption)


def of_kind(kind):
    """The sets of maps of one kind of images; prints a line if there are none."""
    found = [key for key in maps if key[0] in kind]
    if not found:
        print(f"Not run: no {kind[0].removeprefix('wsol_')} are among the images of this page.")
    return found


# %% [markdown]
"""
## Figure B: birds
"""

# %%
BIRDS = ("wsol_birds", "birds", "wsol_cub", "cub")
for key in of_kind(BIRDS):
    gallery(key, "calm-figure-b", "As CALM, figure B, on drawn birds, with their boxes. The maps over the superset are sums over all species.", True)

# %% [markdown]
"""
## Figure C: scenes

The class of a scene is the shape of its largest object. No two classes share a structure, so every superset is a single class.
"""

# %%
SCENES = ("wsol_scenes", "scenes", "wsol_openimages")
for key in of_kind(SCENES):
    gallery(key, "calm-figure-c", "As CALM, figure C, on drawn scenes, with the outline of the object's mask.", False)

# %% [markdown]
"""
## Figure D: photographs
"""

# %%
PHOTOGRAPHS = ("photographs", "imagenet_embedded", "imagenet", "wsol_imagenet", "folder")
for number, key in enumerate(of_kind(PHOTOGRAPHS), 1):
    gallery(
        key, f"calm-figure-d-{number}",
        f"As CALM, figure D: CAM of {key[1]}, of the class alone and over the supersets of table A, with the boxes of the photographs.", True,
    )  # fmt: skip

# %% [markdown]
r"""
The book has no CALM of ImageNet's classes. The paper trains its network on 1.28 million images. The next table estimates what it would cost here to train
only $g$ and $h$ on fixed features: the time to compute the features of every training image once, and the space to keep them.
"""

# %%
@torch.no_grad()
def seconds_an_image(net, images):
    """The seconds per image of computing the features, at batch size one."""
    x, _ = next(page.batches(net, images[:1]))
    net.cut(x)
    start = time.perf_counter()
    for _ in range(3):
        net.cut(x)
    return (time.perf_counter() - start) / 3


TRAINING = 1_281_167  # images of ImageNet
cost = {}
for net, images in page.opened:
    if images.name in PHOTOGRAPHS and not has_latent_position(net):
        A, _ = net.cut(next(page.batches(net, images.readable(1)))[0])
        cost[net.name] = {
            "features, hours of this machine": f"{TRAINING * seconds_an_image(net, images.readable(1)) / 3600:.0f}",
            "features, GB in half precision": f"{TRAINING * A[0].numel() * 2 / 1e9:,.0f}",
        }  # fmt: skip
print("Not run: a CALM on photographs of ImageNet's classes needs its training images." if cost else "")
pd.DataFrame(cost).T

# %% [markdown]
r"""
For images in a folder with one subfolder per class, `python -m lib train` trains a CALM; see the README.

## How well they cover the object

*PxAP* is the area under the curve of precision and recall of the pixels of all images together, over all thresholds. *MaxBoxAccV2* tests whether the box
of a connected part of the map fits a box of the object, at the threshold that is best for the data set {cite:p}`wsol`. Pixels where something hides the
object count neither as object nor as background.
"""

# %%
frames = {}
for (name, network), S in maps.items():
    net, images = seen[name, network]
    metrics = [m for m, needed in (("max_box_acc_v2", "boxes"), ("pxap", "mask")) if len(images.having(needed)) == len(images)]
    if not metrics:
        print(f"Not run: the images of {name} have neither boxes nor masks.")
        continue
    frame = evaluate_maps(net, images, S, metrics).assign(network=network or DATASETS[name]["title"].partition(",")[0])
    frames[name, network] = frame
frame = pd.concat([pd.DataFrame(columns=COLUMNS), *frames.values()], ignore_index=True)
report.cross(report.measured(frame), ["network", "title"], "metric") if len(frame) else None

# %% [markdown]
"""
The next table shows how much of the image each map marks: the share of its values that are above half of its maximum.
"""

# %%
rows = {
    (DATASETS[name]["title"].partition(",")[0], report.method_title(label)): f"{100 * (S > 0.5).double().mean():.1f}"
    for (name, network), of in maps.items() if not network for label, S in of.items()
}  # fmt: skip
pd.Series(rows, dtype=object).rename("above half (%)").to_frame()

# %% [markdown]
r"""
## Singletons

If every superset is a single class, the map over the superset must be the map of the class.
"""

# %%
same = []
for key in of_kind(SCENES):
    net, images = seen[key]
    alone = all(len(superset) == 1 for superset in supersets(net, images))
    errors = {
        (label, "relative_error"): (S - maps[key][label.removesuffix(SUPERSET)]).abs().amax((1, 2))
        for label, S in maps[key].items() if label.endswith(SUPERSET) and label.startswith("calm")
    }  # fmt: skip
    print(f"{len(images)} images, every class alone: {'yes' if alone else 'no'}; largest difference: "
          + ", ".join(f"{report.method_title(m)} {e.max():.0e}" for (m, _), e in errors.items()))  # fmt: skip
    same.append(page.rows(net, images, errors))

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
birds = [of for (name, _), of in frames.items() if name in BIRDS]
page.verdicts(pd.concat(birds) if birds else frame, "Figure B", "Figure D")

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(same) if same else frame[:0], "Figure C")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Drawn birds and scenes** stand in for CUB-200-2011 and OpenImages, whose annotations no package carries.

**The grid.** The networks have a grid of 16 x 16 for images of 64 x 64 pixels; the paper's network has 28 x 28 for 224 x 224.

**Boxes of the scenes** are those of their masks.

**SqueezeNet's** class maps are the channels before its last ReLU.
```
"""

# %%
page.departures()

# %%
page.provenance()
