# %% [markdown]
"""
# What of Opti-CAM matters?

Opti-CAM {cite:p}`opticam` makes four choices: the objective, the function that normalises the map, the
layer whose channels are combined, and the number of iterations with their learning rate. The paper varies
these choices (section 5.5 with table 6, and appendix F.2 with tables A12, A13 and figure A5). It finds that
the objective matters more than the normalisation, that of three normalisations only the sigmoid is worse,
that several layers are competitive, and that 100 iterations at a learning rate of 0.1 are optimal.

The paper uses VGG-16 and ImageNet. This page recomputes the three tables and the figure on photographs.
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
batch_size: int = 4  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
layers: str = ""  # those of table A13, separated by commas; empty: the profile's, or the layer above

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, fewer, report
from lib.evaluate import evaluate_maps
from lib.methods.opti_cam import optimise
from lib.metrics import METRICS
from lib.saliency import finish, upsample

page = Page("opticam/06_ablation", globals())
net, images = page.opened[0]
METRICS_HERE = ["average_drop", "average_gain", "average_increase"]
BASELINES = {method: (method, {}) for method in page.methods_of(6)}
page.protocol()

# %% [markdown]
r"""
## Table 6: objective and normalisation

With $s = n(\mathrm{up}(S(x; u)))$ the normalised map and $g_c$ the logit of the class, *Mask* maximises the
logit of the masked image, and *Diff* brings it near the logit of the whole image (eq. 10 and 19):

$$
\begin{aligned}
F_\text{Mask} &= g_c(f(x \odot s)), \\
F_\text{Diff} &= -\left|\, g_c(f(x)) - g_c(f(x \odot s)) \,\right| .
\end{aligned}
$$

The map is normalised by its *range*, $(A - \min A)/(\max A - \min A)$, by its *maximum*, $A / \max A$,
or by the *sigmoid* of each value (eq. 16 to 18). Each map is evaluated under the normalisation under which it was
optimised.
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
"""
Where the smallest value of a map is zero, range and maximum are the same function. The paper explains their similar
results by this: the smallest value, it says, is often zero or close to zero. Here:
"""

# %%
for one, seen in page.opened:
    raw = upsample(page.maps(one, seen.readable(), "opti_cam", raw=True), seen.size)
    share = 100 * raw.amin((1, 2)) / raw.amax((1, 2))
    print(f"{one.name}: the smallest value is {share.median():.1f} % of the largest, in the median of {len(share)} "
          f"maps, and at most {share.max():.1f} %")  # fmt: skip

# %% [markdown]
r"""
## Table A12: inside and outside

Two more objectives also involve the *complement* of the map (appendix F.2, eq. A1 and A2). Under the complement,
*IOMask* asks for a low logit, and *IODiff* for a logit far from that of the whole image:

$$
\begin{aligned}
F_\text{IOMask} &= g_c(f(x \odot s)) - g_c(f(x \odot (1 - s))), \\
F_\text{IODiff} &= F_\text{Diff} + \left|\, g_c(f(x)) - g_c(f(x \odot (1 - s))) \,\right| .
\end{aligned}
$$

All four objectives run with the same options. The paper's caption says 50 iterations, but its rows of Mask and Diff
have the numbers of table 6, for which the paper mentions no fewer than 100.
"""

# %%
OBJECTIVES = {"mask": "Mask", "diff": "Diff", "iomask": "IOMask", "iodiff": "IODiff"}


def four(net):
    """The rows of table A12 on a network."""
    options = page.setting("table_a12", net)
    return BASELINES | {f"opti_cam_{F}": ("opti_cam", options | {"objective": F}) for F in OBJECTIVES}


table_a12 = page.evaluate(four, METRICS_HERE)
page.table("A12", table_a12)

# %% tags=["nbval-check-output"]
page.verdicts(table_a12, "Table A12")

# %%
shown = fewer(images.readable(), page.setting("shown"))
maps = {
    title: page.maps(net, shown, "opti_cam", **page.setting("table_a12", net), objective=F)
    for F, title in OBJECTIVES.items()
}
page.gallery(
    net, shown, maps, columns=5, name="opticam-objectives",
    alt=f"Maps of Opti-CAM under the objectives Mask, Diff, IOMask and IODiff for {', '.join(shown.labels)}.",
    caption="The same images under four objectives. IOMask also asks for a low logit outside the map.",
)  # fmt: skip

