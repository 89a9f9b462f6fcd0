# %% [markdown]
r"""
# How selective should a map be?

A saliency map can be raised to a power before it is used as a mask. A small exponent makes the map flat, so
that the network sees nearly the whole image; a large exponent leaves only the peaks. The order of the pixels
stays the same. The Opti-CAM paper {cite:p}`opticam` reports that Opti-CAM's maps are best as they are: AG and
AI peak at exponent 1, and AD stays near zero below 2 (appendix F.1, figure A4). The AD of the other methods
increases linearly with the exponent. They are less sensitive to it, and their AI is not best at 1.

This page recomputes the figure, from maps as on [the page on classification metrics](01_classification_metrics).
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from book import Page, report
from lib.metrics import METRICS

page = Page("opticam/11_selectivity", globals())
page.protocol()

# %% [markdown]
r"""
## Figure A4

AD, AG and AI of $S^\alpha$, where each value of the map $S$ is raised to the exponent $\alpha$. The paper takes ten
exponents from 0.01 to 10.
"""

# %%
COMPARED = ["grad_cam", "grad_cam_plus_plus", "score_cam", "ablation_cam", "xgrad_cam", "layer_cam", "opti_cam"]
METRICS_OF_FIGURE_A4 = ["average_drop", "average_gain", "average_increase"]
EXPONENTS = page.setting("exponents")
asked = {f"{m}, {exponent}": (m, exponent) for exponent in EXPONENTS for m in METRICS_OF_FIGURE_A4}
metrics = {label: (m, {"exponent": float(exponent)}) for label, (m, exponent) in asked.items()}
frame = page.evaluate(COMPARED, metrics)
frame["metric"], frame["exponent"] = zip(*frame["metric"].map(asked))

# %%
means = {
    keys: 100 * rows.groupby("exponent")["value"].mean()
    for keys, rows in frame.groupby(["network", "method", "metric"], sort=False)
}
for net, images in page.opened:
    rows = frame[frame["network"] == net.name]
    titles = {method: report.method_title(method) for method in page.methods(COMPARED, net)}
    figure, panels = plt.subplots(3, 1, figsize=(6.4, 10.2), sharex=True)
    for panel, metric in zip(panels, METRICS_OF_FIGURE_A4):
        values = rows[rows["metric"] == metric].pivot(index="image", columns=["method", "exponent"], values="value")
        lines = {title: 100 * values[method][EXPONENTS].dropna() for method, title in titles.items()}
        axes = {"xlabel": "", "ylabel": f"{METRICS[metric].symbol} (%)", "emphasis": "Opti-CAM", "ax": panel}
        report.curves(EXPONENTS, lines, **axes)
        panel.set_xscale("log")
        panel.axvline(1, color="0.5", linestyle=":", zorder=0)
    for panel in panels[:-1]:
        panel.get_legend().remove()
    ticks = [e for e in EXPONENTS if e in (0.01, 0.1, 1, 3, 10)]
    panels[-1].set(xlabel="exponent", xticks=ticks, xticklabels=[f"{e:g}" for e in ticks])
    gain = means[net.name, "opti_cam", "average_gain"]
    report.show(
        figure,
        name=f"opticam-figure-a4-{net.name.replace('_', '-').replace(':', '-')}",
        alt="AD, AG and AI of each method against the exponent of its maps. Opti-CAM's AG is highest, "
        f"{gain.max():.0f} %, at exponent {gain.idxmax():g}.",
        caption=f"Opti-CAM, figure A4, computed at {len(EXPONENTS)} exponents on {rows['image'].nunique()} images, {net.name}; the "
        f"band is Opti-CAM's 95 % interval. Its AG is highest, {gain.max():.0f} %, at exponent {gain.idxmax():g}.",
    )

# %% [markdown]
"""
The value of each method at its best exponent, and in parentheses at 1, for its maps as they are:
"""

# %%
def best(network, method, metric):
    """The mean at the best exponent, and at 1."""
    values = means[network, method, metric]
    at = values.idxmax() if METRICS[metric].higher_is_better else values.idxmin()
    return f"{values[at]:.1f} at {at:g} ({values[1]:.1f} at 1)"


ran = dict.fromkeys((network, method) for network, method, _ in means)
table = {
    (name, report.method_title(m)): {METRICS[of].symbol: best(name, m, of) for of in METRICS_OF_FIGURE_A4}
    for name, m in ran
}
pd.DataFrame(table).T.rename_axis(["network", "method"])

# %% [markdown]
r"""
Is AD linear in the exponent? For each method, the table has the share of the variance of its means that a straight
line explains ($R^2$), in the exponent and in its logarithm. It also has the mean at exponent 3, beside the straight
line from the first to the last exponent at 3. A curve that levels off is far above this line.
"""

# %%
def line(at, ends):
    """The straight line between values at the first and the last exponent."""
    return ends[0] + (ends[1] - ends[0]) * (at - EXPONENTS[0]) / (EXPONENTS[-1] - EXPONENTS[0])


linear = {}
for network, method in ran:
    drop = means[network, method, "average_drop"][EXPONENTS]
    linear[network, report.method_title(method)] = {
        "R² in the exponent": f"{np.corrcoef(EXPONENTS, drop)[0, 1] ** 2:.2f}",
        "R² in its logarithm": f"{np.corrcoef(np.log(EXPONENTS), drop)[0, 1] ** 2:.2f}",
        "AD at 3 (%)": f"{drop[3]:.1f}",
        "on the line (%)": f"{line(3, (drop.iloc[0], drop.iloc[-1])):.1f}",
    }
pd.DataFrame(linear).T.rename_axis(["network", "method"])

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
KEYS = ["network", "method", "metric", "image"]
at = {exponent: rows.set_index(KEYS)["value"] for exponent, rows in frame.groupby("exponent")}
label = frame["method"] + frame["exponent"].map(lambda e: "" if e == 1 else f"_exponent_{e:g}")
own = pd.MultiIndex.from_frame(frame[KEYS])
change = frame["value"] - at[1].reindex(own).to_numpy()
straight = line(frame["exponent"], [at[e].reindex(own).to_numpy() for e in (EXPONENTS[0], EXPONENTS[-1])])
derived = [frame.assign(method=label + "_change", value=change), frame.assign(method=label + "_line", value=straight)]
page.verdicts(pd.concat([frame.assign(method=label), *derived], ignore_index=True), "Figure A4")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Map.** The exponent acts on the map in $[0, 1]$ at the size of the image. Zero stays zero, and one stays one. At
the smallest exponent a map is therefore nearly Fake-CAM's: close to one wherever it is not exactly zero.
```
"""

# %%
page.departures()

# %%
page.provenance()
