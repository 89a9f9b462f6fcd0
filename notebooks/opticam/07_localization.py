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
"""
# Localisation

Does a map find the object? Opti-CAM {cite:p}`opticam` argues that this is [the wrong
question](05_bounding_boxes), and answers it all the same, with the seven measures of appendix B
(tables A7 and A8): the *official metric* (OM) and the *localisation error* (LE), the pixel-wise *F1*, *box
accuracy* (BA), the *standard* and *energy pointing game* (SP, EP) and the *saliency metric* (SM). It finds
that Opti-CAM does best where a box is drawn around the map (OM, LE), and poorly where a map is to be
focused (SP, EP), since its maps are spread out.

This page recomputes table A7 on photographs with boxes drawn by hand, and on [drawn scenes](real),
a test bed with exact boxes.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, scenes_vgg; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # imagenet_embedded, imagenet, scenes; empty: the profile's; it needs boxes
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch
from scipy.stats import spearmanr

from book import report
from book.experiments import Case, boxed, fewer, settings
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.metrics.box_accuracy import overlaps
from lib.metrics.boxes import iou, largest_component, marked, predicted_boxes
from book.parameters import check_parameters, choose
from lib.paths import BUILD
from book.report.published import kind

check_parameters()
CASES = boxed(profile, network=network, layer=layer, dataset=dataset, n_images=n_images)
if profile == "paper" and not network:
    CASES += [
        Case(name, dataset or "imagenet", layer, n_images or None)
        for name in ("vit_base_patch16_224", "deit_base_patch16_224")
    ]
opened = [case.open(weights=weights, root=root, device=device) for case in CASES]
OPTIONS = settings(profile)
store = BUILD / "results"


def methods(net):
    table = "A8" if kind(net.name) == "transformer" else "A7"
    names = report.published("opticam", table)["method"].unique()
    return {m: (m, OPTIONS.get(m, {})) for m in names if m in METHODS}


def maps_of(net, block, method):
    return saliency_maps(net, block, method, batch_size=batch_size, store=store, **OPTIONS.get(method, {}))


# %% [markdown]
r"""
## From a map to a box

The map is cut at its mean; of what is above, the largest connected part is kept, and the tightest box
around it is the predicted box $B_p$. It is compared with the object's boxes $\mathcal{B}$.
"""

# %%
net, images = opened[0]
few = fewer(images, choose(profile, smoke=1, embedded=3, paper=3)).readable()
report.style()
figure, panels = plt.subplots(len(few), 4, figsize=(6.4, 1.95 * len(few)), squeeze=False)
found = []
for column, method in ((0, "grad_cam"), (2, "opti_cam")):
    S = maps_of(net, few, method)
    for i, (row, sample) in enumerate(zip(panels, few)):
        above = marked(S[i : i + 1])[0]
        part = torch.from_numpy(largest_component(above.numpy()))
        box = predicted_boxes(S[i : i + 1])
        overlap = iou(box, sample.boxes).max().item()
        found.append(f"{METHODS[method].title} on {images.classes[sample.target]} {overlap:.2f}")
        row[column].imshow(report.overlay(sample.image, S[i]))
        row[column].set_title(METHODS[method].title)
        shade = 0.25 + 0.35 * above + 0.4 * part  # the rest, what is above the mean, its largest part
        row[column + 1].imshow(sample.image.permute(1, 2, 0) * shade[..., None])
        row[column + 1].set_title(f"IoU {overlap:.2f}")
        for x0, y0, x1, y1 in sample.boxes.tolist():
            row[column + 1].add_patch(plt.Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, color="white", lw=1.8, ls="--"))
        x0, y0, x1, y1 = box[0].tolist()
        row[column + 1].add_patch(plt.Rectangle((x0, y0), x1 - x0 - 1, y1 - y0 - 1, fill=False, color="#ffa90e", lw=2.4))
for panel in panels.flat:
    panel.axis("off")
report.show(
    figure,
    name="opticam-predicted-boxes",
    alt="Maps of Grad-CAM and Opti-CAM, the largest part above the map's mean, its box and the object's boxes. "
    "Intersection over union: " + "; ".join(found) + ".",
    caption="Each map, and beside it what it marks: brightest the largest part above the mean, darkest what is below. "
    "Solid: the predicted box; dashed: the object's. IoU with the best of them.",
)

# %% [markdown]
r"""
## Table A7

With $U$ the union of the object's boxes, $c_p$ the predicted class and $p^c$ the probability of the true
class (eq. A1 to A7):

