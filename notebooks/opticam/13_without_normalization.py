# ---
# jupyter:
#   jupytext:
#     cell_markers: '"""'
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
"""
# Without input normalisation

Networks are trained on images whose channels are shifted to zero mean and scaled to unit deviation, and are
meant to be used so. Opti-CAM {cite:p}`opticam` could not reproduce published AD and AI of earlier methods
until it left this step out, and suspects that others had (appendix H). With normalisation, it says, all
results improve dramatically. Table A14 repeats table 1 without it.

This page gives a network images in $[0, 1]$ as they are, on photographs and on drawn scenes, and asks two
things: is every method better with normalised input, and does Opti-CAM's lead survive?
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, scenes_vgg; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # imagenet_embedded, imagenet, scenes, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch

from book import report
from book.experiments import COSINE_25, Case, settings
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from book.parameters import check_parameters, choose
from lib.paths import BUILD

check_parameters()
LITE = "tf_efficientnet_lite0"
CASES = [Case(network, dataset or "imagenet", layer, n_images or None)] if network else choose(
    profile,
    smoke=[Case(LITE, dataset or "imagenet_embedded", n=n_images or 2)],
    embedded=[
        Case(LITE, dataset or "imagenet_embedded", n=n_images or 10),
        Case("scenes_vgg", "scenes", n=n_images or 30),
    ],
    paper=[Case(name, dataset or "imagenet", layer, n_images or None) for name in ("torchvision:resnet50", "torchvision:vgg16_bn")],
)
store = BUILD / "results"


def options(net, method):
    """Photographs take Opti-CAM seconds each; the embedded profile saves iterations on them."""
    return settings(profile, schedule=COSINE_25 if net.input_size > 100 else None).get(method, {})

# %% [markdown]
"""
## Table A14

What the network classifies correctly, with and without:
"""

# %%
def opened(case, normalize):
    return case.open(weights=weights, root=root, device=device, normalize=normalize)


def accuracy(net, images):
    with torch.no_grad():
        right = [int(net(sample.image[None]).argmax()) == sample.target for sample in images.readable()]
    return f"{sum(right)} of {len(right)}"


counted = {
    opened(case, True)[0].name: {
        label: accuracy(*opened(case, normalize)) for label, normalize in (("normalised", True), ("as it is", False))
    }
    for case in CASES
}
pd.DataFrame(counted).T

# %% [markdown]
"""
And the table, every map and every mask on the network without normalisation:
"""

# %%
METHODS_OF_TABLE_A14 = [
    "fake_cam", "grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam", "layer_cam",
    "opti_cam",
]  # fmt: skip
METRICS_OF_TABLE_A14 = ["average_drop", "average_gain", "average_increase"]


def measured(case, normalize):
    """Score-CAM's pass a channel is left out on photographs, except in the published setting."""
    net, images = opened(case, normalize)
    spared = {"score_cam"} if net.input_size > 100 and profile != "paper" else set()
    methods = {m: (m, options(net, m)) for m in METHODS_OF_TABLE_A14 if m not in spared}
    return evaluate(net, images, methods, METRICS_OF_TABLE_A14, batch_size=batch_size, store=store)


without = pd.concat([measured(case, False) for case in CASES], ignore_index=True)
for row in without.dropna(subset="error").drop_duplicates("image").itertuples():
    print(f"left out: {row.image}: {row.error}")
table = report.comparison("opticam", "A14", without)
table

# %%
gains = table.frame.query("metric == 'average_gain' and n > 0 and method != 'fake_cam'").groupby("network", sort=False)
report.show(
    report.forest(table.frame),
    name="opticam-table-a14",
    alt="AD, AG and AI of each method on networks without input normalisation: "
    + "; ".join(f"on {name} the highest AG is {rows.loc[rows['mean'].idxmax(), 'title']}'s, {rows['mean'].max():.0f} %" for name, rows in gains)
    + ".",
    caption="Table A14 as a picture: filled markers are means here with 95 % intervals, hollow markers what the paper "
    "prints for ImageNet.",
)

# %% [markdown]
"""
## Do the claims hold?

Each method on the same images with normalised input, against its maps without (*unnormalized*). Where the
accuracies above show that a network no longer works, the probability of the true class has little left to
lose, and AD says little: read its rows with that in mind.
"""

# %% tags=["nbval-check-output"]
both = pd.concat(
    [
        without.assign(method=without["method"] + "_unnormalized"),
        *(measured(case, True) for case in CASES),
    ],
    ignore_index=True,
)
report.claims_table(report.claims("opticam", "Table A14"), both)

# %% [markdown]
"""
## What the maps look like
"""

# %%
case = CASES[0]
maps = {}
for normalize, suffix in ((True, ""), (False, ", as it is")):
    net, images = opened(case, normalize)
    shown = images.readable(choose(profile, smoke=1, embedded=3, paper=3))
    for method in ("grad_cam", "opti_cam"):
        found = saliency_maps(net, shown, method, batch_size=batch_size, store=store, **options(net, method))
        maps[METHODS[method].title + suffix] = found
named = shown.labels
report.show(
    report.gallery([s.image for s in shown], maps, named, columns=5),
    name="opticam-unnormalized",
    alt="Maps of Grad-CAM and Opti-CAM with and without input normalisation for " + ", ".join(named) + ".",
    caption=f"The same photographs and weights, with normalised input and with images as they are; {net.name}.",
)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Networks and images.** EfficientNet-Lite0 on ten photographs, and a VGG-style network on thirty drawn scenes, a
test bed; the profile `paper` restores the published setting. Score-CAM runs on the scenes only. On photographs
Opti-CAM runs 25 iterations with cosine decay from a learning rate of 1.0, with normalised input and without, in
place of 100 at 0.1.

**How far off the input is.** EfficientNet-Lite expects $(x - 0.5) / 0.5$, the paper's networks channel means near
0.45 and deviations near 0.23, the drawn scenes' network $(x - 0.5) / 0.25$. Left out, the input of each is
shifted and shrunk by its own amount, so how much is lost depends on the network.

**Masking.** Masked is black. Without normalisation black is zero to the network; with it, black is the
lowest value that it ever sees.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
