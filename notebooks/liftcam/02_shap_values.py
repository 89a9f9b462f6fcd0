# %% [markdown]
"""
# Do SHAP values make better maps?

The nearer the coefficients come to the SHAP values of the channels, the better the map: this is what
the paper {cite:p}`liftcam` sets out to show before it approximates them. It runs SHAP-CAM with 1, 10
and 100 orderings, finds that all three measures improve at each step, and that 100 orderings beat
every earlier CAM (section 4.1, table 1).

Behind an affine head all orderings give the same coefficients, so that SHAP-CAM's rows must coincide
([the page before](01_shapley_values) says why). What more orderings are worth shows only where the head
is not affine.
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
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from book import Page, fewer

page = Page("liftcam/02_shap_values", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
r"""
## Table 1

With $Y_i$ the probability of the true class on image $i$, $O_i$ on the image multiplied by its map $S$
and $D_i$ on the image multiplied by $1 - S$ (eq. 11 to 13; the paper's IC is our AI):

$$
\begin{aligned}
\mathrm{AI} &= \frac1N \sum_i 1[Y_i < O_i], \\
\mathrm{AD} &= \frac1N \sum_i \frac{[Y_i - O_i]_+}{Y_i}, \\
\mathrm{ADD} &= \frac1N \sum_i \frac{Y_i - D_i}{Y_i} .
\end{aligned}
$$

ADD keeps its sign: an image that the network likes better without its salient part counts against the
method. SHAP-CAM's rows are means over runs with different orderings, image by image; the other
methods are there for the claims.
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


frame = averaged(page.evaluate(methods, METRICS_OF_TABLE_1))
table = page.table(1, frame)
table

# %%
shap = table.frame.query("metric == 'average_drop' and method.str.startswith('shap_cam')").groupby("network")
drops = [f"{name} {', '.join(f'{mean:.0f} %' for mean in rows['mean'])}" for name, rows in shap]
page.forest(
    table.frame,
    name="liftcam-table-1",
    title="Table 1",
    printed="for VGG16 on three datasets (SHAP-CAM alone)",
    said=f"SHAP-CAM's AD with 1, 10 and 100 orderings, {'; '.join(drops)}",
)

# %% [markdown]
"""
## How a map settles

One ordering is a coin toss for each channel; a hundred are a mean.
"""

# %%
for net, images in page.having("a head that is not affine"):
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
        name=f"liftcam-orderings-{shown.name.replace('_', '-')}",
        alt=f"Maps of SHAP-CAM with 1, 10 and 100 orderings and of LIFT-CAM for {', '.join(shown.labels)}.",
        caption=f"SHAP-CAM with more and more orderings, and LIFT-CAM's one backward pass ({net.name}).",
    )

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Table 1")

# %% [markdown]
"""
*Equal* means what it says: on every image the two have the same value. Behind an affine head this is
no accident.

```{admonition} Departures
:class: note
**Images and networks.** The paper takes 1,000 images each of ImageNet, VOC and COCO, and VGG16 trained
on each. The profile `paper` restores ImageNet; `dataset`, `root` and `weights` the others. An image of
VOC or COCO counts once for each class that is in it.

**The layer.** The paper's maps are the last convolution's, whose head in VGG16 has three linear layers.
They are activations after a ReLU, and that matters: see [the first page](01_shapley_values).

**Runs.** The paper averages 10 runs. `runs` sets their number; behind an affine head one is made, since
all are the same.

**Channels of zeros** add nothing in any order and are left out; no coefficient changes.

**Masking.** Equation (10) multiplies the image; masked is black. `masking="normalized"` is the mean
colour.
```
"""

# %%
page.departures()

# %%
page.provenance()