$$
\begin{aligned}
\mathrm{LE} &= 1 - \max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p), \\
\mathrm{OM} &= 1 - \max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p)\, 1[c_p = c], \\
F_1 &= \frac{2PR}{P + R}, \\
P &= \frac{\sum_U S}{\sum S}, \qquad R = \frac{\sum_U S}{|U|}, \\
\mathrm{BA} &= \tfrac13 \sum_\delta \max_\eta \frac1N \sum_i b_i(\delta, \eta), \\
b_i &= 1\big[\max_{B} \mathrm{IoU}(B, B_p^\eta) \ge \delta\big], \\
\mathrm{SP} &= 1\big[\arg\max S \in U\big], \qquad \mathrm{EP} = P, \\
\mathrm{SM} &= \log \max\Big(0.05, \frac{|B_p|}{hw}\Big) - \log p^c .
\end{aligned}
$$

Box accuracy {cite:p}`wsol` cuts at the threshold $\eta$ that is best for the whole data set, one for each
$\delta \in \{0.3, 0.5, 0.7\}$; its intervals hold these thresholds fixed.
"""

# %%
METRICS_OF_TABLE_A7 = list(report.published("opticam", "A7")["metric"].unique())
frames = [
    evaluate(net, images, methods(net), [*METRICS_OF_TABLE_A7, "average_gain"], batch_size=batch_size, store=store)
    for net, images in opened
]
frame = pd.concat(frames, ignore_index=True)
for row in frame.dropna(subset="error").drop_duplicates("image").itertuples():
    print(f"left out: {row.image}: {row.error}")
table = report.comparison("opticam", "A7", frame)
table

# %%
def leaders(metric):
    cells = table.frame[(table.frame["metric"] == metric) & (table.frame["method"] != "fake_cam")]
    better = "idxmax" if METRICS[metric].higher_is_better else "idxmin"
    best = [rows.loc[getattr(rows["mean"], better)(), "title"] for _, rows in cells.query("n > 0").groupby("network", sort=False)]
    return f"{METRICS[metric].symbol} {' and '.join(best)}"


for name, some in {
    "boxes": ["official_metric", "localization_error", "box_accuracy", "saliency_metric"],
    "pixels": ["pixel_f1", "pointing_game", "energy_pointing_game"],
}.items():
    report.show(
        report.forest(table.frame[table.frame["metric"].isin(some)]),
        name=f"opticam-table-a7-{name}",
        alt="Each method, here with 95 % intervals and as printed. Best on "
        + " and ".join(net.name for net, _ in opened)
        + ", but for Fake-CAM: " + ", ".join(map(leaders, some)) + ".",
        caption=f"Table A7 as a picture: the measures of {name}. Filled markers are means here with 95 % intervals over "
        "images, hollow markers what the paper prints for ImageNet.",
    )  # fmt: skip

# %% [markdown]
"""
## Table A8

The transformers of the embedded profile read digits, which have no boxes; ViT and DeiT run in the
profile `paper`, on ImageNet.
"""

# %%
report.comparison("opticam", "A8", frame)

# %% [markdown]
r"""
## Localisation is not explanation

If finding the object and explaining the decision were the same task, methods that are good at one would
be good at the other. Each point is a method; to the right is better localisation, upwards is more
average gain. $\rho$ is the rank correlation over the methods but Fake-CAM.
"""

# %%
AXES = ["localization_error", "pixel_f1", "energy_pointing_game"]
means = frame.pivot_table("value", ["network", "method"], "metric", sort=False)
report.style()
figure, panels = plt.subplots(len(opened), 3, figsize=(6.4, 2.35 * len(opened) + 0.9), squeeze=False, sharey="row")
told = []
for (net, _), row in zip(opened, panels):
    of_net = means.loc[net.name]
    for ax, metric in zip(row, AXES):
        sign = 1 if METRICS[metric].higher_is_better else -1
        rho = spearmanr(*(of_net.drop("fake_cam")[m] for m in (metric, "average_gain"))).statistic * sign
        told.append(f"{METRICS[metric].symbol} on {net.name} {rho:+.2f}")
        for (method, point), marker, colour in zip(of_net.iterrows(), "Xosv^DP*<>hd", plt.color_sequences["petroff10"] * 2):
            strong = {"ms": 11, "zorder": 4} if method == "opti_cam" else {"ms": 7, "zorder": 3}
            ax.plot(100 * point[metric], 100 * point["average_gain"], marker, color=colour, label=METHODS[method].title, ls="", **strong)
        if sign < 0:
            ax.invert_xaxis()
        ax.set_title(rf"$\rho$ = {rho:+.2f}".replace("-", "−"))
        ax.set_xlabel(f"{METRICS[metric].symbol} (%)")
        ax.margins(0.12)
        ax.grid()
    row[0].set_ylabel(f"AG (%)\n{net.name}", fontsize=11)
figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
report.show(
    figure,
    name="opticam-localisation-and-gain",
    alt="Average gain of each method against its LE, F1 and EP. Rank correlation without Fake-CAM: " + "; ".join(told) + ".",
    caption="Localisation against average gain, a marker a method; LE runs from right to left, so that the right is better "
    "in every panel.",
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
report.claims_table(report.claims("opticam", "Table A7", "Table A8"), frame)

# %% [markdown]
r"""
## What the printed numbers tell