# %% [markdown]
"""
## Table A13: the layer

Each row takes its channels from another layer of the same network. Earlier layers have finer grids and fewer
channels. The paper's layer numbers are positions in its VGG-16, from the last activation (42) to the first pooling
(6). The layers of another network have names of their own, and their rows are not compared with the paper's.
"""

# %%
def cuts(net):
    """The layers of table A13, by their labels in the table."""
    asked = page.setting("layers", net) or net.layer
    named = asked if isinstance(asked, dict) else {name: name for name in asked.replace(" ", "").split(",")}
    return {str(label).replace(".", ""): layer for label, layer in named.items()}


of_layers, frames, grids = fewer(images, page.setting("images_a_layer")), [], {}
for name, cut in cuts(net).items():
    at, _ = page.open(replace(page.experiments[0], layer=cut))
    label = f"opti_cam_layer_{name}"
    frames.append(page.evaluate({label: ("opti_cam", page.setting("layer_options"))}, METRICS_HERE, [(at, of_layers)]))
    with torch.no_grad():
        K, h, w = at.features(of_layers.readable(1)[0].image[None].to(at.device, at.dtype)).shape[1:]
    grids[label] = f"{K} channels of {h} x {w}"
table_a13 = pd.concat(frames, ignore_index=True)
page.table("A13", table_a13)

# %%
gain = 100 * report.by_image(table_a13)["average_gain"].mean()
for label, grid in grids.items():
    print(f"{report.method_title(label)}: {grid}, AG {gain[label]:.1f} %")
print(f"the highest AG is that of {report.method_title(gain.idxmax())}, {gain.max():.1f} %")

# %% tags=["nbval-check-output"]
page.verdicts(table_a13, "Table A13")

# %% [markdown]
"""
## Figure A5: iterations and learning rate

A run of 100 iterations contains every shorter run, so that one run per learning rate gives its whole curve.
"""

# %%
rates, T = page.setting("rates"), page.setting("iterations")
lengths = sorted({max(1, T * tenth // 10) for tenth in range(1, 11)})
of_curves = fewer(images.readable(), page.setting("images_a_rate"))


def label(rate, t):
    """The label of a run of t iterations; the longest run at a rate of 0.1 is the method itself."""
    if rate != 0.1:
        return f"opti_cam_{t}_{rate}"
    return "opti_cam" if t == T else f"opti_cam_{t}"


def after(rate):
    """The maps S (N, H, W) of the images after each number of iterations, by label."""
    runs = [optimise(net, x, c, iterations=T, learning_rate=rate) for x, c in page.batches(net, of_curves)]
    paths = [run.after(lengths) for run in runs]
    raw = torch.cat(paths, dim=1)  # (len(lengths), N, h, w)
    return {label(rate, t): finish("opti_cam", M, of_curves.size).cpu() for t, M in zip(lengths, raw)}


frames = [evaluate_maps(net, of_curves, after(rate), METRICS_HERE, batch_size=batch_size) for rate in rates]
figure_a5 = pd.concat(frames, ignore_index=True).assign(architecture=net.architecture)

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
    caption=f"Opti-CAM, figure A5, computed on {len(of_curves)} images, {net.name}; the band is the 95 % interval at learning "
    f"rate 0.1. The highest AG, {best.max():.0f} %, is that of {report.method_title(best.idxmax())}.",
)

# %%
half = {"opti_cam": ("opti_cam", {"iterations": T}), f"opti_cam_{T // 2}": ("opti_cam", {"iterations": T // 2})}
times = page.times(half, [(net, of_curves)])

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([figure_a5, times], ignore_index=True), "Figure A5")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Map and mask.** A map normalised by its maximum or by the sigmoid need not reach zero. The sigmoid of a non-negative
activation lies between one half and one, so that the network sees the whole image, darkened. The maps of the other
methods are stretched to $[0, 1]$.

**Diff and Mask.** $g_c(f(x))$ is constant. Diff and Mask therefore differ only where masking raises the logit above
that of the whole image: Diff then pulls it back.

**Start.** All $u_k$ start at the same value. Any such value gives the same weights, so that the paper's ablation of
the initial value cannot show a difference. Option `initial` of `opti_cam` sets it.
```
"""

# %%
page.departures()

# %%
page.provenance()
