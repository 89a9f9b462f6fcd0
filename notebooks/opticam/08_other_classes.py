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
# Maps of other classes

A map explains one class. What if it explained another? Opti-CAM {cite:p}`opticam` computes maps for the
most probable, the second and the least probable class, and measures how well each serves the *true*
class (appendix C, table A9). A method that explains its class should lose when the class is wrong: its
map then shows what speaks for something else. The paper reports that Opti-CAM loses more than the
others, most of all where the network errs.

Here the network is a small VGG trained in this build on [drawn scenes](real), a test bed: each scene has a main
object, whose shape is its class, and smaller ones of other classes. The second class is therefore often
really there.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, scenes_vgg; empty: the profile's network
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # scenes, imagenet_embedded, imagenet, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch

from book import report
from lib import data, nets
from book.experiments import settings
from lib.evaluate import evaluate_maps, saliency_maps
from book.parameters import check_parameters, choose
from lib.paths import BUILD

check_parameters()
name = network or choose(profile, smoke="scenes_vgg_quick", embedded="scenes_vgg", paper="torchvision:resnet50")
net = nets.load(name, weights=weights or None, layer=layer or None, device=device)
whole = data.load(
    dataset or choose(profile, smoke="scenes", embedded="scenes", paper="imagenet"),
    root=root or None,
    limit=choose(profile, smoke=10, embedded=None, paper=None),
    size=net.input_size,
).readable()
count = n_images or choose(profile, smoke=2, embedded=30, paper=len(whole))
store = BUILD / "results"

# %% [markdown]
"""
## Which images

One half of table A9 takes all images, the other those that the network classifies wrongly.
"""

# %%
def logits(images):
    """(N, C)."""
    found = []
    for start in range(0, len(images), batch_size):
        x = torch.stack([sample.image for sample in images[start : start + batch_size]])
        with torch.no_grad():
            found.append(net(x).cpu())
    return torch.cat(found)


def spread(index):
    """At most `count` of them, evenly."""
    return [index[i] for i in data.spread(len(index), count)]


order = logits(whole).argsort(dim=1, descending=True)  # (N, C): classes by falling probability
true = torch.tensor(whole.targets)
wrong = (order[:, 0] != true).nonzero().flatten().tolist()
chosen = {"all": spread(range(len(whole))), "wrong": spread(wrong)}
print(
    f"{net.name} is right on {1 - len(wrong) / len(whole):.1%} of {len(whole):,} images; "
    f"used here: {len(chosen['all'])} of all and {len(chosen['wrong'])} of the wrong ones"
)

# %% [markdown]
"""
## Table A9

AD, AG and AI always concern the true class; the map is that of the class in the row's name.
"""

# %%
METHODS_OF_TABLE_A9 = ["grad_cam", "grad_cam_plus_plus", "score_cam", "opti_cam"]
OPTIONS = settings(profile)
CLASSES = {
    "": ("all", lambda i: int(true[i])),
    "_most": ("all", lambda i: int(order[i, 0])),
    "_second": ("all", lambda i: int(order[i, 1])),
    "_least": ("all", lambda i: int(order[i, -1])),
    "_most_misclassified": ("wrong", lambda i: int(order[i, 0])),
}
CLASSES = {suffix: chosen_by for suffix, chosen_by in CLASSES.items() if chosen[chosen_by[0]]}


def maps_of(method, suffix):
    """The images, and the maps S (N, H, W) for the class that the suffix names."""
    index, class_of = chosen[CLASSES[suffix][0]], CLASSES[suffix][1]
    images = whole.subset(index)
    explained = images.relabelled(map(class_of, index))
    return images, saliency_maps(
        net, explained, method, batch_size=batch_size, store=store, **OPTIONS.get(method, {})
    )


frames = []
for suffix in CLASSES:
    for method in METHODS_OF_TABLE_A9:
        images, S = maps_of(method, suffix)
        frames.append(
            evaluate_maps(
                net, images, {method + suffix: S}, ["average_drop", "average_gain", "average_increase"],
                batch_size=batch_size,
            )  # fmt: skip
        )
frame = pd.concat(frames, ignore_index=True)
table = report.comparison("opticam", "A9", frame)
table

# %%
gains = frame[frame["metric"] == "average_gain"].groupby("method")["value"].mean()
report.show(
    report.forest(table.frame),
    name="opticam-table-a9",
    alt="AD, AG and AI for the true class of maps of the true, most, second and least probable class. "
    f"AG of Opti-CAM falls from {gains['opti_cam']:.0%} for the true class to {gains['opti_cam_second']:.0%} for "
    f"the second and {gains['opti_cam_least']:.0%} for the least probable one.".replace("%", " %"),
    caption="Table A9 as a picture: filled markers are means here with 95 % intervals, hollow markers what the paper "
    "prints for ResNet-50 and ImageNet.",
)

# %% [markdown]
"""
## Do the claims hold?

To *suffer more* is a difference of differences: what a method loses with the map of another class, against
what its rivals lose. Image by image, the value with that map minus the value with the true class's map.
"""

# %% tags=["nbval-check-output"]
def changes(suffix):
    """Rows of what the map of another class changes, named <method><suffix>_change."""
    keys = ["image", "metric"]
    other = frame[frame["method"].str.endswith(suffix)]
    base = other["method"].str.removesuffix(suffix)
    true_map = frame.set_index(["method", *keys])["value"]
    before = true_map.loc[list(zip(base, other["image"], other["metric"]))].to_numpy()
    return other.assign(method=other["method"] + "_change", value=other["value"].to_numpy() - before)


others = [suffix for suffix in CLASSES if suffix in ("_most", "_second", "_least")]
report.claims_table(report.claims("opticam", "Table A9"), pd.concat([frame, *map(changes, others)]))

# %% [markdown]
"""
## What they look like
"""

# %%
few = choose(profile, smoke=1, embedded=3, paper=3)
picked = [len(chosen["all"]) * i // few for i in range(few)]
images = maps_of("opti_cam", "")[0].subset(picked)
named = ["true", "most probable", "second", "least probable"]
shown = {
    title: maps_of("opti_cam", suffix)[1][picked]
    for title, suffix in zip(named, ("", "_most", "_second", "_least"))
}
titles = [
    " > ".join(
        images.classes[c] if images.classes else str(c)
        for c in order[chosen["all"][i]][[0, 1, -1]].tolist()
    )
    for i in picked
]
report.show(
    report.gallery([sample.image for sample in images], shown, titles, columns=5),
    name="opticam-other-classes",
    alt="Opti-CAM's maps for the true, most probable, second and least probable class of images whose classes by "
    "falling probability are " + "; ".join(titles) + ".",
    caption="Opti-CAM's maps for four classes. Above each image: its most, second and least probable class.",
)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Network and images.** A test bed stands for ResNet-50 and ImageNet; the profile `paper` restores them.
With few classes, the least probable one is often the class of a small object in the scene, or of none.

**Maps.** Each map is computed for its class as usual, then used as a mask for the true class. Nothing
else changes. For correctly classified images the true and the most probable class are one, and so are
their maps.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
