# %% [markdown]
"""
# LIFT-CAM against the others

If coefficients close to the SHAP values make better maps, LIFT-CAM should beat other CAMs. The paper
{cite:p}`liftcam` compares it with five of them in three ways. *Faithfulness* (table 3): the image masked by
the map keeps its class, and loses it without what the map marks. *Ranking* (table 4): the same with only
the order of the pixels, whatever the magnitude of the map. *Localisation* (table 5): the map lies in the
object's box. In the paper LIFT-CAM comes first nearly everywhere, and takes one backward pass where
Ablation-CAM takes one forward pass per channel (section 4.3).

After the paper's tables, this page asks two further questions: how the comparison depends on
[the target layer](by-layer), and how AD depends on [the magnitude of a map](magnitude).
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
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.evaluate import evaluate_maps
from lib.methods import METHODS
from lib.methods.lift_cam import contributions
from lib.metrics import METRICS
from lib.metrics.replacement import gaussian_blur
from lib.saliency import attribute, finish, normalise

page = Page("liftcam/04_evaluation", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
"""
## What the maps look like

Behind pooling and one linear layer, Ablation-CAM and LIFT-CAM give the same map where the logit is
positive, and so do Grad-CAM and XGrad-CAM. The gallery therefore shows networks whose head is not affine,
if there are any. *Gradient* is the gradient of the logit by the image: the largest absolute value over the
colours, blurred as in figure 3 of the paper.
"""

# %%
COMPARED = ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "score_cam", "ablation_cam", "lift_cam"]
telling = [(net, images) for net, images in page.opened if not net.affine_head] or page.opened


def gradient(net, x, target):
    """The absolute gradient of the logit by the image, blurred with a twentieth of the side as sigma."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(net(x).gather(1, target[:, None]).sum(), x)
    return normalise(gaussian_blur(g.abs().amax(1, keepdim=True), sigma=x.shape[-1] / 20)[:, 0])


for number, (net, images) in enumerate(telling, 1):
    shown = fewer(images.readable(), page.setting("shown"))
    maps = {"Gradient": gradient(net, *batch(net, shown)).cpu()}
    maps |= {METHODS[m].title: page.maps(net, shown, m) for m in page.methods(COMPARED, net)}
    caption = f"LIFT-CAM, figure 3, on other images: maps for the class of each image, {net.name}."
    page.gallery(net, shown, maps, name=f"liftcam-gallery-{number}", caption=caption)

# %% [markdown]
"""
## Table 3: faithfulness

AI, AD and ADD are defined on [the page of table 1](02_shap_values).
"""

# %%
METRICS_OF_TABLE_3 = ["average_increase", "average_drop", "average_drop_in_deletion"]
faithful = page.evaluate(COMPARED, METRICS_OF_TABLE_3)
table = page.table(3, faithful)
table

# %%
printed = "for VGG16 on three datasets"
page.forest(table.frame, "average_drop", name="liftcam-table-3", title="LIFT-CAM, table 3,", printed=printed)

# %% [markdown]
"""
Time of a map in milliseconds per image. *Literal* is Ablation-CAM as in the paper, with one forward pass of
the whole network per channel. The Ablation-CAM of this book runs only the layers behind the target layer, and of
these only what the logit depends on. Methods with one pass per channel are timed on the network whose target layer
has the fewest channels, which favours them.
"""

# %%
@torch.no_grad()
def literal(net, x, target):
    """The coefficients of Ablation-CAM as printed: the drop without each channel, with one pass for each."""
    y, alpha = net(x)[0, target], []
    for channels in torch.arange(net.features(x).shape[1]).split(net.batch_hint(x)):
        A, context = net.cut(x.expand(len(channels), -1, -1, -1))
        A[range(len(channels)), channels] = 0
        alpha.append((y - net.head(A, context)[:, target[0]]) / y)
    return torch.cat(alpha)


def channels(pair):
    """How many channels the target layer has."""
    net, images = pair
    return net.features(batch(net, images.readable(1))[0]).shape[1]


narrow = min(telling, key=channels)
light = {name: (name, {}) for name in COMPARED if name != "score_cam"}
passes = {"score_cam": ("score_cam", {}), "ablation_cam_literal": literal} if page.setting("literal") else {}
each = [(pair, light | passes if pair[0] is narrow[0] else light) for pair in page.opened]
times = pd.concat([page.times(methods, [pair]) for pair, methods in each], ignore_index=True)
if passes:
    net, images = narrow
    x, target = batch(net, images.readable(1))
    ours = attribute("ablation_cam", net, x, target).coefficients[0]
    apart = ((literal(net, x, target) - ours).norm() / ours.norm()).item()
    print(f"{net.name}: the relative difference between the literal coefficients and ours is {apart:.0e}")
milliseconds = times.pivot_table("value", "method", "network", sort=False).mul(1000).round(1)
milliseconds.rename(index=report.method_title).rename_axis(index=None, columns=None)

