# %% [markdown]
"""
# Transformers

A vision transformer {cite:p}`vit` cuts its image into patches, and a class token gathers information from
them by attention. Three methods make a saliency map of this attention: *raw attention*,
*rollout* {cite:p}`rollout` and *TIBAV* {cite:p}`tibav`. Opti-CAM {cite:p}`opticam` needs no attention: it
arranges the patch tokens in a grid and weights their channels as it does those of a convolutional network. The
paper claims that Opti-CAM outperforms all other methods by far on transformers, with near-zero AD and an AI
above 80 % (section 5.3.1, table 2). On insertion and deletion, it claims, TIBAV leads (section 5.3.2, table 3).

The paper explains a ViT and a DeiT {cite:p}`deit`. This page recomputes table 2 and the transformers'
columns of table 3. It also measures how far maps depend on the class, and what a black background, such as
that of a handwritten digit {cite:p}`mnist`, does to the metrics. [The page on localisation](07_localization)
recomputes table A8: how well the maps of transformers find objects.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # one with a class token: a timm name, torchvision:<name>, mnist_vit; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights, or trained here
layer: str = ""  # target layer; empty: the first LayerNorm of the last block
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
step: int = 0  # pixels per step of insertion and deletion; 0: the profile's choice, 224 in the paper

# %%
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.evaluate import evaluate_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.saliency import finish, mask

page = Page("opticam/03_transformers", globals(), needs=["a class token"])
for net, _ in page.opened:
    accuracy = None if weights else page.experiment(net).test_accuracy(page.root)
    if accuracy is not None:
        print(f"{net.name} classifies {100 * accuracy:.1f} % of its own test images correctly")
page.protocol()

# %% [markdown]
"""
## Maps from attention

Block $l$ mixes $N$ tokens by the attention of its heads,
$A^{(l)} = \mathrm{softmax}(Q K^\top / \sqrt d)$. This is an $N \times N$ matrix; its first row holds the weights
by which the class token gathers the other tokens. With $\mathbb{E}_h$ the mean over heads and $L$ the last block,

$$
\begin{aligned}
S_{\text{raw}} &= \mathbb{E}_h A^{(L)}, \\
S_{\text{rollout}} &= \hat A^{(L)} \cdots \hat A^{(1)},
  & \hat A^{(l)} &= \tfrac12 \big(\mathbb{E}_h A^{(l)} + I\big), \\
S^c_{\text{TIBAV}} &= \bar A^{(L)} \cdots \bar A^{(1)},
  & \bar A^{(l)} &= I + \mathbb{E}_h \big(\nabla^c A^{(l)} \odot R^{c,(l)}\big)^+ ,
\end{aligned}
$$

and each map is the first row of its matrix, over the patches. The identity $I$ stands for the skip connection.
$\nabla^c A$ is the gradient of the logit of class $c$, and $R^c$ is the relevance of each entry of $A$, propagated
from that logit through the whole network so that its sum is kept. Raw attention and rollout do not depend on the
class.

## Table 2
"""

# %%
METHODS_OF_TABLE_2 = page.methods_of(2)
METRICS_OF_TABLE_2 = ["average_drop", "average_gain", "average_increase"]
times = page.times(METHODS_OF_TABLE_2)
frame = pd.concat([page.evaluate(METHODS_OF_TABLE_2, METRICS_OF_TABLE_2), times], ignore_index=True)
table = page.table(2, frame)
table

# %%
page.forest(table.frame, "average_gain", name="opticam-table-2", title="Opti-CAM, table 2,")

# %% [markdown]
"""
## Table 3: insertion and deletion

Defined as on [the page on insertion and deletion](02_insertion_deletion), for the predicted class.
"""

# %%
def curves(net):
    """Both curves, in steps of so many pixels at 224 x 224, and of the same share of other sizes."""
    pixels = step or page.pixels(page.setting("step"), net)
    print(f"{net.name}: {pixels} pixels per step")
    return {m: (m, {"step": pixels}) for m in ("insertion", "deletion")}


ranked = page.evaluate(METHODS_OF_TABLE_2, curves)
order = page.table(3, ranked)
order

# %%
page.forest(
    order.frame, "insertion", "deletion",
    name="opticam-table-3-transformers", title="Opti-CAM, table 3, the transformers' columns,",
)  # fmt: skip

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
claimed = [c for c in report.claims("opticam", "Table 2", "Table 3") if c.networks == "transformer"]
report.claims_table(claimed, pd.concat([frame, ranked], ignore_index=True))

# %% [markdown]
"""
## What the maps look like

