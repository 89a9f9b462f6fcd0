# %% [markdown]
"""
# Medical images

The Opti-CAM paper {cite:p}`opticam` also explains networks that classify medical images: chest radiographs with
and without pneumonia {cite:p}`chest_xray`, and endoscopic images of eight classes {cite:p}`kvasir` (appendix E,
tables A10 and A11). It claims the same as on ImageNet: Opti-CAM is near perfect in AD and AI, far above all
other methods in AG, and average in insertion and deletion. On radiographs, it claims, Opti-CAM and Score-CAM
are the only methods that capture the chest, while all others focus on the corners of the image (figure 2,
row 3).

No Python package carries either dataset. With the datasets at hand, the profile `paper` runs on them.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, with boxes for the lesions; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 32  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
step: int = 0  # pixels per step of insertion and deletion; 0: the profile's choice

# %%
import textwrap

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, report
from book.experiments import own_dataset
from lib import data
from lib.maps import upsample
from lib.metrics.localization import energy, energy_pointing_game

page = Page("opticam/10_medical", globals())
page.protocol()

# %% [markdown]
"""
## The images
"""

# %%
datasets = dict.fromkeys(experiment.dataset for experiment in page.experiments)
loaded = [data.load(name, root=page.root or None, limit=8, size=224).readable() for name in datasets]
sheet = [pair for images in loaded for pair in zip(images, images.labels)]
rows, bare = -(-len(sheet) // 4), {"frame_on": False, "xticks": [], "yticks": []}
figure, panels = plt.subplots(rows, 4, figsize=(6.4, 2 * rows), subplot_kw=bare)
for panel, (sample, title) in zip(panels.flat, sheet):
    report.draw(panel, report.in_colour(sample.image), textwrap.fill(title.replace("-", " "), 15))
    report.draw_boxes(panel, sample.boxes, edgecolor="#40e0d0", linewidth=1.5)
report.show(
    figure,
    name="opticam-medical-images",
    alt="Images, with their boxes where there are any, of " + ", ".join(dict.fromkeys(c for _, c in sheet)) + ".",
    caption="Some of the images, with their boxes where there are any. Shown at 224 pixels; "
    + ", ".join(f"{net.name} sees them at {' x '.join(map(str, images.size))}" for net, images in page.opened) + ".",
)

# %% [markdown]
"""
The next table describes the networks. For comparison, the paper's networks reach an accuracy of 82.0 % (ResNet-50)
and 83.2 % (VGG-16) on Chest X-ray, and of 89.8 % and 89.5 % on Kvasir.
"""

# %%
rows = {}
for experiment, (net, _) in zip(page.experiments, page.opened):
    accuracy = None if weights else experiment.test_accuracy(page.root)  # that of the recipe's weights
    rows[net.name] = {
        "trained on": own_dataset(experiment.network) or "–",
        "head is affine": "yes" if net.affine_head else "no",
        "test accuracy": "–" if accuracy is None else f"{100 * accuracy:.1f} %",
        "parameters": f"{sum(p.numel() for p in net.model.parameters()):,}",
    }
pd.DataFrame(rows).T

# %% [markdown]
r"""
## Table A10: classification metrics

AD, AG and AI are defined as on [the page on classification metrics](01_classification_metrics), for the true
class. Where a network ends in pooling and one linear layer, as residual networks do, Grad-CAM and XGrad-CAM give the
same map, as in the paper's ResNet-50 columns.
"""

# %%
METHODS_OF_TABLE_A10 = page.methods_of("A10")
frame = page.evaluate(METHODS_OF_TABLE_A10, ["average_drop", "average_gain", "average_increase"])
table = page.table("A10", frame)
table

# %%
KINDS = {"chest_xray": "radiographs", "kvasir": "endoscopy"}  # which of the two test beds is drawn for each
kinds = {net.name: KINDS.get(images.name, images.name) for net, images in page.opened}
for kind, rows in table.frame.groupby(table.frame["network"].map(kinds), sort=False):
    report.show(
        report.forest(rows),
        name=f"opticam-table-a10-{kind.replace('_', '-')}",
        alt=f"AD, AG and AI of each method on {kind}, here with 95 % intervals and as printed: "
        f"{report.leaders(rows, 'average_gain')}.",
        caption=f"Opti-CAM, table A10, as a picture, {kind}: filled markers are the means here with their 95 % "
        "intervals, hollow markers the paper's values for such networks, if any.",
    )

# %% [markdown]
"""
## Table A11: insertion and deletion

Defined as on [the page on insertion and deletion](02_insertion_deletion), for the predicted class.
"""

# %%
def metrics(net):
    pixels = step or page.pixels(page.setting("step"), net)
    return {m: (m, {"step": pixels}) for m in ("insertion", "deletion")}


ordered = page.evaluate(page.methods_of("A11"), metrics)
page.table("A11", ordered)

# %% [markdown]
"""
## Do the claims hold?

