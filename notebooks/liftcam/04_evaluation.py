# %% [markdown]
"""
# LIFT-CAM against the others

If coefficients near the SHAP values make better maps, and LIFT-CAM is near them, it should win. The
paper {cite:p}`liftcam` compares it with five CAMs in three ways. *Faithfulness* (table 3): the image
through the map keeps its class, and without what the map marks loses it. *Ranking* (table 4): the order
of the pixels, whatever the size of the map. *Localisation* (table 5): the map lies in the object's box.
LIFT-CAM comes first nearly everywhere, and takes one backward pass where Ablation-CAM takes one forward
pass a channel (section 4.3).
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer, with no attention behind it; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, with boxes for table 5; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import time

import numpy as np
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.saliency import attribute

page = Page("liftcam/04_evaluation", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
"""
## What the maps look like

Behind pooling and one linear layer, Ablation-CAM and LIFT-CAM are the same picture where the logit is
positive, and so are Grad-CAM and XGrad-CAM. These are therefore the heads that are not affine, where
there are any.
"""

# %%
COMPARED = ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "score_cam", "ablation_cam", "lift_cam"]
telling = [(net, images) for net, images in page.opened if not net.affine_head] or page.opened
for net, images in telling:
    shown = fewer(images.readable(), page.setting("shown"))
    name = f"liftcam-gallery-{shown.name.replace('_', '-')}"
    caption = f"Figure 3 of the paper, for images here. Maps for the class of each, {net.name}."
    page.gallery(net, shown, COMPARED, name=name, caption=caption)

# %% [markdown]
"""
## Table 3: faithfulness

AI, AD and ADD as defined on [the pages before](02_shap_values).
"""

# %%
METRICS_OF_TABLE_3 = ["average_increase", "average_drop", "average_drop_in_deletion"]
faithful = page.evaluate(COMPARED, METRICS_OF_TABLE_3)
table = page.table(3, faithful)
table

# %%
printed = "for VGG16 on three datasets"
page.forest(table.frame, "average_drop", name="liftcam-table-3", title="Table 3", printed=printed)

# %% [markdown]
"""
What a map costs, in milliseconds an image. *Literal* is Ablation-CAM as it is usually run, with one
forward pass of the whole network a channel, for as many images as the profile can afford; ours runs
only the layers behind the target layer, and for all channels at once.
"""

# %%
@torch.no_grad()
def literal(net, x, target):
    """Ablation-CAM as printed: what each channel takes away, by a pass for each."""
    y, alpha = net(x)[0, target], []
    for k in range(net.features(x).shape[1]):
        A = net.features(x)  # a hook on the layer runs the network from the image
        A[:, k] = 0
        alpha.append((y - net.head(A)[0, target]) / y)
    return torch.cat(alpha)


def timed(net, images):
    """Rows of the seconds that the literal Ablation-CAM takes; its coefficients should be ours."""
    seconds = []
    for i in range(len(images)):
        x, target = batch(net, images.subset([i]))
        start = time.perf_counter()
        alpha = literal(net, x, target)
        seconds.append(time.perf_counter() - start)
        ours = attribute("ablation_cam", net, x, target).coefficients[0]
        if not torch.allclose(alpha, ours, rtol=1e-2, atol=1e-3 * ours.abs().max()):
            print(f"{net.name}, {images.ids[i]}: the coefficients of the literal Ablation-CAM differ from ours.")
    nothing = {("ablation_cam_literal", "average_drop"): np.full(len(images), np.nan)}
    return page.rows(net, images, nothing, seconds)


literally = [timed(net, images.readable(page.setting("literal", net))) for net, images in page.opened]
if not any(map(len, literally)):
    print("Not run: the literal Ablation-CAM, which takes a pass a channel.")
faithful = pd.concat([faithful, *literally], ignore_index=True)
times = faithful.dropna(subset="seconds").drop_duplicates(["network", "image", "method"])
milliseconds = times.pivot_table("seconds", "method", "network", sort=False).mul(1000).round(1)
milliseconds.rename(index=report.method_title).rename_axis(index=None, columns=None)

# %% [markdown]
r"""
## Table 4: area under the probability curve

Maps of large values help AD and AI. To take size out, the map is reduced to a ranking: the top $\delta$
of the pixels, $\delta = 0, 0.025, \dots, 1$, are kept (insertion) or removed (deletion), all other
pixels being black, and the probability is integrated over $\delta$:

$$
\begin{aligned}
\text{Ins. AUC} &= \int_0^1 p\big(x \odot 1[\text{top } \delta]\big)\, d\delta, \\
\text{Del. AUC} &= \int_0^1 p\big(x \odot (1 - 1[\text{top } \delta])\big)\, d\delta .
\end{aligned}
$$

This is not the insertion of the [Opti-CAM pages](../opticam/02_insertion_deletion), which starts from a
blurred image.
"""

# %%
ranked = page.evaluate(COMPARED, ["insertion_auc", "deletion_auc"], telling)
page.table(4, ranked)

# %% [markdown]
r"""
## Table 5: the energy-based pointing game

The share of the map that lies in the object's boxes {cite:p}`score_cam` (eq. 14):

$$
\text{EPG} = \sum_{(i,j) \in \text{box}} S_{ij} \Big/ \sum_{i,j} S_{ij} .
$$

A uniform map scores the area of the boxes; only what is above that is the method's merit. It has a row
of its own, as Fake-CAM.
"""

# %%
pointed = page.evaluate([*COMPARED, "fake_cam"], ["energy_pointing_game"])
pointing = page.table(5, pointed)
pointing

# %%
energy = pointing.frame.query("n > 0").set_index("method").groupby("network", sort=False)["mean"]
shares = [
    f"on {name} LIFT-CAM {of['lift_cam']:.0f} %, a uniform map {of['fake_cam']:.0f} %" for name, of in energy
]
if shares:
    page.forest(
        pointing.frame,
        name="liftcam-table-5",
        title="Table 5, the share of the map in the boxes,",
        printed=f"{printed}; Fake-CAM's is the area of the boxes",
        said="; ".join(shares),
    )

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([faithful, ranked, pointed], ignore_index=True), "Table 3", "Table 4", "Table 5")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images, networks and layers** as [on the page of table 1](02_shap_values). The gallery and table 4 leave
out affine heads, unless all are.

**Thresholds.** 41 of them, by trapezoids; equal saliency is ranked in raster order. The class is the
predicted one for table 4, the label elsewhere.

**Boxes.** The union of all boxes of the class; the paper does not say. A pixel counts if its centre is
inside. A map of zeros has no energy, and counts as zero.

**Gradient.** Figure 3 also shows a smoothed gradient of the image, which is no CAM and in none of the
tables.

**Time** is that of the map alone, for 8 images, on this machine. Ours differs from that of the literal
Ablation-CAM because only the head runs, and where it begins with a linear layer only what follows it.
```
"""

# %%
page.departures()

# %%
page.provenance()
