# %% [markdown]
"""
# Transformers

A vision transformer {cite:p}`vit` cuts its image into patches and lets a class token gather from them
by attention. Its attention looks like a map already, and three methods read it as one: *raw attention*,
*rollout* {cite:p}`rollout` and *TIBAV* {cite:p}`tibav`. Opti-CAM {cite:p}`opticam` needs no attention:
tokens are channels on a grid, to be weighed as those of a convolutional network are. The paper claims
(section 5.3.1, table 2) that it outperforms all others by far, near-zero AD and an AI of more than 80 %,
and (section 5.3.2, table 3) that TIBAV leads on insertion and deletion.

No package carries an ImageNet transformer. Two small ones, a ViT and a DeiT {cite:p}`deit` with a
distillation token, are therefore trained in the build on 4,000 real handwritten digits of MNIST
{cite:p}`mnist`, and explained on others. Digits are **a test bed**: small, grey, on a background that is black
already. What that does to the metrics is measured below.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights, or trained here
layer: str = ""  # target layer; empty: the first LayerNorm of the last block
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
step: int = 0  # pixels a step of insertion and deletion; 0: one row of the image, as in the paper

# %%
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib import nets
from lib.evaluate import evaluate_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.saliency import mask

page = Page("opticam/03_transformers", globals())
for net, images in page.opened:
    if net.name in nets.RECIPES and not weights:
        accuracy = nets.recipe(net.name).train().accuracy
        print(f"{net.name}: {100 * accuracy:.1f} % of the test digits right")

# %% [markdown]
"""
## Maps from attention

Block $l$ mixes $N$ tokens by its heads' attention
$A^{(l)} = \mathrm{softmax}(Q K^\top / \sqrt d)$, an $N \times N$ matrix whose first row is what the class
token gathers. With $\mathbb{E}_h$ the mean over heads and $L$ the last block,

$$
\begin{aligned}
S_{\text{raw}} &= \mathbb{E}_h A^{(L)}, \\
S_{\text{rollout}} &= \hat A^{(L)} \cdots \hat A^{(1)},
  & \hat A^{(l)} &= \tfrac12 \big(\mathbb{E}_h A^{(l)} + I\big), \\
S^c_{\text{TIBAV}} &= \bar A^{(L)} \cdots \bar A^{(1)},
  & \bar A^{(l)} &= I + \mathbb{E}_h \big(\nabla^c A^{(l)} \odot R^{c,(l)}\big)^+ ,
\end{aligned}
$$

each at its first row, over the patches. The identity stands for the skip connection. $\nabla^c A$ is the
gradient of the logit of class $c$, and $R^c$ the relevance of each entry of $A$, propagated from that
logit through the whole network so that its sum is kept. Raw attention and rollout know no class.

## Table 2
"""

# %%
METHODS_OF_TABLE_2 = page.methods_of(2)
METRICS_OF_TABLE_2 = ["average_drop", "average_gain", "average_increase"]
frame = page.evaluate(METHODS_OF_TABLE_2, METRICS_OF_TABLE_2)
table = page.table(2, frame)
table

# %%
here = f"{len(images)} images of {images.name} here"
page.forest(table.frame, "average_gain", name="opticam-table-2", title="Table 2", here=here)

# %% [markdown]
"""
## Table 3: insertion and deletion

As defined [on the page before](02_insertion_deletion), one row of pixels a step, for the predicted class.
"""

# %%
ranked = page.evaluate(
    METHODS_OF_TABLE_2,
    lambda net: {m: (m, {"step": step or net.input_size}) for m in ("insertion", "deletion")},
)
order = page.table(3, ranked)
order

# %%
page.forest(
    order.frame, "insertion", "deletion",
    name="opticam-table-3-transformers", title="The transformers' columns of table 3", here=here,
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

Images evenly spread over the test set, each with its maps in one row.
"""