A few images, evenly spread, each with its maps in one row.
"""

# %%
SHOWN = ["grad_cam", "score_cam", "raw_attention", "rollout", "tibav", "opti_cam"]
for net, images in page.opened:
    shown, run = fewer(images.readable(), page.setting("shown")), page.methods(SHOWN, net)
    titles = [METHODS[m].title for m in run]
    maps = zip(*(page.maps(net, shown, m) for m in run))
    rows = [
        [report.in_colour(sample.image), *(report.overlay(sample.image, S) for S in of_image)]
        for sample, of_image in zip(shown, maps)
    ]
    report.show(
        report.grid(rows, [title.replace(" ", "\n") for title in ("Image", *titles)], shown.labels),
        name=f"opticam-gallery-{net.name.replace('_', '-')}",
        alt=f"Maps of {', '.join(titles)} for images of {', '.join(shown.labels)}.",
        caption=f"Maps for the class of the image, {net.name}. Bright is salient.",
    )

# %% [markdown]
"""
## Photographs

No Python package carries a transformer that classifies photographs. AD, AG, AI and the curves of table 3 need the
probability of a class, so that the book cannot measure them for a transformer on photographs. One package carries a
backbone without a classifier: a ViT-S of DINOv2's architecture {cite:p}`dinov2`, which the package's author trained
further to predict where an image is salient. Raw attention and rollout need no class. The figure has their maps for
this backbone, with the share of each map inside the object's boxes. [The page on localisation](07_localization) has
the other measures.
"""

# %%
if found := page.beside("vit_s_focus", "imagenet_embedded", page.setting("shown")):
    vit, shown = found
    x = torch.stack([sample.image for sample in shown]).to(device)
    with torch.no_grad():
        raw = {m: METHODS[m].fn(vit, x, None).cpu() for m in ("raw_attention", "rollout")}
    maps = {METHODS[m].title: finish(m, M, shown.size) for m, M in raw.items()}
    share = METRICS["energy_pointing_game"]
    inside = {
        title: share.value(share.measure(vit, x, None, S, boxes=[sample.boxes for sample in shown]))
        for title, S in maps.items()
    }
    titles = [
        f"{label}   " + ", ".join(f"{title} {p[i]:.0%}" for title, p in inside.items()).replace("%", " %")
        for i, label in enumerate(shown.labels)
    ]
    page.gallery(
        vit, shown, maps, titles=titles, boxes=True, columns=3, name="opticam-gallery-vit-s-focus",
        alt=f"Raw attention and rollout on photographs, with the share in the boxes: {'; '.join(titles)}.",
        caption=f"Maps of {vit.name}, a backbone without a classifier, on {len(shown)} photographs. The boxes are "
        "those of the object; the numbers are the share of the map inside them.",
    )  # fmt: skip

# %% [markdown]
"""
## Which methods know the class?