# %% [markdown]
r"""
## Table 4: area under the probability curve

Maps with large values do well in AD and AI. To exclude the magnitude, the map is reduced to a ranking of
pixels. The top $\delta$ of the pixels, $\delta = 0, 0.025, \dots, 1$, are kept (insertion) or removed
(deletion), and what is not kept is black. The probability is integrated over $\delta$:

$$
\begin{aligned}
\text{Ins. AUC} &= \int_0^1 p\big(x \odot 1[\text{top } \delta]\big)\, d\delta, \\
\text{Del. AUC} &= \int_0^1 p\big(x \odot (1 - 1[\text{top } \delta])\big)\, d\delta .
\end{aligned}
$$

This differs from the insertion of [Opti-CAM's page on insertion and deletion](../opticam/02_insertion_deletion),
which starts from a blurred image.
"""

# %%
curves = {m: (m, {"steps": page.setting("steps")}) for m in ("insertion_auc", "deletion_auc")}
ranked = page.evaluate(COMPARED, curves, [(net, fewer(images, page.setting("ranked"))) for net, images in telling])
page.table(4, ranked)

# %% [markdown]
r"""
## Table 5: the energy-based pointing game

The share of the map that lies in the object's boxes {cite:p}`score_cam` (eq. 14):

$$
\text{EPG} = \sum_{(i,j) \in \text{box}} S_{ij} \Big/ \sum_{i,j} S_{ij} .
$$

A uniform map scores the share of the image that the boxes cover, so only a higher score is the merit of a
method. The row of Fake-CAM has a uniform map.
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
        title="LIFT-CAM, table 5, the share of the map in the boxes,",
        printed=f"{printed}; Fake-CAM's is the area of the boxes",
        said="; ".join(shares),
    )

# %% [markdown]
r"""
(by-layer)=
## By layer

The table has the same metrics for several target layers of one network, from the last back. The map
*contributions* sums DeepLIFT's contributions over channels, $\sum_k C_{\Delta A_k(i,j)\,\Delta F^c}$, and leaves
them at their positions. Eq. (7) instead adds them up over positions, and eq. (1) spreads each channel's sum over
the positions where the channel is active. Mean S is the mean of the map.
"""

# %%
BY_LAYER = ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "lift_cam"]
MEASURES = [*METRICS_OF_TABLE_3, "mean_saliency"]


def summed(net, images):
    """The maps of the contributions summed over channels."""
    found = []
    for x, target in page.batches(net, images):
        C = contributions(net, *net.cut(x), target)
        found.append(finish("lift_cam", C.sum(1), x.shape[2:]).cpu())
    return torch.cat(found)


def at(layer):
    """The first network cut at another layer, and its images."""
    experiment = page.experiments[0]
    net, images = page.open(replace(experiment, layer=layer, title=f"{experiment.network}, {layer}"))
    return net, fewer(images.readable(), page.setting("by_layer"))


layers = page.setting("layers").get(page.experiments[0].network, [])
layered = []
for net, images in map(at, layers):
    of = page.evaluate(BY_LAYER, MEASURES, [(net, images)])
    own = evaluate_maps(net, images, {"contributions": summed(net, images)}, MEASURES, batch_size=page.batch_size)
    layered.append(pd.concat([of, own], ignore_index=True).assign(layer=net.layer))
layered = pd.concat(layered, ignore_index=True) if layered else pd.DataFrame(columns=["layer"])
if len(layered):
    means = layered.pivot_table("value", ["layer", "method"], "metric", sort=False)[MEASURES].mul(100).round(1)
    display(means.rename(report.method_title, level="method").rename(columns=lambda m: METRICS[m].heading))
else:
    print(f"Not run: {page.experiments[0].network} has no list of layers in the profile.")

# %%
if len(layered):
    rivals = [name for name in [*BY_LAYER, "contributions"] if name != "lift_cam"]
    leads = {}
    for layer, of in layered.groupby("layer", sort=False):
        for rival in rivals:
            lead = report.paired_difference(of, "average_drop", rival, "lift_cam").scaled(100)
            leads[rival, layer] = lead
    named = {rival: report.method_title(rival) for rival in rivals}
    texts = {named[rival]: {layer: f"{leads[rival, layer]:+.1f}" for layer in layers} for rival in rivals}
    lines = pd.DataFrame(texts).T.replace("-", "−", regex=True)
    display(lines.rename_axis(index="LIFT-CAM leads in AD (points) over", columns=None))

    figure, axis = plt.subplots(figsize=(6.4, 3.4))
    for rival in rivals:
        mean, low, high, _ = zip(*(leads[rival, layer] for layer in layers))
        axis.plot(range(len(layers)), mean, marker="o", label=named[rival])
        axis.fill_between(range(len(layers)), low, high, alpha=0.15, linewidth=0)
    axis.axhline(0, color="0.35", linestyle="--")
    axis.set_xticks(range(len(layers)), [layer.replace("_activation", "") for layer in layers], fontsize="small")
    axis.set(ylabel="AD of the other minus LIFT-CAM's")
    axis.legend()
    better = {r: [layer for layer in layers if leads[r, layer].low > 0] for r in rivals}
    worse = {r: [layer for layer in layers if leads[r, layer].high < 0] for r in rivals}
    said = "; ".join(
        f"LIFT-CAM leads {named[r]} at {len(better[r])} of {len(layers)} layers and is behind at {len(worse[r])}"
        for r in rivals
    )
    report.show(
        figure,
        name="liftcam-by-layer",
        alt=f"By how much LIFT-CAM's AD is lower than that of other maps, from the last layer back: {said}.",
        caption=f"LIFT-CAM's lead in AD by layer ({page.experiments[0].network}, n = {leads[rivals[0], layers[0]].n}), "
        f"with 95 % intervals; above zero LIFT-CAM is better. By these intervals, {said}.",
    )

# %% [markdown]
r"""
(magnitude)=
## Magnitude of the maps

