# ---
# jupyter:
#   jupytext:
#     cell_markers: '"""'
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
r"""
# How selective should a map be?

Raise a map to a power before it is used: a small exponent makes it flat, so that the network sees nearly
the whole image, a large one leaves only its peaks. The order of the pixels stays the same. Opti-CAM
{cite:p}`opticam` reports (appendix F.1, figure A4) that its own maps are best as they are: AG and AI peak
at exponent 1, and AD stays near zero below 2. The other methods care less, and are not at their best at 1.

This page computes the figure on photographs of ImageNet classes, from the maps of
[the first page](01_classification_metrics).
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>; empty: the profile's network
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # imagenet_embedded, imagenet, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd

from book import report
from lib import data, nets
from book.experiments import by_cost, settings
from lib.evaluate import evaluate
from lib.methods import METHODS
from lib.metrics import METRICS
from book.parameters import check_parameters, choose
from lib.paths import BUILD

check_parameters()
name = network or choose(
    profile, smoke="tf_efficientnet_lite0", embedded="tf_efficientnet_lite0", paper="torchvision:vgg16_bn"
)
net = nets.load(name, weights=weights or None, layer=layer or None, device=device)
images = data.load(
    dataset or choose(profile, smoke="imagenet_embedded", embedded="imagenet_embedded", paper="imagenet"),
    root=root or None,
    limit=n_images or choose(profile, smoke=2, embedded=None, paper=1000),
    size=net.input_size,
)
store = BUILD / "results"

# %% [markdown]
r"""
## Figure A4

AD, AG and AI of $S^\alpha$, element by element, for exponents $\alpha$ from 0.01 to 10: the paper's ten, of which the
embedded profile takes seven.
"""

# %%
EXPONENTS = choose(
    profile,
    smoke=[0.1, 1, 3],
    embedded=[0.01, 0.1, 0.5, 1, 1.5, 3, 10],
    paper=[0.01, 0.05, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10],
)
METRICS_HERE = ["average_drop", "average_gain", "average_increase"]
COMPARED = [
    "grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam", "layer_cam", "opti_cam",
]  # fmt: skip
if profile == "smoke":
    COMPARED.remove("score_cam")  # a pass a channel
OPTIONS = settings(profile)

asked = {f"{m}, {exponent}": (m, exponent) for exponent in EXPONENTS for m in METRICS_HERE}
metrics = {label: (m, {"exponent": float(exponent)}) for label, (m, exponent) in asked.items()}
frame = pd.concat(
    [
        evaluate(net, some, compared, metrics, batch_size=batch_size, store=store)
        for compared, some in by_cost({m: (m, OPTIONS.get(m, {})) for m in COMPARED}, images, profile)
    ],
    ignore_index=True,
)
frame["metric"], frame["exponent"] = zip(*frame["metric"].map(asked))
for row in frame.dropna(subset="error").drop_duplicates("image").itertuples():
    print(f"left out: {row.image}: {row.error}")

# %%
report.style()
figure, panels = plt.subplots(3, 1, figsize=(6.4, 10.2), sharex=True)
for panel, metric in zip(panels, METRICS_HERE):
    wide = frame[frame["metric"] == metric].pivot(index="image", columns=["method", "exponent"], values="value")
    report.curves(
        EXPONENTS,
        {METHODS[m].title: 100 * wide[m][EXPONENTS].dropna().to_numpy() for m in COMPARED},
        xlabel="",
        ylabel=f"{METRICS[metric].symbol} (%)",
        emphasis="Opti-CAM",
        ax=panel,
    )
    panel.set_xscale("log")
    panel.axvline(1, color="0.5", linestyle=":", zorder=0)
for panel in panels[:-1]:
    panel.get_legend().remove()
ticks = [e for e in EXPONENTS if e in (0.01, 0.1, 1, 3, 10)]
panels[-1].set(xlabel="exponent", xticks=ticks, xticklabels=[f"{e:g}" for e in ticks])
means = frame[frame["method"] == "opti_cam"].groupby(["metric", "exponent"])["value"].mean()
report.show(
    figure,
    name="opticam-figure-a4",
    alt="AD, AG and AI of each method against the exponent of its maps. Opti-CAM's AG is highest, "
    f"{means['average_gain'].max():.0%}, at exponent {means['average_gain'].idxmax():g}.".replace("%", " %"),
    caption=f"Figure A4, computed on {len(images)} images, {net.name}; the band is Opti-CAM's 95 % interval.",
)

# %% [markdown]
"""
The exponent at which each method is best, and what it gains over its maps as they are:
"""

# %%
mean = frame.groupby(["method", "metric", "exponent"], sort=False)["value"].mean().mul(100)
rows = {}
for method in COMPARED:
    row = rows[METHODS[method].title] = {}
    for metric in METRICS_HERE:
        values, label = mean[method, metric], METRICS[metric]
        best = values.idxmax() if label.higher_is_better else values.idxmin()
        row[label.symbol] = f"{values[best]:.1f} at {best:g} ({values[1]:.1f} at 1)"
pd.DataFrame(rows).T

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
labels = frame["method"] + frame["exponent"].map(lambda e: "" if e == 1 else f"_exponent_{e:g}")
report.claims_table(report.claims("opticam", "Figure A4"), frame.assign(method=labels))

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Network and images.** EfficientNet-Lite0 and 20 photographs stand for VGG-16 and 1,000 images of ImageNet;
the profile `paper` restores them.

**The map.** The exponent acts on the map in $[0, 1]$ at the image's size. Zero stays zero and one stays one,
so at the smallest exponent a map is nearly Fake-CAM's: ones wherever it is not exactly zero.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
