# %% [markdown]
"""
# Do SHAP values make better maps?

Before it approximates the SHAP values, the LIFT-CAM paper {cite:p}`liftcam` argues that they are worth
approximating: the closer the coefficients are to the SHAP values of the channels, the better the map. It
runs SHAP-CAM with 1, 10 and 100 orderings, and finds that all three metrics improve with each step. With
100 orderings SHAP-CAM beats all methods of table 3, LIFT-CAM included (section 4.1, table 1).

Behind an affine head all orderings give the same coefficients, so SHAP-CAM's rows must coincide
([Channels as players](01_shapley_values) says why). More orderings can make a difference only where the
head is not affine, and a larger one the further it is from affine.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer, with no attention behind it; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
runs: int = 0  # how often SHAP-CAM is repeated with other orderings; 0: the profile's choice, 10 in the paper
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch

from book import Page, fewer, report
from lib.methods.coalition_game import CoalitionGame
from lib.metrics import METRICS

page = Page("liftcam/02_shap_values", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
r"""
## Table 1

Let $Y_i$ be the probability of the true class on image $i$, $O_i$ that on the image multiplied by its
map $S$, and $D_i$ that on the image multiplied by $1 - S$. The metrics are (eq. 11 to 13; the paper
calls AI increase in confidence, IC):

$$
\begin{aligned}
\mathrm{AI} &= \frac1N \sum_i 1[Y_i < O_i], \\
\mathrm{AD} &= \frac1N \sum_i \frac{[Y_i - O_i]_+}{Y_i}, \\
\mathrm{ADD} &= \frac1N \sum_i \frac{Y_i - D_i}{Y_i} .
\end{aligned}
$$

ADD is signed: an image whose probability rises when its salient part is removed counts against the
method. SHAP-CAM's rows average each image over runs with different orderings. The other methods are
those of table 3, which the claims compare.
"""

# %%
ORDERINGS = [1, 10, 100]
RIVALS = ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "score_cam", "ablation_cam", "lift_cam"]
METRICS_OF_TABLE_1 = ["average_increase", "average_drop", "average_drop_in_deletion"]


def methods(net):
    """SHAP-CAM, run after run, and its rivals. Behind an affine head every run is the same."""
    seeds = range(1 if net.affine_head else page.setting("runs", net))
    shap = {f"shap_cam_{n}/{seed}": ("shap_cam", {"n": n, "seed": seed}) for n in ORDERINGS for seed in seeds}
    return shap | {name: (name, {}) for name in RIVALS}


def averaged(frame):
    """The mean over runs, whose labels end in /0, /1, ..."""
    frame = frame.assign(method=frame["method"].str.split("/").str[0])
    keys = ["network", "architecture", "dataset", "image", "group", "method", "metric"]
    return frame.groupby(keys, sort=False, as_index=False)[["value", "seconds"]].mean()


runs = page.evaluate(methods, METRICS_OF_TABLE_1)
frame = averaged(runs)
table = page.table(1, frame)
table

# %%
shap = table.frame.query("metric == 'average_drop' and method.str.startswith('shap_cam')").groupby("network")
drops = [f"{name} {', '.join(f'{mean:.0f} %' for mean in rows['mean'])}" for name, rows in shap]
page.forest(
    table.frame,
    name="liftcam-table-1",
    title="LIFT-CAM, table 1,",
    printed="for VGG16 on three datasets (SHAP-CAM alone)",
    said=f"SHAP-CAM's AD with 1, 10 and 100 orderings, {'; '.join(drops)}",
)

# %% [markdown]
"""
How much do SHAP-CAM's runs differ? The table takes the mean over the images in each run, then the mean and
the standard deviation over the runs. The gain from more orderings should be compared with this deviation.
"""

# %%
each = runs[runs["method"].str.startswith("shap_cam")]
names = each["method"].str.split("/", expand=True)
each = each.assign(orderings=names[0].str.rsplit("_", n=1).str[1].astype(int), run=names[1])
by_run = each.groupby(["network", "orderings", "metric", "run"], sort=False)["value"].mean().mul(100)
spread = by_run.groupby(level=[0, 1, 2], sort=False).agg(["mean", "std", "size"]).query("size > 1").reset_index()
if len(spread):
    spread["text"] = [f"{mean:.2f} ± {std:.2f}" for mean, std in zip(spread["mean"], spread["std"])]
    spread = spread.assign(metric=[METRICS[m].heading for m in spread["metric"]]).rename(columns={"size": "runs"})
    spread = spread.pivot_table("text", ["network", "runs", "orderings"], "metric", aggfunc="first", sort=False)
    display(spread.rename_axis(columns=None))
else:
    print("Not run: the spread needs a second run.")

# %% [markdown]
"""
## Maps by the number of orderings

