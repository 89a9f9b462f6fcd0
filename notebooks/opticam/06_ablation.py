# %% [markdown]
"""
# What of Opti-CAM matters?

Opti-CAM {cite:p}`opticam` has four parts that could be otherwise: the objective, the function that
normalises the map, the layer whose channels are combined, and the optimiser's schedule. The paper
changes one at a time (section 5.5 with table 6, and appendix F.2 with tables A12, A13 and figure A5)
and finds that the objective matters most, that of three normalisations only the sigmoid is worse,
that several layers serve, and that 100 iterations at learning rate 0.1 are enough.

The paper does this on VGG-16 and ImageNet. This page recomputes the three tables and the figure.
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
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
layers: str = ""  # those of table A13, separated by commas; empty: the ReLUs of `features`, or the layer above

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
from torch import nn

from book import Page, fewer, report
from lib.metrics import METRICS

page = Page("opticam/06_ablation", globals())
net, images = page.opened[0]
METRICS_HERE = ["average_drop", "average_gain", "average_increase"]
BASELINES = page.methods(m for m in page.methods_of(6) if m != "extremal_perturbation")
page.protocol()

# %% [markdown]
r"""
## Table 6: objective and normalisation

With $s = n(\mathrm{up}(S(x; u)))$ the normalised map and $g_c$ the logit of the class, *Mask* seeks the
highest logit of the masked image, *Diff* one near that of the whole image (eq. 10 and 19):

$$
\begin{aligned}
F_\text{Mask} &= g_c(f(x \odot s)), \\
F_\text{Diff} &= -\left|\, g_c(f(x)) - g_c(f(x \odot s)) \,\right| .
\end{aligned}
$$

The map is normalised by its *range*, $(A - \min A)/(\max A - \min A)$, by its *maximum*, $A / \max A$,
or by the *sigmoid* of each value (eq. 16 to 18). Whatever was optimised, what is evaluated is the map
stretched to $[0, 1]$.
"""

# %%
variants = {
    f"opti_cam_{F}_{n}": ("opti_cam", {"objective": F, "normalisation": n})
    for n in ("range", "max", "sigmoid")
    for F in ("mask", "diff")
}
table_6 = page.evaluate(BASELINES | variants, METRICS_HERE)
page.table(6, table_6)

# %% tags=["nbval-check-output"]
page.verdicts(table_6, "Table 6")

# %% [markdown]
r"""
## Table A12: inside and outside

Two more objectives also ask that the *complement* of the map should say little (*IOMask*) or something
else (*IODiff*), appendix F.2, eq. A1 and A2:

$$
\begin{aligned}
F_\text{IOMask} &= g_c(f(x \odot s)) - g_c(f(x \odot (1 - s))), \\
F_\text{IODiff} &= F_\text{Diff} + \left|\, g_c(f(x)) - g_c(f(x \odot (1 - s))) \,\right| .
\end{aligned}
$$

All four run for 50 iterations, as its caption says.
"""

# %%
fifty = page.setting("iterations_of_table_a12")
OBJECTIVES = {"mask": "Mask", "diff": "Diff", "iomask": "IOMask", "iodiff": "IODiff"}
variants = {f"opti_cam_{F}": ("opti_cam", {"objective": F, "iterations": fifty}) for F in OBJECTIVES}
table_a12 = page.evaluate(BASELINES | variants, METRICS_HERE)
page.table("A12", table_a12)

# %% tags=["nbval-check-output"]
page.verdicts(table_a12, "Table A12")

# %%
shown = fewer(images.readable(), page.setting("shown"))
maps = {
    title: page.maps(net, shown, "opti_cam", objective=F, iterations=fifty) for F, title in OBJECTIVES.items()
}
page.gallery(
    net, shown, maps, columns=5, name="opticam-objectives",
    alt=f"Maps of Opti-CAM under the objectives Mask, Diff, IOMask and IODiff for {', '.join(shown.labels)}.",
    caption="The same images under four objectives. IOMask asks that nothing be left outside the map.",
)  # fmt: skip

# %% [markdown]
"""
## Table A13: the layer

Each layer is a cut of the same network. Earlier layers have finer and fewer channels.
"""

# %%
def relus(net):
    """The ReLUs of a convolutional part `features`, from the last; the target layer where there is none."""
    modules = net.model.named_modules()
    found = [name for name, m in modules if name.rpartition(".")[0] == "features" and isinstance(m, nn.ReLU)]
    return found[::-1] or [net.layer]


frames = []
for cut in layers.replace(" ", "").split(",") if layers else relus(net)[: page.setting("relus")]:
    opened = page.open(replace(page.experiments[0], layer=cut))
    label = f"opti_cam_layer_{cut.removeprefix('features.')}"
    frames.append(page.evaluate({label: ("opti_cam", {})}, METRICS_HERE, [opened]))
table_a13 = pd.concat(frames, ignore_index=True)
page.table("A13", table_a13)

# %% [markdown]
"""
The paper's layer numbers are places in its VGG-16. The rows below them are layers of the network here: the
ReLUs of its convolutions from the last to the first, where it is such a sequence, or else its target layer.
Parameter `layers` names others.

## Figure A5: iterations and learning rate
"""

# %%
rates, lengths = page.setting("rates"), page.setting("lengths")


def label(rate, t):
    """Of a run of t iterations; the usual ones at a rate of 0.1 are the method itself."""
    if rate != 0.1:
        return f"opti_cam_{t}_{rate}"
    return "opti_cam" if t == page.options("opti_cam", net)["iterations"] else f"opti_cam_{t}"


grid = {
    label(rate, t): ("opti_cam", {"learning_rate": rate, "iterations": t}) for rate in rates for t in lengths
}
figure_a5 = page.evaluate(grid, METRICS_HERE)

# %%
figure, panels = plt.subplots(3, 1, figsize=(6.4, 9.0), sharex=True)
values = 100 * report.by_image(figure_a5)
for panel, metric in zip(panels, METRICS_HERE):
    runs = {f"learning rate {rate:g}": values[metric][[label(rate, t) for t in lengths]] for rate in rates}
    axes = {"xlabel": "", "ylabel": f"{METRICS[metric].symbol} (%)", "ax": panel}
    report.curves(lengths, runs, emphasis="learning rate 0.1", **axes)
for panel in panels[:-1]:
    panel.get_legend().remove()
panels[-1].set(xlabel="iterations", xticks=lengths)
best = values["average_gain"].mean()
report.show(
    figure,
    name="opticam-figure-a5",
    alt=f"AD, AG and AI of Opti-CAM against the number of iterations for learning rates {str(rates)[1:-1]}. "
    f"The highest AG, {best.max():.0f} %, is that of {report.method_title(best.idxmax())}.",
    caption=f"Figure A5, computed on {len(images)} images; the band is the 95 % interval at learning rate 0.1.",
)

# %% tags=["nbval-check-output"]
page.verdicts(figure_a5, "Figure A5")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Map and mask.** While Opti-CAM optimises, the image is seen through the map as $n$ leaves it; the
metrics see every map stretched to $[0, 1]$, as those of all methods.

**Diff on a masked network.** $g_c(f(x))$ is constant, so that Diff and Mask differ only where masking
raises the logit above that of the whole image: there Diff pulls it back.

**Start.** All $u_k$ begin equal. Any constant gives the same weights, so the paper's ablation of the
start value has nothing to show; `initial` of `opti_cam` sets it.
```
"""

# %%
page.departures()

# %%
page.provenance()
