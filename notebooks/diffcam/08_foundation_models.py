# %% [markdown]
r"""
# Networks without a classifier

A foundation model has learned features but no classes. Most class activation maps need a class score, so they have nothing
to explain there. DiffCAM {cite:p}`diffcam` needs only features, of the image and of reference images, and its abstract offers
it for such models.

This page takes the classifier away from networks that have one, and tests which methods still run and whether DiffCAM's map
changes. Then it compares DiffCAM, on a transformer that never had a classifier, with the two other maps that need none: raw
attention and rollout {cite:p}`rollout`. That transformer comes in an optional package.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import copy
import textwrap

import pandas as pd
import torch
from torch import nn

from book import Page, fewer, report
from lib.checks import NO_CLASS
from lib.evaluate import evaluate_maps
from lib.methods import METHODS
from lib.methods.attention import attends
from lib.methods.fisher import fisher_direction
from lib.metrics import METRICS
from lib.nets import Classifier
from lib.reference import ReferenceSet
from lib.saliency import explain, finish

page = Page("diffcam/08_foundation_models", globals())
page.protocol()

# %% [markdown]
r"""
## What is left without a classifier

The last module of each network is taken away, and the rest is cut at the same target layer. The network then returns features, and
asking it for a class score raises an error. Every method of this book is tried on one image.
"""

# %%
def without_classifier(net):
    """A copy of the network without its last module, the classifier; the network itself if it has no classes."""
    if not net.num_classes:
        return net
    model = copy.deepcopy(net.model)
    if hasattr(model, "reset_classifier"):  # timm's
        model.reset_classifier(0)
    else:
        *_, (name, _) = model.named_children()
        setattr(model, name, nn.Flatten())
        model.num_classes = 0
    settings = {name: value for name, value in net.settings.items() if name != "classes"}
    return Classifier(model, **settings).to(net.device, net.dtype)


NO_SCORE, NO_ATTENTION, RUNS = "there is no class score", "there is no attention", "makes a map"


def tried(net, images):
    """For each method, whether it makes a map of one image, or why not."""
    x, said = torch.stack([sample.image for sample in images]), {}
    for name, method in METHODS.items():
        given = {"reference": page.reference(net)} if "reference images" in method.needs else {}
        try:
            explain(name, net, x, **given)
            said[method.title] = RUNS
        except ValueError as why:
            reasons = {NO_SCORE: "need a class score", NO_ATTENTION: "read attention"}
            said[method.title] = next((short for short, part in reasons.items() if part in str(why)), str(why))
    return said


backbones = [(without_classifier(net), images.readable()) for net, images in page.opened]
for net, images in backbones:
    said = tried(net, images[:1])
    groups = {why: [name for name, what in said.items() if what == why] for why in dict.fromkeys(said.values())}
    print(f"{net.name} without its classifier: {', '.join(groups.pop(RUNS))} make a map.")
    for why, names in groups.items():
        print(textwrap.fill(f"{len(names)} methods {why}: {', '.join(names)}.", 90))

# %% [markdown]
r"""
The table compares DiffCAM's raw maps by the whole network and by the network without its classifier, image by image. The second row
of each network has references without labels, since the references of a foundation model may have none; then all references count as
images of other classes. *Change* is the size of the difference, as a share of the size of the map.
"""

# %%
def change(M, R):
    """The size (N,) of the change of each map, as a share of the map."""
    return (M - R).flatten(1).norm(dim=1) / M.flatten(1).norm(dim=1)


rows, frames = {}, []
for (whole, _), (net, images) in zip(page.opened, backbones):
    R, M = page.reference(net), page.maps(whole, images, "diff_cam", raw=True)
    unlabelled = {"reference": ReferenceSet(R.z, None, R.network)}
    for title, options in (("with labels", {}), ("without labels", unlabelled)):
        found = change(M, page.maps(net, images, "diff_cam", raw=True, **options))
        rows[net.name, title] = {
            "images": len(images), "median change": f"{found.median():.1e}", "largest change": f"{found.max():.1e}",
        }  # fmt: skip
        if not options:
            frames.append(page.rows(net, images, {("diff_cam", "relative_error"): found}))
pd.DataFrame(rows).T.rename_axis(index=["network", "references"])

# %% [markdown]
r"""
## Beside attention

A transformer's class token attends to the patches of the image, and this attention is a map that needs no classifier. *Raw attention*
is that of the last block; *rollout* follows the attention through all blocks. DiffCAM is compared with both on each transformer here,
by the three measures of [the page on localisation](03_localization): the energy in the boxes, the pointing game, and the IoU of a
region of a fifth of the image. Images whose boxes cover more than 80 % of the image are left out. The energy of Fake-CAM, which marks
everything, is the share of the image that the boxes cover.

