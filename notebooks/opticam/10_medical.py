# %% [markdown]
"""
# Medical images

Who reads a radiograph with the help of a network wants to see what the network saw. Opti-CAM
{cite:p}`opticam` is therefore also tried on chest radiographs with and without pneumonia
{cite:p}`chest_xray` and on endoscopic images of eight classes {cite:p}`kvasir` (appendix E, tables A10
and A11). The paper claims the same as on ImageNet: AD and AI near perfect, AG far above that of all others,
insertion and deletion average. And on radiographs, it says, Opti-CAM and Score-CAM are the only ones that
capture the chest, while all others look at the corners of the image (figure 2, row 3).

Neither dataset comes in a package. This page draws its own: a test bed of radiographs and one of
endoscopy, with networks that are trained on them in the build. They are not images of people, and a number
here says nothing of patients. They have what the real ones lack: where the lesion is, to the pixel. Whoever
has the real ones runs the profile `paper`.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 32  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
step: int = 0  # pixels a step of insertion and deletion; 0: the profile's choice

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

# %% [markdown]
"""
## The images

A radiograph is drawn as X-rays make it: body, air, ribs, spine, heart and vessels each add density, and so do
the opacities of pneumonia, one to four inside the lungs. An endoscopic image is a wall that is lit from
the instrument, with folds, vessels, wet highlights and a dark lumen, and what makes its class: a polyp, a blue
cushion of dye beneath it, the wound where it was cut off, erosions, inflamed patches, or a landmark.
"""

# %%
datasets = dict.fromkeys(experiment.dataset for experiment in page.experiments)
loaded = [data.load(name, root=root or None, limit=8, size=224) for name in datasets]
sheet = [pair for images in loaded for pair in zip(images, images.labels)]
rows, bare = -(-len(sheet) // 4), {"frame_on": False, "xticks": [], "yticks": []}
figure, panels = plt.subplots(rows, 4, figsize=(6.4, 2 * rows), subplot_kw=bare)
for panel, (sample, title) in zip(panels.flat, sheet):
    report.draw(panel, report.in_colour(sample.image), textwrap.fill(title.replace("-", " "), 15))
    report.draw_boxes(panel, sample.boxes, edgecolor="#40e0d0", linewidth=1.5)
report.show(
    figure,
    name="opticam-medical-images",
    alt="Test images, with a box around each lesion, of " + ", ".join(dict.fromkeys(c for _, c in sheet)) + ".",
    caption="Test images, with a box around each lesion where they are known. Shown at 224 pixels; the small "
    "networks see the same scenes at 64.",
)

# %% [markdown]
"""
The networks. The paper reaches 82.0 % (ResNet-50) and 83.2 % (VGG-16) on Chest X-ray, 89.8 % and 89.5 % on
Kvasir.
"""

# %%
rows = {}
for experiment, (net, _) in zip(page.experiments, page.opened):
    accuracy = None if weights else experiment.test_accuracy(root)  # that of the recipe's weights
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

AD, AG and AI as on [the first page](01_classification_metrics), for the true class. A residual network ends
in pooling and one linear layer, so that Grad-CAM and XGrad-CAM are one map, as in the paper's ResNet-50
columns.
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
        name=f"opticam-table-a10-{kind}",
        alt=f"AD, AG and AI of each method on {kind}, here with 95 % intervals and as printed: "
        f"{report.leaders(rows, 'average_gain')}.",
        caption=f"Table A10 as a picture, {kind}: filled markers are the test images here with their 95 % "
        "intervals, hollow markers what the paper prints.",
    )

# %% [markdown]
"""
## Table A11: insertion and deletion

As on [the second page](02_insertion_deletion), for the predicted class.
"""

# %%
METRICS_OF_TABLE_A11 = {m: (m, {"step": page.setting("step")}) for m in ("insertion", "deletion")}
ordered = page.evaluate(page.methods_of("A11"), METRICS_OF_TABLE_A11)
page.table("A11", ordered)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([frame, ordered], ignore_index=True), "Table A10", "Table A11")

# %% [markdown]
"""
## What the maps look like

