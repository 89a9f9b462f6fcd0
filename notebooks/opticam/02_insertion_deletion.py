# %% [markdown]
"""
# Insertion and deletion

A saliency map also ranks the pixels of its image. *Deletion* {cite:p}`rise` turns the pixels black, the
most salient first, and integrates the probability of the predicted class: the sooner the probability
falls, the better. *Insertion* starts from a blurred image and puts the original pixels back in the same
order: the sooner the probability rises, the better.

The Opti-CAM paper {cite:p}`opticam` reports that Opti-CAM does poorly here, and that no method wins both
measures (table 3). Its explanation is that Opti-CAM's maps are more spread out (figure 3), while a compact
region changes the probability fastest. This page recomputes the table and the figure.
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
step: int = 0  # pixels per step; 0: the profile's choice, 224 in the paper

# %%
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, batch, report
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.saliency import predict

page = Page("opticam/02_insertion_deletion", globals())
page.protocol()

# %% [markdown]
"""
## Table 3

With $r(q)$ the fraction $q$ of the pixels that is most salient, and $p$ the probability of the predicted class,

$$
\begin{aligned}
\mathrm{I} &= \int_0^1 p\big(\tilde x \leftarrow x \text{ on } r(q)\big)\, dq, \\
\mathrm{D} &= \int_0^1 p\big(x \leftarrow 0 \text{ on } r(q)\big)\, dq,
\end{aligned}
$$

where $\tilde x$ is the blurred image. Both are areas under a curve, computed by trapezoids, in per cent.
"""

# %%
METRICS_OF_TABLE_3 = ["insertion", "deletion"]


methods_of_table_3 = partial(page.methods_of, 3)  # the table's rows for networks of an architecture


def steps(net):
    return step or page.pixels(page.setting("step"), net)


def metrics(net):
    curves = {m: (m, {"step": steps(net)}) for m in METRICS_OF_TABLE_3}
    return curves | {"mean_saliency": "mean_saliency"}


of_figure_3 = page.evaluate(["score_cam", "opti_cam"], ["energy_pointing_game"])  # share of the map in the boxes
frame = pd.concat([page.evaluate(methods_of_table_3, metrics), of_figure_3], ignore_index=True)
table = page.table(3, frame)
table

# %%
page.forest(table.frame, *METRICS_OF_TABLE_3, name="opticam-table-3", title="Opti-CAM, table 3,")

# %% [markdown]
"""
## Do the claims hold?

Besides the claims of table 3, this section judges two about where maps lie. The paper says that Opti-CAM's maps
are more spread out, in general (figure 2) and on images where Opti-CAM fails (figure 3). The measure here is
the mean of the map. The paper also says that Opti-CAM's maps take in more background on the images of figure 3.
The measure here is the share of the map inside the object's boxes.
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Table 3", "Figure 2", "Figure 3")

# %% [markdown]
"""
## The curves

Mean curves of a few methods, on the first network.
"""

# %%
net, images = page.opened[0]
run = page.methods(methods_of_table_3(net), net)
shown = page.by_cost(run, net, images)[-1][1].readable(100)  # of the images that every method sees
x, _ = batch(net, shown)
target = torch.cat([predict(net, part) for part in x.split(page.batch_size)])
drawn = [m for m in ("grad_cam", "score_cam", "opti_cam") if m in run]
maps = {METHODS[m].title: page.maps(net, shown, m, target="predicted") for m in drawn}

figure, panels = plt.subplots(2, 1, figsize=(6.4, 8.0))
for panel, metric, label in zip(panels, METRICS_OF_TABLE_3, ("inserted", "deleted")):
    measured = partial(METRICS[metric].measurement, net, x, target, step=max(steps(net), page.pixels(224 * 28, net)))
    curves = {title: measured(S) for title, S in maps.items()}
    p = {title: curve.probability for title, curve in curves.items()}
    axes = {"xlabel": f"pixels {label} (%)", "ylabel": "probability of the class", "ax": panel}
    report.curves(100 * curves["Grad-CAM"].fraction, p, emphasis="Opti-CAM", **axes)
panels[0].get_legend().remove()
report.show(
    figure,
    name="opticam-insertion-deletion-curves",
    alt="Mean probability of the predicted class while pixels are inserted into a blurred image (top) and "
    f"deleted to black (bottom), by decreasing saliency, for {', '.join(maps)}.",
    caption=f"Mean curves over {len(shown)} images, {net.name}; the band is Opti-CAM's 95 % interval.",
)