A map that explains a class should change with the class. Each method explains some of the images twice, for
the most probable class and for the second most probable one. The table has the mean correlation of the two maps:
at 1, the map does not depend on the class.
"""

# %%
def correlation(net, images, method):
    """Pearson's correlation of a method's maps for the two most probable classes: the mean over images."""
    with torch.no_grad():
        classes = torch.cat([net(x).topk(2).indices for x, _ in page.batches(net, images)]).T.tolist()
    both = zip(*(page.maps(net, images.relabelled(c), method).flatten(1) for c in classes))
    return pd.Series([torch.corrcoef(torch.stack(pair))[0, 1].item() for pair in both]).mean()


compared = [m for m in METHODS_OF_TABLE_2 if m not in ("fake_cam", "extremal_perturbation", "lime")]
some = [(net, fewer(images.readable()[:: page.setting("every")], 100)) for net, images in page.opened]
known = {
    f"{net.name}, n = {len(few)}": {
        METHODS[m].title: correlation(net, few, m) for m in page.methods(compared, net)
    }
    for net, few in some
}
pd.DataFrame(known).round(2)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Distillation.** The paper's DeiT-B has a class token only. For a network that also has a distillation token,
the maps of attention are those of the class token; option `row="both"` averages them with those of the
distillation token.

**TIBAV.** Relevance is propagated through every layer, as in the paper of TIBAV. Option `relevance="attention"` uses
the attention A in its place, as TIBAV's authors do in later work. The product of the blocks runs from the last to
the first, as in their code.

**Black background.** Masking a black pixel with black changes nothing. AD, AG and AI are therefore the same whether
or not a map covers a black background, and masking by the silhouette, a map of ones where a pixel is not black,
leaves the image unchanged. With `masking="normalized"`, a masked pixel becomes the mean grey instead, so that the
background counts. The first table below compares both for the same images; Opti-CAM optimises for the masking that
is measured.

**Layer.** The default is the first LayerNorm of the last block, as in the paper. Its activations have both signs.

**ReLU.** Opti-CAM combines the channels as they are (eq. 8). The authors' code first sets their negative values to
zero, as `relu=True` does. The last table of the page has the effect.

**Steps.** The paper changes 224 pixels per step, as many as one row of its images.

**Time.** T is the time for the map of one image on the machine that ran this page. The paper's T is the time for
8 images on its own machine.
```
"""

# %%
def masked(net, images):
    """AD, AG and AI of some methods and of the silhouette, under both ways of masking."""
    x, _ = batch(net, images)
    means = {}
    for masking in ("pixels", "normalized"):
        options = {"fake_cam": {}, "grad_cam": {}, "tibav": {}, "opti_cam": {"masking": masking}}
        maps = {METHODS[m].title: page.maps(net, images, m, **own) for m, own in options.items()}
        maps["Silhouette"] = (x.amax(1) > 0).to(x)
        metrics = {METRICS[m].symbol: (m, {"masking": masking}) for m in METRICS_OF_TABLE_2}
        found = evaluate_maps(net, images, maps, metrics, batch_size=page.batch_size)
        means[masking] = found.pivot_table("value", "method", "metric", sort=False)
    unchanged = (mask(net, x, maps["Opti-CAM"].to(x)) == x).all(1).double().mean()
    black = (maps["Silhouette"] == 0).double().mean()
    print(f"{net.name}: {black:.0%} of the pixels are black; masking by Opti-CAM's map leaves {unchanged:.0%} "
          "of all pixels as they were".replace("%", " %"))
    return 100 * pd.concat(means).swaplevel().sort_index(level=0, sort_remaining=False)


effect = pd.concat({net.name: masked(net, few) for net, few in some}, axis=1).round(1)
effect.rename_axis(index=(None, None), columns=("mean (%)", None))

# %% [markdown]
"""
The options of the attention maps, on images of the last network in the table above: AD, AG and AI under
`masking="pixels"`.
"""

# %%
net, few = some[-1]
relevance, both = {"relevance": "attention"}, {"row": "both"}
variants = {"TIBAV": ("tibav", {}), "TIBAV, relevance = A": ("tibav", relevance), "Rollout": ("rollout", {})}
if getattr(net.model, "dist_token", None) is not None:
    variants |= {"TIBAV, both tokens": ("tibav", both), "Rollout, both tokens": ("rollout", both)}
changed = report.means(page.evaluate(variants, METRICS_OF_TABLE_2, [(net, few)]), METRICS_OF_TABLE_2)
changed.loc[net.name].rename_axis(index=None, columns=f"{net.name} (%)").round(1)

# %% [markdown]
"""
The effect of the authors' ReLU on Opti-CAM, on all images of the page: the mean without the ReLU → with it, and the
interval of the change.
"""

# %%
positive = {"opti_cam": ("opti_cam", {}), "opti_cam_relu": ("opti_cam", {"relu": True})}
found = page.evaluate(positive, METRICS_OF_TABLE_2)
changes = {
    f"{METRICS[m].symbol} (%)": {net.name: report.changed(found, net.name, m, *positive) for net, _ in page.opened}
    for m in METRICS_OF_TABLE_2
}
pd.DataFrame(changes)

# %%
page.departures()

# %%
page.provenance()
