# %% [markdown]
"""
# Classification metrics on convolutional networks

A saliency map should keep what the network needs: an image multiplied by its map should be classified
at least as well as the image itself. Opti-CAM {cite:p}`opticam` optimises each map for this. The paper
measures it by *average drop* (AD), the class probability that masking loses; by *average gain* (AG), the
counterpart that the paper introduces; and by *average increase* (AI), the share of images whose
probability rises. The paper claims that Opti-CAM outperforms every other method by far (section 5.3.1,
table 1). It also claims that Fake-CAM, a map of ones but for one pixel, outperforms all earlier methods in
AD and AI but fails in AG.

AG is close to what Opti-CAM maximises: Opti-CAM optimises each map for the logit of the class on the
masked image, and AG measures how much probability the masked image gains. A high AG therefore shows, first
of all, that the optimisation works. The section on [measures that Opti-CAM does not maximise](unshared)
has results that do not depend on the shared objective.

This page recomputes table 1 and figures 1 and 2.
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
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.methods import METHODS
from lib.methods.opti_cam import optimise
from lib.metrics import METRICS
from lib.saliency import finish, mask

page = Page("opticam/01_classification_metrics", globals())
page.protocol()

# %% [markdown]
"""
## The method

Opti-CAM takes the feature maps $A^k$ of one layer, the target layer, and gives each a weight. The weights
are the softmax of a vector $u$. Adam optimises $u$ for each image so that the logit of the class $c$ is
highest when the image $x$ is multiplied by the map (eq. 8 to 11):

$$
\begin{gathered}
S(x; u) = \sum_k \mathrm{softmax}(u)_k A^k, \\
u^* = \arg\max_u \; f\big(x \odot n(\mathrm{up}(S(x; u)))\big)_c .
\end{gathered}
$$

Here $\mathrm{up}$ is bilinear upsampling and $n$ stretches a map to $[0, 1]$. The figure follows one
image through the optimisation.
"""

# %%
net, images = page.opened[0]
x, target = batch(net, images.readable(1))
found = optimise(net, x, target, **page.options("opti_cam", net))
with torch.no_grad():
    A = net.features(x)
    full = net(x)[0, target].item()
    before = finish("opti_cam", A.mean(1), x.shape[2:])
    after = finish("opti_cam", found.map, x.shape[2:])
    K, top = A.shape[1], found.w[0].topk(4)

report.style()
figure, panels = plt.subplot_mosaic("abcd;efgh;iiii", figsize=(6.4, 6.6), height_ratios=[1, 1, 1.05])
pictures = {
    "a": ("image", x[0]),
    "b": ("uniform weights", report.overlay(x[0], before[0])),
    "c": ("optimised", report.overlay(x[0], after[0])),
    "d": ("masked image", mask(net, x, after)[0]),
}
for panel, (title, picture) in pictures.items():
    shown = picture.permute(1, 2, 0).cpu() if torch.is_tensor(picture) else picture
    panels[panel].imshow(shown)
    panels[panel].set_title(title)
for panel, w, k in zip("efgh", top.values.tolist(), top.indices.tolist()):
    panels[panel].imshow(A[0, k].cpu())
    panels[panel].set_title(f"channel {k}\n{1 / K:.2%} to {w:.1%}".replace("%", " %"))
for panel in "abcdefgh":
    panels[panel].axis("off")
report.key(figure, [panels[panel] for panel in "efgh"])
panels["i"].plot(range(1, len(found.objective) + 1), found.objective[:, 0].cpu(), linewidth=2.5)
panels["i"].axhline(full, color="0.4", linestyle="--")
panels["i"].annotate("unmasked image", (1, full), textcoords="offset points", xytext=(4, 5))
panels["i"].set(xlabel="iteration", ylabel="logit of the class")
gain = found.objective[-1, 0].item() - full
report.show(
    figure,
    name="opticam-walk-through",
    alt=f"Opti-CAM on one image: the map under uniform and optimised weights, the masked image, "
    f"the four channels with the largest final weights, and the class logit over "
    f"{len(found.objective)} iterations, which ends at {gain:+.1f} relative to the unmasked image.",
    caption=f"Opti-CAM, figure 1, computed. Top: the image, its map with equal weights for all {K} channels, "
    f"its map after {len(found.objective)} iterations, and the image masked by this map. Middle: "
    "the four channels with the largest final weights, each with its weight before and after; black is zero. "
    f"Bottom: the objective, eq. 10. It ends at {gain:+.1f} relative to the logit of the unmasked image.",
)

# %% [markdown]
"""
## Table 1