With one ordering, a coefficient depends on when its channel happens to join. With 100 orderings it is a mean.
"""

# %%
for number, (net, images) in enumerate(page.having("a head that is not affine"), 1):
    shown = fewer(images.readable(), page.setting("shown"))
    maps = {
        f"{n} ordering{'s' if n > 1 else ''}": page.maps(net, shown, "shap_cam", n=n, seed=0) for n in ORDERINGS
    }
    maps["LIFT-CAM"] = page.maps(net, shown, "lift_cam")
    page.gallery(
        net,
        shown,
        maps,
        columns=5,
        name=f"liftcam-orderings-{number}",
        alt=f"Maps of SHAP-CAM with 1, 10 and 100 orderings and of LIFT-CAM for {', '.join(shown.labels)}.",
        caption=f"Maps of SHAP-CAM with 1, 10 and 100 orderings, and of LIFT-CAM ({net.name}).",
    )

# %% [markdown]
"""
## What an ordering costs

Time in milliseconds per image. *Literal* is one ordering as Algorithm 1 prints it, with one pass of the head
for each channel that joins. The SHAP-CAM of this book runs only what the logit of the class depends on, and
adds up columns where the head begins with linear layers.
"""

# %%
@torch.no_grad()
def one_ordering(net, x, target):
    """Algorithm 1 with a single ordering, with one pass of the head per coalition."""
    game = CoalitionGame(net, *net.cut(x), target, "logit", None)
    game.marginal_contributions(torch.randperm(len(game.players), device=x.device)[None])


TIMED = {
    "lift_cam": ("lift_cam", {}),
    "shap_cam_1": ("shap_cam", {"n": 1}),
    "shap_cam_100": ("shap_cam", {"n": 100}),
    "shap_cam_1_literal": one_ordering,
}
times = page.times(TIMED)
milliseconds = times.pivot_table("value", "method", "network", sort=False).mul(1000).round(1)
milliseconds.rename(report.method_title).rename_axis(index=None, columns=None)

# %% [markdown]
"""
## Do the claims hold?
"""

# %%
page.verdicts(pd.concat([frame, times], ignore_index=True), "Table 1")

# %% [markdown]
"""
The verdict *equal* means that both methods have the same value on every image. Behind an affine head they
must have it.

```{admonition} Departures
:class: note
**Images and networks.** The paper takes 1,000 images each of ImageNet, VOC and COCO, and a VGG16 trained
on each dataset. The profile `paper` runs ImageNet; the parameters `dataset`, `root` and `weights` select
the others. An image of VOC or COCO counts once for each class that it shows.

**The layer.** The paper's target layer is the last convolution; the head of VGG16 behind it has three linear
layers. The activations there follow a ReLU, which matters: [Channels as players](01_shapley_values) shows
what happens where they do not.

**Runs.** The paper averages 10 runs. `runs` sets their number. Behind an affine head there is one run, since
all are the same.

**Channels of zeros** add nothing in any order and are left out. No coefficient changes.

**Masking.** Equation (10) multiplies the image by the map, so masked pixels are black. With
`masking="normalized"` the map multiplies the normalised image, and masked pixels have the mean colour, as
in most libraries. The table below has both.
```
"""

# %% tags=["nbval-check-output"]
MASKED = ["grad_cam", "lift_cam", "shap_cam_100"]
maskings = {
    f"{METRICS[m].symbol}, {masking}": (m, {"masking": masking})
    for m in METRICS_OF_TABLE_1
    for masking in ("pixels", "normalized")
}
seen = [(net, fewer(images.readable(), page.setting("masked"))) for net, images in page.opened[:1]]
both = {name: ("shap_cam", {"n": 100, "seed": 0}) if name == "shap_cam_100" else (name, {}) for name in MASKED}
masked = page.evaluate(both, maskings, seen)
means = masked.pivot_table("value", "method", "metric", sort=False).mul(100).round(1)
means.rename(report.method_title).rename_axis(index=None, columns=f"{seen[0][0].name}, n = {len(seen[0][1])} (%)")

# %%
page.departures()

# %%
page.provenance()