As in figure 2 of the paper, rows 3 and 4: two images of each dataset, the boxes of their lesions outlined.
"""

# %%
SHOWN = [m for m in METHODS_OF_TABLE_A10 if m not in ("fake_cam", "extremal_perturbation")]


def with_lesions(images):
    """The images that have any."""
    return images.subset(i for i, s in enumerate(images) if s.boxes is not None and len(s.boxes))


for net, images in {images.name: (net, images) for net, images in page.opened}.values():  # the last of each
    images = images.readable()
    marked = with_lesions(images) or images
    shown = marked.subset([len(marked) // 3, len(marked) - 1][: page.setting("shown")])
    maps = {report.method_title(m): upsample(page.maps(net, shown, m), (224, 224)) for m in SHOWN}
    page.gallery(
        net, shown.at(224), maps, boxes=True, name=f"opticam-gallery-{images.name.replace('_', '-')}",
        caption=f"Maps for the true class, {net.name}. Bright is salient; the boxes are those of the lesions.",
    )  # fmt: skip

# %% [markdown]
r"""
## Do the maps find the lesion?

Beyond the paper, since here it is known where the lesion is. The energy-based pointing game
{cite:p}`score_cam` is the share of the map that lies in the boxes, on the images that have any. A uniform map
scores the area of the boxes, which is Fake-CAM's row: only what is above that is a method's merit.
"""

# %%
marked = [(net, some) for net, images in page.opened if len(some := with_lesions(images.readable()))]
if marked:
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
        alt="Share of each method's map in the boxes of the lesions: " + "; ".join(words) + ".",
        caption="Share of the map in the boxes of the lesions, with 95 % intervals over the images that have "
        "any. Fake-CAM's is the area of the boxes.",
    )

# %% [markdown]
"""
And do all methods but Opti-CAM and Score-CAM look at the corners of the radiographs? The share of the map in
four corner squares, each a fifth of the image wide; a uniform map has 16 % there.
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


films = [(net, images) for net, images in page.opened if kinds[net.name] == "radiographs"]
pd.DataFrame({f"{net.name} (%)": in_corners(net, images) for net, images in films})

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images.** The paper has 624 radiographs of children and 1,000 endoscopic images for testing. The embedded
profile has 30 drawn images a network: a test bed, made for this book. What transfers is what a method does to
a network that tells such classes from small soft shadows or from texture and colour; what does not transfer
is any number on patients, the networks' accuracy, and the shortcuts that real data offer, such as marks and
borders that go with one hospital.

**Networks.** The paper fine-tunes ResNet-50 and VGG-16 with batch normalisation on each dataset; here a VGG of
five convolutions learns the radiographs, and a residual network of three blocks the endoscopy, from nothing, on
64 x 64 pixels, in seconds. `network="radiographs_resnet"` and `"endoscopy_vgg"` are the other two. The profile
`paper` does what
appendix E.2 says: the last layer first (learning rate 0.001 on Chest X-ray; on Kvasir 0.0001 for ResNet-50 and 0.005
for VGG-16), then everything, for 50 epochs at 0.00001, by SGD with momentum 0.9. It does not say for how long the
last layer is trained, nor the batch size: 10 epochs and 32 images here.

**Splits.** Kvasir has none; the paper gives only their sizes. Ours are drawn with a fixed seed.

**Steps.** Insertion and deletion change 256 of 4,096 pixels a step in the embedded profile, 16 steps, and 224 a
step on the real datasets. Masked is black for AD, AG and AI, as on the first page. ExPerturbation
runs on the residual network only in the embedded profile, as briefly as on
[the first page](01_classification_metrics).

**Bounding boxes.** The boxes of a test image are exact; a lesion's mask ends where it has half its density.
```
"""

# %%
page.provenance()