# %% [markdown]
"""
## Where Score-CAM succeeds and Opti-CAM fails

Figure 3 of the paper shows images on which Score-CAM succeeds (insertion above 90 %, deletion below 10 %) and
Opti-CAM fails (insertion below 70 %, deletion above 15 %). The table counts the images here that meet each
condition:
"""

# %% tags=["nbval-check-output"]
def compared(name):
    """Insertion I and deletion D of the images that both methods explained, and the conditions that each meets."""
    values = report.by_image(frame[frame["network"] == name]).droplevel("group")
    I, D = (values[m].reindex(columns=["score_cam", "opti_cam"]).dropna() for m in METRICS_OF_TABLE_3)
    met = {
        "Score-CAM: I above 90 %": I["score_cam"] > 0.90, "Score-CAM: D below 10 %": D["score_cam"] < 0.10,
        "Opti-CAM: I below 70 %": I["opti_cam"] < 0.70, "Opti-CAM: D above 15 %": D["opti_cam"] > 0.15,
    }  # fmt: skip
    return I, D, pd.DataFrame(met)


cases = {net.name: compared(net.name) for net, _ in page.opened}
counts = {
    name: {"images": len(met), **met.sum(), "all four": met.all(axis=1).sum()} for name, (_, _, met) in cases.items()
}
pd.DataFrame(counts).astype(int)

# %%
def title(image, label):
    """The class that the network predicts for an image, with the image's insertion and deletion by both methods."""
    both = {"Score": "score_cam", "Opti": "opti_cam"}.items()
    values = [f"{name} I {I.at[image, m]:.0%} D {D.at[image, m]:.0%}" for name, m in both]
    return "   ".join([label, *values]).replace("%", " %")


I, D, met = cases[net.name]
if len(met):
    fails = met.all(axis=1)
    ahead = (I["score_cam"] - I["opti_cam"]) + (D["opti_cam"] - D["score_cam"])
    chosen = ahead.where(~fails, ahead + 10).nlargest(3).index
    few = [shown.ids.index(image) for image in chosen]
    titles = [*map(title, chosen, shown.subset(few).relabelled(target[few].tolist()).labels)]
    these = "Images that meet all conditions come first" if fails.any() else "No image meets all conditions"
    page.gallery(
        net, shown.subset(few), {method: maps[method][few] for method in ("Score-CAM", "Opti-CAM")},
        titles=titles, columns=3, name="opticam-failures",
        alt=f"Maps of Score-CAM and Opti-CAM on images where Score-CAM is furthest ahead: {'; '.join(titles)}.",
        caption=f"As Opti-CAM, figure 3, {net.name}. {these}. Shown are those with the largest lead of Score-CAM in "
        "insertion and deletion together.",
    )  # fmt: skip
else:
    print(f"Not run: {net.name} has no map of Score-CAM here.")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Steps.** The paper takes 224 steps of 224 pixels. Option `step` sets the pixels per step. The table below
compares the steps of table 3 above with finer ones, for Grad-CAM.

**Blur.** Insertion starts from the image blurred by an 11 x 11 kernel with sigma 5, as in RISE's code. That
code filters an impulse inside its own window with reflected edges, so that the kernel is almost a box.
Option `blur="gaussian"` uses the true Gaussian; the table below shows what it changes.

**Class.** Both the maps and the curves are for the predicted class. Pixels of equal saliency are ranked in
raster order, which decides the whole order for Fake-CAM.

**Transformers.** [The page on transformers](03_transformers) has their columns of table 3.
```
"""

# %% tags=["nbval-check-output"]
finer = page.setting("finer")
few, coarse, fine = shown[: finer["images"]], steps(net), page.pixels(finer["step"], net)
variants = {
    f"insertion, {coarse} pixels per step": ("insertion", {"step": coarse}),
    f"insertion, {fine} pixels per step": ("insertion", {"step": fine}),
    f"insertion, {coarse} pixels per step, true Gaussian": ("insertion", {"step": coarse, "blur": "gaussian"}),
    f"deletion, {coarse} pixels per step": ("deletion", {"step": coarse}),
    f"deletion, {fine} pixels per step": ("deletion", {"step": fine}),
}
changed = page.evaluate(["grad_cam"], variants, [(net, few)])
changed = changed.groupby("metric", sort=False)["value"].mean().mul(100).round(1)
changed.rename(f"Grad-CAM, mean (%), n = {len(few)}").to_frame().rename_axis(None)

# %%
page.departures()

# %%
page.provenance()
