# %% [markdown]
"""
# Maps of other classes

A saliency map explains one class. The Opti-CAM paper {cite:p}`opticam` also computes maps for the most
probable, the second and the least probable class, and measures how well each map preserves the *true*
class (appendix C, table A9). If a method's map depends on the class, the map of another class should
preserve the true class less. The paper reports that Opti-CAM loses more than the other methods, most of all
on images that the network misclassifies. This page recomputes the table.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, best with labels; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 4  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch

from book import Page, fewer, report
from lib.data import spread
from lib.evaluate import evaluate_maps

page = Page("opticam/08_other_classes", globals(), limited=False)
page.protocol()

# %% [markdown]
"""
## Which images

Table A9 uses all images, and for its last columns only the misclassified ones, whose most probable class is not
the true class. For images without labels, the most probable class counts as the true one, so that no image is
misclassified.
"""

# %%
METHODS_OF_TABLE_A9 = ["grad_cam", "grad_cam_plus_plus", "score_cam", "opti_cam"]
METRICS_OF_TABLE_A9 = ["average_drop", "average_gain", "average_increase"]


@torch.no_grad()
def by_probability(net, images):
    """The classes (N, C) of each image, the most probable first."""
    logits = torch.cat([net(x).cpu() for x, _ in page.batches(net, images)])
    return logits.argsort(dim=1, descending=True)


def explained(net, images, order):
    """The images of each kind of row, and the class that is explained for each image, by the suffix of the rows."""
    true = torch.tensor(images.targets)
    all_of_them = spread(len(images), n_images or page.setting("chosen", net))
    few = [all_of_them[i] for i in spread(len(all_of_them), page.setting("of_other_classes", net))]
    errors = (order[:, 0] != true).nonzero().flatten().tolist()
    wrong = [errors[i] for i in spread(len(errors), page.setting("of_other_classes", net))]
    print(
        f"{net.name} classifies {1 - len(errors) / len(images):.1%} of {len(images):,} images correctly; used here: "
        f"{len(all_of_them)} for the true and the most probable class, {len(few)} for the other two, and "
        f"{len(wrong)} of the misclassified ones"
    )
    return {
        "": (all_of_them, true),
        "_most": (all_of_them, order[:, 0]),
        "_second": (few, order[:, 1]),
        "_least": (few, order[:, -1]),
        "_most_misclassified": (wrong, order[:, 0]),
    }


seen = [(net, images.readable()) for net, images in page.opened]
ranked = {net.name: by_probability(net, images) for net, images in seen}
parts = {net.name: explained(net, images, ranked[net.name]) for net, images in seen}
if not all(of["_most_misclassified"][0] for of in parts.values()):
    print("Not run: the rows of misclassified images, for a network that misclassifies none.")

# %% [markdown]
"""
## Table A9

AD, AG and AI are always those of the true class; the map is that of the class in the row's name.
"""

# %%
def measured(net, images, suffix, index, classes):
    """The rows of maps for these classes, judged by the true ones."""
    truth = images.subset(index)
    asked = truth.relabelled(classes[index].tolist())
    methods = page.methods(METHODS_OF_TABLE_A9, net)
    for some, these in page.by_cost(methods, net, truth) if index else []:
        maps = {m + suffix: page.maps(net, fewer(asked, len(these)), m) for m in some}
        yield evaluate_maps(net, these, maps, METRICS_OF_TABLE_A9, batch_size=batch_size).assign(
            architecture=net.architecture
        )


frame = pd.concat(
    [rows for net, images in seen for suffix, part in parts[net.name].items()
     for rows in measured(net, images, suffix, *part)], ignore_index=True
)  # fmt: skip
table = page.table("A9", frame)
table

# %%
gains = 100 * frame[frame["metric"] == "average_gain"].groupby(["network", "method"])["value"].mean()
words = [
    f"on {net.name} AG of Opti-CAM is {gains[net.name, 'opti_cam']:.0f} % for the true class, "
    f"{gains[net.name, 'opti_cam_second']:.0f} % for the second and {gains[net.name, 'opti_cam_least']:.0f} % for the "
    "least probable one"
    for net, _ in seen
]
page.forest(table.frame, name="opticam-table-a9", title="Opti-CAM, table A9,", printed="for ResNet-50 and ImageNet", said="; ".join(words))

# %% [markdown]
"""
## Do the claims hold?

The claim that Opti-CAM *suffers more* compares differences. For each image, a method's change is its value with the
map of another class minus its value with the map of the true class. The verdict compares Opti-CAM's change with
that of each rival. Where an image is classified correctly, its most probable class is the true class, and the change
is zero.
"""

# %% tags=["nbval-check-output"]
def changes(suffix):
    """Rows of the change that the map of another class makes, named <method><suffix>_change."""
    named = frame["method"].map(report.variant_of)
    other = frame[named.map(lambda label: label.variant) == suffix.strip("_")]
    own = frame.set_index(["network", "method", "image", "metric"])["value"]
    keys = zip(other["network"], named[other.index].map(lambda label: label.method), other["image"], other["metric"])
    return other.assign(method=other["method"] + "_change", value=other["value"] - own.reindex(keys).to_numpy())


page.verdicts(pd.concat([frame, *map(changes, ("_most", "_second", "_least"))]), "Table A9")

# %% [markdown]
"""
## What they look like
"""

# %%
net, images = seen[0]
order, few = ranked[net.name], fewer(images.subset(parts[net.name]["_second"][0]), page.setting("shown"))
ranks = order[[images.ids.index(name) for name in few.ids]]  # (n, C)
classes = {"true": torch.tensor(few.targets), "most probable": ranks[:, 0], "second": ranks[:, 1], "least": ranks[:, -1]}
names = images.classes or list(map(str, range(order.shape[1])))
titles = [" > ".join(names[c] for c in rank[[0, 1, -1]].tolist()) for rank in ranks]
maps = {title: page.maps(net, few.relabelled(of.tolist()), "opti_cam") for title, of in classes.items()}
page.gallery(
    net, few, maps, titles=titles, columns=5, name="opticam-other-classes",
    alt="Opti-CAM's maps for the true, most probable, second and least probable class. The most, second and "
    "least probable class of each image: " + "; ".join(titles) + ".",
    caption="Opti-CAM's maps for four classes. Above each image: its most, second and least probable class.",
)  # fmt: skip

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Maps.** Each map is computed for its class as usual, and then used as a mask for the true class. Nothing
else changes. For a correctly classified image, the true and the most probable class are the same, and so are
their maps.
```
"""

# %%
page.departures()

# %%
page.provenance()
