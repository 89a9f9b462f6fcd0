# %% [markdown]
r"""
# How selective should a map be?

Raise a map to a power before it is used: a small exponent makes it flat, so that the network sees nearly
the whole image, a large one leaves only its peaks. The order of the pixels stays the same. Opti-CAM
{cite:p}`opticam` reports (appendix F.1, figure A4) that its own maps are best as they are: AG and AI peak
at exponent 1, and AD stays near zero below 2. The other methods care less, and are not at their best at 1.

This page computes the figure, from maps as on [the first page](01_classification_metrics).
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
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd

from book import Page, report
from lib.metrics import METRICS

page = Page("opticam/11_selectivity", globals())
net, images = page.opened[0]
page.protocol()

# %% [markdown]
r"""
## Figure A4

AD, AG and AI of $S^\alpha$, element by element. The paper takes ten exponents $\alpha$ from 0.01 to 10.
"""

# %%
COMPARED = ["grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam", "layer_cam", "opti_cam"]
METRICS_OF_FIGURE_A4 = ["average_drop", "average_gain", "average_increase"]
EXPONENTS = page.setting("exponents")
asked = {f"{m}, {exponent}": (m, exponent) for exponent in EXPONENTS for m in METRICS_OF_FIGURE_A4}
metrics = {label: (m, {"exponent": float(exponent)}) for label, (m, exponent) in asked.items()}
frame = page.evaluate(COMPARED, metrics)
frame["metric"], frame["exponent"] = zip(*frame["metric"].map(asked))

titles = {method: report.method_title(method) for method in page.methods(COMPARED, net)}
figure, panels = plt.subplots(3, 1, figsize=(6.4, 10.2), sharex=True)
for panel, metric in zip(panels, METRICS_OF_FIGURE_A4):
    rows = frame[frame["metric"] == metric]
    values = rows.pivot(index="image", columns=["method", "exponent"], values="value")
    lines = {title: 100 * values[method][EXPONENTS].dropna() for method, title in titles.items()}
    report.curves(EXPONENTS, lines, xlabel="", ylabel=f"{METRICS[metric].symbol} (%)", emphasis="Opti-CAM", ax=panel)
    panel.set_xscale("log")
    panel.axvline(1, color="0.5", linestyle=":", zorder=0)
for panel in panels[:-1]:
    panel.get_legend().remove()
ticks = [e for e in EXPONENTS if e in (0.01, 0.1, 1, 3, 10)]
panels[-1].set(xlabel="exponent", xticks=ticks, xticklabels=[f"{e:g}" for e in ticks])
mean = 100 * frame.groupby(["method", "metric", "exponent"], sort=False)["value"].mean()
gain = mean["opti_cam", "average_gain"]
seen = frame.dropna(subset="value")["image"].nunique()
report.show(
    figure,
    name="opticam-figure-a4",
    alt="AD, AG and AI of each method against the exponent of its maps. Opti-CAM's AG is highest, "
    f"{gain.max():.0f} %, at exponent {gain.idxmax():g}.",
    caption=f"Figure A4, computed at {len(EXPONENTS)} exponents on {seen} images, {net.name}; the band is Opti-CAM's "
    "95 % interval.",
)

# %% [markdown]
"""
The exponent at which each method is best, and what it gains over its maps as they are:
"""

# %%
def best(method, metric):
    """The mean at the best exponent, and at 1."""
    values = mean[method, metric]
    at = values.idxmax() if METRICS[metric].higher_is_better else values.idxmin()
    return f"{values[at]:.1f} at {at:g} ({values[1]:.1f} at 1)"


pd.DataFrame(
    {METRICS[m].symbol: [best(method, m) for method in titles] for m in METRICS_OF_FIGURE_A4}, titles.values()
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
suffix = frame["exponent"].map(lambda e: "" if e == 1 else f"_exponent_{e:g}")
page.verdicts(frame.assign(method=frame["method"] + suffix), "Figure A4")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**The map.** The exponent acts on the map in $[0, 1]$ at the image's size. Zero stays zero and one stays one,
so at the smallest exponent a map is nearly Fake-CAM's: ones wherever it is not exactly zero.
```
"""

# %%
page.departures()

# %%
page.provenance()