With $p_i^c$ the probability of the true class for image $i$, and $o_i^c$ the same for the masked image
(eq. 13 to 15):

$$
\begin{aligned}
\mathrm{AD} &= \frac1N \sum_i \frac{[p_i^c - o_i^c]_+}{p_i^c}, \\
\mathrm{AG} &= \frac1N \sum_i \frac{[o_i^c - p_i^c]_+}{1 - p_i^c}, \\
\mathrm{AI} &= \frac1N \sum_i 1[p_i^c < o_i^c] .
\end{aligned}
$$

Some methods need many passes through the network. Score-CAM needs one forward pass for each channel that is
not dead, hundreds per image. ExtremalPerturbation {cite:p}`extremal_perturbation` optimises masks in the image
space, one for each of several areas. LIME {cite:p}`lime` and GradientSHAP {cite:p}`shap` run the network on
random variants of the image. Ablation-CAM {cite:p}`ablation_cam` weights a channel by what the logit loses
without it. The paper runs the whole network for each channel; this book runs only the layers behind the target
layer, and times this in a row of its own ("head").
"""

# %%
METHODS_OF_TABLE_1 = [
    "fake_cam", "grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam",
    "layer_cam", "extremal_perturbation", "hires_cam", "lime", "gradient_shap", "opti_cam",
]  # fmt: skip
METRICS_OF_TABLE_1 = ["average_drop", "average_gain", "average_increase"]


@torch.no_grad()
def one_pass_a_channel(net, x, c):
    """Ablation-CAM's passes as the paper runs it: the whole network, once without each channel."""
    for channels in torch.arange(net.features(x).shape[1]).split(net.batch_hint(x)):
        A, context = net.cut(x.expand(len(channels), -1, -1, -1))
        A[range(len(channels)), channels] = 0
        net.head(A, context)


def timed(net):
    """The methods to time: all on the last network, those of few passes on the others. Ablation-CAM as it runs
    here, through the head alone, has a name of its own. As the paper runs it, it takes as long as Score-CAM, and
    is timed where Score-CAM runs."""
    methods = {f"{m}_head" if m == "ablation_cam" else m: (m, {}) for m in METHODS_OF_TABLE_1}
    dear = page.plan(page.cost).many_passes
    if net is not page.opened[-1][0]:
        return {label: (m, own) for label, (m, own) in methods.items() if m not in dear}
    return methods if "score_cam" in page.without(net) else methods | {"ablation_cam": one_pass_a_channel}


values = page.evaluate(METHODS_OF_TABLE_1, METRICS_OF_TABLE_1)
times = [page.times(timed(net), [(net, images)]) for net, images in page.opened]
frame = pd.concat([values, *times], ignore_index=True)
table = page.table(1, frame)
table