# %%
SHOWN = ["grad_cam", "score_cam", "raw_attention", "rollout", "tibav", "opti_cam"]
titles = [METHODS[m].title for m in SHOWN]
for net, images in page.opened:
    shown = fewer(images, page.setting("shown")).readable()
    maps = zip(*(page.maps(net, shown, m) for m in SHOWN))
    rows = [
        [report.in_colour(sample.image), *(report.overlay(sample.image, S) for S in of_image)]
        for sample, of_image in zip(shown, maps)
    ]
    report.show(
        report.grid(rows, [title.replace(" ", "\n") for title in ("Image", *titles)], shown.labels),
        name=f"opticam-gallery-{net.name.replace('_', '-')}",
        alt=f"Maps of {', '.join(titles)} for images of {', '.join(shown.labels)}.",
        caption=f"Maps for the true class, {net.name}. Bright is salient.",
    )

# %% [markdown]
"""
## Which methods know the class?

A map that explains a class should change with it. Each method explains every fifth image twice, for
the most probable class and for the second; the table has the mean correlation of the two maps. At 1 the map
does not depend on the class.
"""

# %%
def correlation(net, images, method):
    """Pearson's, of a method's maps for the two most probable classes: the mean over images."""
    x, _ = batch(net, images)
    with torch.no_grad():
        classes = net(x).topk(2).indices.T.tolist()
    both = zip(*(page.maps(net, images.relabelled(c), method).flatten(1) for c in classes))
    return pd.Series([torch.corrcoef(torch.stack(pair))[0, 1].item() for pair in both]).mean()


compared = [m for m in METHODS_OF_TABLE_2 if m not in ("fake_cam", "extremal_perturbation", "lime")]
some = [(net, images[:: page.setting("every")].readable()) for net, images in page.opened]
known = {net.name: {METHODS[m].title: correlation(net, few, m) for m in compared} for net, few in some}
pd.DataFrame(known).round(2)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images and networks.** The paper has ViT-B and DeiT-B explain ImageNet. The embedded profile has 25 digits,
and transformers of three blocks, width 64 and 49 patches of 4 x 4 pixels. The profile `paper` restores the
published setting.

**DeiT.** The paper's DeiT-B has a class token only; the one here has a distillation token, which learns the
labels too, for want of a teacher, and its logit is the mean of two heads. Maps are the class token's;
option `row="both"` averages them with the distillation token's.

**Perturbation.** ExtremalPerturbation, LIME and GradientSHAP run as briefly as on
[the first page](01_classification_metrics).

**TIBAV.** Relevance by propagation through every layer, as in the paper; `relevance="attention"` puts A in
its place, as its authors do later. The product of blocks runs from the last to the first, as their code
has it.

**Black background.** Most of a digit's image is black, and to mask black with black changes nothing: a
map may cover the background or not, and AD, AG and AI cannot tell. Fake-CAM, which masks one corner, masks
nothing here, so that its AI is zero instead of the paper's half. So does the silhouette, a map of ones where
there is any ink. `masking="normalized"` instead turns masked pixels to the mean grey, and a map is seen to
cut through the background. The table below has both, for every fifth image; Opti-CAM optimises for the
masking that is measured.

**Layer.** The first LayerNorm of the last block, as in the paper; its activations have both signs.

**Time.** T is the time for 8 images on this machine, for the map alone.
```
"""

# %%
def masked(net, images):
    """AD, AG, AI by masking, of some methods and of the silhouette."""
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
What the options of the attention maps change, on the same images: AD, AG and AI under `masking="pixels"`.
"""

# %%
net, few = some[-1]
relevance, both = {"relevance": "attention"}, {"row": "both"}
variants = {"TIBAV": ("tibav", {}), "TIBAV, relevance = A": ("tibav", relevance), "Rollout": ("rollout", {})}
if getattr(net.model, "dist_token", None) is not None:
    variants |= {"TIBAV, both tokens": ("tibav", both), "Rollout, both tokens": ("rollout", both)}
changed = report.means(page.evaluate(variants, METRICS_OF_TABLE_2, [(net, few)]), METRICS_OF_TABLE_2)
changed.loc[net.name].rename_axis(index=None, columns=f"{net.name} (%)").round(1)

# %%
page.provenance()