The paper says that AI, AD and ADD favour maps of large magnitude. So a map should score better when its values
are made larger and its ranking stays, as in $\sqrt S$ (*larger* in the table). The last rows compare the methods
at equal magnitude (*of one_size*): for each image, S is raised to the power at which its mean is a quarter.
"""

# %%
def of_mean(S, mean=0.25):
    """Maps (N, H, W), each raised to the power at which it has that mean; ranking and extremes stay."""
    low, high = torch.full((len(S), 1, 1), -6.0), torch.full((len(S), 1, 1), 6.0)  # of the power's logarithm
    for _ in range(20):
        middle = (low + high) / 2
        larger = S.pow(middle.exp()).mean((1, 2), keepdim=True) > mean
        low, high = torch.where(larger, middle, low), torch.where(larger, high, middle)
    return S.pow(middle.exp())


SIZED = ["grad_cam", "xgrad_cam", "grad_cam_plus_plus", "ablation_cam", "lift_cam"]
sized = []
for net, images in telling:
    images = fewer(images.readable(), page.setting("ranked"))
    S = {name: page.maps(net, images, name) for name in SIZED}
    maps = S | {f"{name}_larger": S[name].sqrt() for name in ("grad_cam", "lift_cam")}
    maps |= {f"{name}_of_one_size": of_mean(S[name]) for name in SIZED}
    found = evaluate_maps(net, images, maps, MEASURES, batch_size=page.batch_size)
    sized.append(found.assign(architecture=net.architecture))
sized = pd.concat(sized, ignore_index=True)
means = sized.pivot_table("value", ["network", "method"], "metric", sort=False)[MEASURES].mul(100).round(1)
means.rename(report.method_title, level="method").rename(columns=lambda m: METRICS[m].heading)

# %%
for name, of in sized.groupby("network", sort=False):
    for rival in SIZED[:-1]:
        as_it_is, alike = (
            report.paired_difference(of, "average_drop", f"{rival}{end}", f"lift_cam{end}").scaled(100)
            for end in ("", "_of_one_size")
        )
        leads = f"is {as_it_is:+.1f} points, at equal magnitude {alike:+.1f}".replace("-", "−")
        print(f"{name}: LIFT-CAM's lead in AD over {METHODS[rival].title} {leads}")

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
larger = sized[sized["method"].str.endswith("_larger")]
everything = pd.concat([faithful, larger, times, ranked, pointed], ignore_index=True)
page.verdicts(everything, "Section 2.1", "Figure 3", "Table 3", "Table 4", "Table 5")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images, networks and layers** are as on [the page of table 1](02_shap_values). The gallery and table 4 leave
out affine heads, unless all heads are affine.

**Thresholds.** The paper has 41. Here the area is computed by trapezoids between them, and pixels of equal saliency
are ranked in raster order. The target class is the predicted one for table 4, the label elsewhere.

**Boxes.** The region is the union of all boxes of the class; the paper does not say. A pixel counts if its centre is
inside. A map of zeros has no energy, and counts as zero.

**Gradient.** The paper smooths the gradient as {cite:t}`extremal_perturbation` do, and gives no width.

**Time** is measured on this machine, per image, for the map alone. Claims about Ablation-CAM's time are tested on
Ablation-CAM as the paper runs it.

**Score-CAM** here weights channels by the softmax of logits. The code of its authors takes the probability without a
softmax; their paper also has a softmax of probabilities. The table below has all three.
```
"""

# %% tags=["nbval-check-output"]
net, images = narrow
WEIGHTINGS = {w: ("score_cam", {"weighting": w}) for w in ("logit", "probability", "probability_softmax")}
some = fewer(images.readable(), page.setting("few"))
weighted = page.evaluate(WEIGHTINGS, METRICS_OF_TABLE_3, [(net, some)])
if len(weighted):
    means = weighted.pivot_table("value", "method", "metric", sort=False)[METRICS_OF_TABLE_3].mul(100).round(1)
    means = means.rename(columns=lambda m: METRICS[m].heading)
    display(means.rename_axis(index="weighting of Score-CAM", columns=f"{net.name}, n = {len(some)}"))
else:
    print("Not run: Score-CAM.")

# %%
page.departures()

# %%
page.provenance()