# %%
report.show(
    report.forest(table.frame),
    name="opticam-table-1",
    alt="AD, AG and AI of each method, here with 95 % intervals and as printed: "
    f"{report.leaders(table.frame, 'average_gain')}.",
    caption="Opti-CAM, table 1, as a picture: filled markers are the means here with their 95 % intervals, hollow "
    "markers the paper's values for ImageNet.",
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %%
page.verdicts(frame, "Table 1")

# %% [markdown]
"""
Where only pooling and one linear layer follow the target layer, some rows must coincide. The gradient
$w_k^c$ is then the same at every position, so that Grad-CAM, XGrad-CAM and HiRes-CAM give the same map. The
paper's ResNet-50 columns show this too. Ablation-CAM differs: removing a channel costs
$w_k^c\,\mathrm{GAP}(A^k)$, so that its weights also depend on how active the channel is. It divides this cost by
the logit, so that a negative logit reverses its map.

(unshared)=
## Measures that Opti-CAM does not maximise

Opti-CAM optimises for none of the following measures. Insertion and deletion use the order of the pixels in a
map ([the page on insertion and deletion](02_insertion_deletion)). The localisation error (LE), F1 and the two
pointing games (SP, EP) compare the map with the boxes of the object ([the page on localisation](07_localization)).
The table has Opti-CAM's lead in each measure, and its lead in AG for comparison: the mean of the per-image
differences, with its 95 % interval. Above zero, Opti-CAM is better. [The page on more metrics](04_more_metrics)
has Opti-CAM's ADCC, and [the sanity check](12_sanity_check) shows how much its maps depend on the network.
"""

# %% tags=["nbval-check-output"]
UNSHARED = ["insertion", "deletion", "localization_error", "pixel_f1", "pointing_game", "energy_pointing_game"]
RIVALS = ["grad_cam", "layer_cam", "score_cam"]


def unshared(net):
    """The measures that Opti-CAM does not maximise; insertion and deletion in the steps of their page."""
    pixels = {"step": page.pixels(page.setting("step"), net)}
    return {m: (m, pixels) if m in ("insertion", "deletion") else m for m in UNSHARED}


seen = [(net, fewer(images, page.setting("unshared"))) for net, images in page.opened]
beside = pd.concat([frame, page.evaluate(["opti_cam", *RIVALS], unshared, seen)], ignore_index=True)
leads = {}
for name, of in beside.groupby("network", sort=False):
    for metric in map(METRICS.get, ["average_gain", *UNSHARED]):
        better = metric.scale if metric.higher_is_better else -metric.scale
        leads[name, metric.symbol] = {
            METHODS[rival].title: f"{report.paired_difference(of, metric.name, 'opti_cam', rival).scaled(better):+.1f}"
            for rival in RIVALS
        }
leads = pd.DataFrame(leads).T.rename_axis(index=("network", "measure"), columns="lead in points over")
leads.replace("-", "−", regex=True)

# %% [markdown]
"""
## What the maps look like

As in figure 2 of the paper, for a few images and the first network.
"""

# %%
SHOWN = ["grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam", "layer_cam", "opti_cam"]
shown = fewer(images.readable(), 10)[: page.setting("shown")]
caption = f"for the true class, {net.name}. Bright is salient."
page.gallery(net, shown, SHOWN, name="opticam-gallery", caption=f"As Opti-CAM, figure 2: maps {caption}")

# %% [markdown]
"""
The maps of methods that perturb the image look different: ExtremalPerturbation finds soft blobs of a given
area, LIME weights whole superpixels, and GradientSHAP single pixels.
"""

# %%
PERTURBING = ["extremal_perturbation", "lime", "gradient_shap"]
page.gallery(
    net,
    shown,
    PERTURBING,
    name="opticam-perturbation-gallery",
    caption=f"Maps of the methods that perturb pixels, {caption}",
)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Masking.** The paper does not say whether the map multiplies the pixels or the normalised tensor. The
authors' code multiplies pixels, so that a masked pixel is black. Most libraries multiply the normalised tensor,
so that a masked pixel has the mean colour. The default here is to multiply pixels; [the page on the
schedule](14_schedule) compares both.

**Stopping.** Each image stops by its own loss: at a change below $10^{-10}$, or after 100 iterations. The
authors' code looks at the loss of a whole batch after each tenth of the iterations, and stops if it has risen.
Option `stopping="authors"` of `opti_cam` applies this rule to each image. The table below compares both rules.

**Resizing.** Images are resized to a square, as appendix A says, without cropping.

**Time.** T is the time for the map of one image on the machine that ran this page. The paper's T is the time for
8 images on its own machine. T is measured apart from the metrics: after a first run of each method, the methods
take turns in each repetition.

**Perturbation.** The paper does not give the settings of its ExtremalPerturbation, LIME and GradientSHAP.
ExtremalPerturbation is written here from its description {cite:p}`extremal_perturbation`; Adam and the weight
of the area are choices made here. Its smooth maximum is taken on the grid and interpolated, and its map is the
mean of its masks. LIME is captum's sampling on SLIC superpixels, and GradientSHAP is captum's. Both keep only
positive evidence for the class: negative values become zero.
```
"""

# %% tags=["nbval-check-output"]
net, images = page.opened[-1]
few = fewer(images, page.setting("stopping"))
rules = {"Opti-CAM": {}, 'Opti-CAM, stopping="authors"': {"stopping": "authors"}}
stopped = page.evaluate({rule: ("opti_cam", own) for rule, own in rules.items()}, METRICS_OF_TABLE_1, [(net, few)])
stopped = report.cross(report.measured(stopped).assign(title=lambda rows: rows["method"]), "title", "metric")
stopped.rename(columns=lambda m: METRICS[m].symbol).rename_axis(columns=f"{net.name}, n = {len(few)} (%)")

# %%
page.departures()

# %%
page.provenance()