Fake-CAM's map is one everywhere but in a corner, so that some of its values follow from others by the
definitions above. Its box is the whole image, hence no method can have a larger SM: the logarithm of an
area is at most zero. Its LE is the share of the image that the largest box leaves free, hence EP, the
share of all boxes, is at least $1 - \mathrm{LE}$. And its maximum is everywhere, so that SP depends on how
ties are broken. The printed tables, network by network:
"""

# %% tags=["nbval-check-output"]
printed = pd.concat([report.published("opticam", "A7"), report.published("opticam", "A8")])
rows = []
for name, cells in printed.groupby("network", sort=False):
    values = cells.pivot(index="method", columns="metric", values="value")
    fake = values.loc["fake_cam"]
    larger = (values["saliency_metric"] > fake["saliency_metric"]).sum()
    rows.append((name, fake["saliency_metric"], f"{larger} of {len(values) - 1}", fake["energy_pointing_game"],
                 100 - fake["localization_error"], fake["pointing_game"]))  # fmt: skip
columns = ["network", "SM of Fake-CAM", "methods with larger SM", "EP of Fake-CAM", "its least value, 100 − LE", "SP of Fake-CAM"]
pd.DataFrame(rows, columns=columns).set_index("network")

# %% [markdown]
r"""
So the printed SM is not that of eq. A7 with $p^c$ of the image. With $p^c$ of the *crop* that the box
holds, as the measure's authors define it {cite:p}`saliency_metric`, a box that misses the object is
punished and methods can be worse than Fake-CAM, as the last table below shows. The printed EP is below
its least value, as if the boxes were partly outside the image; [the page on boxes](05_bounding_boxes)
makes that slip on purpose. And SP near 100 % means that a tie counts as a hit if any of the maxima does.

```{admonition} Departures
:class: note
**Images, boxes and networks** as [on the page before](05_bounding_boxes). The paper writes ILSVRC2014,
whose boxes are those of ImageNet.

**Above the mean.** The paper "thresholds at the average value": here at or above it, so that a map of
zeros marks the whole image rather than nothing. The first table below has LE at other thresholds, with
the overlaps of box accuracy (one pixel added to each side).

**Scores, not hits.** OM and LE are one minus the overlap, as eq. A1 and A2 are written. The code of
earlier work counts overlaps above a half.

**Saliency metric.** $p^c$ is of the image, as eq. A7 is written; option `of="crop"`. The second table
has both.

**Ties.** The maximum is the first in raster order; option `ties="any"`. It concerns Fake-CAM, and maps
with a plateau.

**Box accuracy.** The paper does not say which thresholds: here 255, $\eta = 0, 1/255, \dots$, and the strict
inequality of eq. A5.

**ExtremalPerturbation** runs as briefly as on [the first page](01_classification_metrics).
```
"""

# %%
rows = []
for net, images in opened:
    block = images.readable(32)
    boxes = [sample.boxes for sample in block]
    for method in methods(net):
        S = maps_of(net, block, method)
        error = 1 - overlaps(None, None, None, S, boxes=boxes).mean(0)  # (T,), at each threshold
        mean = 1 - torch.stack([iou(b[None], true, plus=1).max() for b, true in zip(predicted_boxes(S), boxes)]).mean()
        best = error.argmin().item()
        fixed = [error[round(255 * eta)].item() for eta in (0.2, 0.5, 0.8)]
        rows.append((net.name, METHODS[method].title, *(100 * e for e in (mean.item(), *fixed, error[best].item())), best / 255))
columns = ["network", "LE (%), first images", "at the mean", "at 0.2", "at 0.5", "at 0.8", "at the best", "which is"]
thresholds = pd.DataFrame(rows, columns=columns).set_index(columns[:2])
thresholds.round({**dict.fromkeys(columns[2:7], 1), "which is": 2})

# %% tags=["nbval-check-output"]
VARIANTS = {
    "saliency_metric": "saliency_metric", "of the crop": ("saliency_metric", {"of": "crop"}),
    "pointing_game": "pointing_game", "any tie": ("pointing_game", {"ties": "any"}),
}  # fmt: skip
other = pd.concat([evaluate(net, images, methods(net), VARIANTS, batch_size=batch_size, store=store) for net, images in opened])
readings = other.pivot_table("value", ["network", "method"], "metric", sort=False)[list(VARIANTS)]
readings[["pointing_game", "any tie"]] *= 100
readings.columns = ["SM, image", "SM, crop", "SP (%), first", "SP (%), any"]
readings.rename(index=lambda m: METHODS[m].title if m in METHODS else m).round(2)

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