A network near chance has nothing to explain. The claims are therefore tested only where the network's mean
probability of the true class is well above chance.
"""

# %% tags=["nbval-check-output"]
def sure(net, images):
    """The network's probability of the true class of each image."""
    images = images.readable()
    with torch.no_grad():
        p = [net(x).softmax(1).gather(1, c[:, None]) for x, c in page.batches(net, images)]
    return page.rows(net, images, {("network", "probability"): torch.cat(p)[:, 0].tolist()})


gates = [sure(net, images) for net, images in page.opened]
page.verdicts(pd.concat([frame, ordered, *gates], ignore_index=True), "Table A10", "Table A11")

# %% [markdown]
"""
## What the maps look like

As in figure 2 of the paper, rows 3 and 4: images of each dataset, with their boxes outlined.
"""

# %%
SHOWN = [m for m in METHODS_OF_TABLE_A10 if m not in ("fake_cam", "extremal_perturbation")]


def boxed(images):
    """The images that have any box."""
    images = images.readable()
    return images.subset(i for i, s in enumerate(images) if s.boxes is not None and len(s.boxes))


for net, images in {images.name: (net, images) for net, images in page.opened}.values():  # the last of each
    marked = boxed(images) or images.readable()
    shown = marked.subset([*dict.fromkeys([len(marked) // 3, len(marked) - 1])][: page.setting("shown")])
    maps = {report.method_title(m): upsample(page.maps(net, shown, m), (224, 224)) for m in page.methods(SHOWN, net)}
    page.gallery(
        net, shown.at(224), maps, boxes=True, name=f"opticam-gallery-{images.name.replace('_', '-')}",
        caption=f"As Opti-CAM, figure 2: maps for the true class, {net.name}. Bright is salient; boxes, where there are any, are outlined.",
    )  # fmt: skip

# %% [markdown]
r"""
## Do the maps find the lesion?

This question goes beyond the paper. Boxes mark the lesion on some of the images. The energy-based pointing game
{cite:p}`score_cam` is the share of the map inside the boxes, on the images that have any. A uniform map
scores the share of the image that the boxes cover, as in Fake-CAM's row. Only a score above this is to a method's
credit.
"""

# %%
marked = [(net, some) for net, images in page.opened if len(some := boxed(images))]
if not marked:
    print("Not run: no image has a box.")
else:
    shares = report.measured(page.evaluate(METHODS_OF_TABLE_A10, ["energy_pointing_game"], marked))
    merit = shares.pivot(index="network", columns="method", values="mean").loc[shares["network"].unique()]
    words = [
        f"on {name} Opti-CAM {row['opti_cam']:.0f} %, the best other "
        f"{row.drop(['opti_cam', 'fake_cam']).max():.0f} %, a uniform map {row['fake_cam']:.0f} %"
        for name, row in merit.iterrows()
    ]
    report.show(
        report.forest(shares),
        name="opticam-lesions",
        alt="Share of each method's map in the boxes: " + "; ".join(words) + ".",
        caption="Share of the map inside the boxes, with 95 % intervals over the images that have any. Fake-CAM's "
        "share is that of the boxes in the image.",
    )

# %% [markdown]
"""
Do all methods except Opti-CAM and Score-CAM focus on the corners of the radiographs? The table has the share of
the map inside four corner squares, each a fifth of the image wide. A uniform map has 16 % there.
"""

# %%
def in_corners(net, images):
    """The share of each method's maps in the four corners (%)."""
    images, shares = images.readable(), {}
    ends = (torch.tensor([[0, 0.2], [0.8, 1]]) * images.size[0]).tolist()
    corners = torch.tensor([[x0, y0, x1, y1] for x0, x1 in ends for y0, y1 in ends])
    for m in page.methods(METHODS_OF_TABLE_A10, net):
        lies = energy(net, None, None, page.maps(net, images, m), boxes=[corners] * len(images))
        shares[report.method_title(m)] = round(100 * energy_pointing_game(lies).mean().item(), 1)
    return shares


films = {f"{net.name} (%)": in_corners(net, images) for net, images in page.opened if kinds[net.name] == "radiographs"}
pd.DataFrame(films) if films else print("Not run: the images are no radiographs.")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images.** The paper tests on 624 radiographs of children and 1,000 endoscopic images.

**Networks.** The paper fine-tunes ResNet-50 and VGG-16 with batch normalisation on each dataset. The profile
`paper` follows appendix E.2. It trains first the last layer (learning rate 0.001 on Chest X-ray; on Kvasir 0.0001 for
ResNet-50 and 0.005 for VGG-16), then the whole network for 50 epochs at 0.00001, by SGD with momentum 0.9. The appendix
does not say for how long the last layer is trained, nor the batch size: here 10 epochs and 32 images.

**Splits.** Kvasir has no splits, and the paper gives only their sizes. Here they are drawn with a fixed seed.

**Steps.** In the profile `paper`, insertion and deletion change 224 pixels per step, of images of 224 x 224.

**Masking.** For AD, AG and AI, masked pixels are black, as on [the page on classification
metrics](01_classification_metrics).
```
"""

# %%
page.departures()

# %%
page.provenance()
