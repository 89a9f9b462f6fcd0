# %% [markdown]
"""
# Maps of other classes

A map explains one class. What if it explained another? Opti-CAM {cite:p}`opticam` computes maps for the
most probable, the second and the least probable class, and measures how well each serves the *true*
class (appendix C, table A9). A method that explains its class should lose when the class is wrong: its
map then shows what speaks for something else. The paper reports that Opti-CAM loses more than the
others, most of all where the network errs.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, best with labels; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch

from book import Page, report
from lib.data import spread
from lib.evaluate import evaluate_maps

page = Page("opticam/08_other_classes", globals(), limited=False)
net, images = page.opened[0]
images = images.readable()
count = n_images or page.setting("chosen")
page.protocol()

# %% [markdown]
"""
## Which images

One half of table A9 takes all images, the other those that the network classifies wrongly. Without labels the
most probable class counts as the true one, and no image as wrong.
"""

# %%
with torch.no_grad():
    logits = torch.cat([net(x).cpu() for x, _ in page.batches(net, images)])  # (N, C)
order = logits.argsort(dim=1, descending=True)  # classes by falling probability
true = torch.tensor(images.targets)
errors = (order[:, 0] != true).nonzero().flatten().tolist()
chosen = spread(len(images), count)
wrong = [errors[i] for i in spread(len(errors), count)]
print(
    f"{net.name} is right on {1 - len(errors) / len(images):.1%} of {len(images):,} images; "
    f"used here: {len(chosen)} of all and {len(wrong)} of the wrong ones"
)
if not wrong:
    print("Not run: the rows of misclassified images, since there is none.")

# %% [markdown]
"""
## Table A9

AD, AG and AI always concern the true class; the map is that of the class in the row's name.
"""

# %%
METHODS_OF_TABLE_A9 = ["grad_cam", "grad_cam_plus_plus", "score_cam", "opti_cam"]
METRICS_OF_TABLE_A9 = ["average_drop", "average_gain", "average_increase"]
EXPLAINED = {  # by what the row's name adds: the images, and the class that is explained of each image
    "": (chosen, true),
    "_most": (chosen, order[:, 0]),
    "_second": (chosen, order[:, 1]),
    "_least": (chosen, order[:, -1]),
    "_most_misclassified": (wrong, order[:, 0]),
}


def maps_of(method, index, classes):
    """The maps S (N, H, W) of the images at an index, each for its class."""
    return page.maps(net, images.subset(index).relabelled(classes[index].tolist()), method)


frames = []
for suffix, (index, classes) in EXPLAINED.items():
    if index:
        maps = {m + suffix: maps_of(m, index, classes) for m in page.methods(METHODS_OF_TABLE_A9, net)}
        frames.append(evaluate_maps(net, images.subset(index), maps, METRICS_OF_TABLE_A9, batch_size=batch_size))
frame = pd.concat(frames, ignore_index=True).assign(architecture=net.architecture)
table = page.table("A9", frame)
table

# %%
gains = 100 * frame[frame["metric"] == "average_gain"].groupby("method")["value"].mean()
report.show(
    report.forest(table.frame),
    name="opticam-table-a9",
    alt="AD, AG and AI for the true class of maps of the true, most, second and least probable class. "
    f"AG of Opti-CAM is {gains['opti_cam']:.0f} % for the true class, {gains['opti_cam_second']:.0f} % for the "
    f"second and {gains['opti_cam_least']:.0f} % for the least probable one.",
    caption="Table A9 as a picture: filled markers are means here with 95 % intervals, hollow markers what "
    "the paper prints for ResNet-50 and ImageNet.",
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
    keys = ["method", "image", "metric"]
    parts = frame["method"].map(report.variant_of)
    other = frame[parts.map(lambda part: part.variant) == suffix.strip("_")]
    own = other[keys].assign(method=parts.map(lambda part: part.method)).merge(frame, on=keys)
    change = other["value"].to_numpy() - own["value"].to_numpy()
    return other.assign(method=other["method"] + "_change", value=change)


page.verdicts(pd.concat([frame, *map(changes, ("_most", "_second", "_least"))]), "Table A9")

# %% [markdown]
"""
## What they look like
"""

# %%
few = [chosen[i] for i in spread(len(chosen), page.setting("shown"))]
classes = {"true": true, "most probable": order[:, 0], "second": order[:, 1], "least probable": order[:, -1]}
names = images.classes or list(map(str, range(order.shape[1])))
titles = [" > ".join(names[c] for c in order[i, [0, 1, -1]].tolist()) for i in few]
page.gallery(
    net, images.subset(few), {title: maps_of("opti_cam", few, of) for title, of in classes.items()},
    titles=titles, columns=5, name="opticam-other-classes",
    alt="Opti-CAM's maps for the true, most probable, second and least probable class of images whose "
    "classes by falling probability are " + "; ".join(titles) + ".",
    caption="Opti-CAM's maps for four classes. Above each image: its most, second and least probable class.",
)  # fmt: skip

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Maps.** Each map is computed for its class as usual, then used as a mask for the true class. Nothing
else changes. For correctly classified images the true and the most probable class are one, and so are
their maps.
```
"""

# %%
page.departures()

# %%
page.provenance()