The transformer without a classifier is a ViT-S with DINOv2's architecture {cite:p}`dinov2`. Its author trained it further to predict
where an image is salient, so its attention was taught what stands out.
"""

# %%
MEASURES = ["energy_pointing_game", "pointing_game", "region_iou"]
ATTENTION = ["raw_attention", "rollout"]
AT_MOST = 0.8


def boxed(images):
    """The images whose boxes leave room to miss."""
    return images.readable().having("boxes").covered(at_most=AT_MOST)


transformers = [(net, boxed(images)) for net, images in backbones if attends(net)]
if beside := page.beside("vit_s_focus", "imagenet_embedded", page.setting("backbone")):
    transformers.append((beside[0], boxed(beside[1])))
transformers = [(net, images) for net, images in transformers if len(images)]
if not transformers:
    print("Not run: there is no transformer with a class token here, or no image with a box.")
frame = page.evaluate(["diff_cam", *ATTENTION, "fake_cam"], MEASURES, transformers)
means = report.measured(frame)
if len(means):
    page.forest(
        means, *MEASURES,
        name="diffcam-without-classifier",
        title="Localisation without a classifier ("
        + "; ".join(f"{net.name}: {len(images)} images of {images.name}" for net, images in transformers) + ")",
        said="Fake-CAM has the energy "
        + " and ".join(f"{m:.0f} %" for m in means.query("method == 'fake_cam' and metric == 'energy_pointing_game'")["mean"]),
    )  # fmt: skip

# %%
for number, (net, images) in enumerate(transformers, 1):
    page.gallery(
        net, fewer(images, page.setting("shown")), ["diff_cam", *ATTENTION], boxes=True,
        name=f"diffcam-beside-attention-{number}",
        caption=f"Maps of DiffCAM, raw attention and rollout, {net.name} without a classifier, with the boxes of the objects.",
    )  # fmt: skip

# %% [markdown]
r"""
(class-token)=
## The mean over patches, or the class token

DiffCAM represents an image by the mean of its features over positions. A transformer has a class token for this purpose, and its patch
features can be of either sign. So the table also takes the direction from the class tokens: it tells the image's class token from those
of the other images in the table, and weights the patches as before. *Positive* is the share of the raw map that is above zero,
before the ReLU. A map that is positive nearly everywhere leaves nothing out.
"""

# %%
@torch.no_grad()
def tokens(net, images):
    """The patches A (N, K, h, w) of the target layer and its class token (N, K)."""
    found = [net.cut(x) for x, _ in page.batches(net, images)]
    return torch.cat([A.cpu() for A, _ in found]), torch.cat([prefix[:, 0].cpu() for _, (prefix, _) in found])


def by_class_token(net, images):
    """Raw maps (N, h, w), weighted by the direction that tells an image's class token from the others'."""
    A, z = tokens(net, images)
    c = torch.tensor([NO_CLASS if c is None else c for c in images.targets])
    others = (c[:, None] != c) | ((c == NO_CLASS) & ~torch.eye(len(c), dtype=torch.bool))
    return torch.einsum("nk,nkhw->nhw", fisher_direction(z, z, others), A)


rows = {}
for net, images in transformers:
    if len({*images.targets}) == 1 and images.targets[0] is not None:
        print(f"Not run on {net.name}: all images are of one class.")
        continue
    raw = {"mean over patches": page.maps(net, images, "diff_cam", raw=True), "class token": by_class_token(net, images)}
    S = {name: finish("diff_cam", M, images.size) for name, M in raw.items()}
    means = evaluate_maps(net, images, S, MEASURES).groupby(["method", "metric"])["value"].mean()
    for name, M in raw.items():
        cells = {METRICS[metric].heading: f"{100 * means[name, metric]:.1f}" for metric in MEASURES}
        rows[net.name, name] = cells | {"positive (%)": f"{100 * (M > 0).float().mean():.0f}"}
pd.DataFrame(rows).T.rename_axis(index=["network", "features of an image"]) if rows else None

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([*frames, frame], ignore_index=True), "Abstract")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Foundation models.** The paper's abstract names no foundation model, and the parts of the paper that are recomputed here print no
number for one. The claim that DiffCAM localises better is our reading of the abstract: better than the maps that such a network has
without DiffCAM.

**Taking the classifier away** leaves features that were learned with it.

**Target layer.** For a transformer it is the first LayerNorm of the last block, as for the other methods of this book.
```
"""

# %%
page.departures()

# %%
page.provenance()
