# %% [markdown]
"""
# How close is one backward pass?

LIFT-CAM {cite:p}`liftcam` replaces thousands of forward passes by one backward pass. Table 2 asks what
that costs: the cosine similarity between a method's coefficients and those of SHAP-CAM with 10,000
orderings, which stand for the SHAP values. The paper finds LIFT-CAM above 0.9 on three datasets,
Ablation-CAM close behind, and all others below 0.5 (section 4.2).
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
orderings: int = 0  # of the reference; 0: the profile's choice, 10,000 in the paper
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.evaluate import coefficients
from lib.metrics.similarity import cosine_similarity

page = Page("liftcam/03_approximation", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
r"""
## Table 2

$$
\cos(\alpha, \alpha^{\mathrm{shap}}) =
\frac{\sum_k \alpha_k \alpha_k^{\mathrm{shap}}}
     {\lVert \alpha \rVert \, \lVert \alpha^{\mathrm{shap}} \rVert} .
$$

A cosine does not see scale. The paper puts Ablation-CAM's second place down to coefficients that do
not add up to the logit; a common factor, however, leaves the cosine as it is. What tells the two apart
is interaction: a channel is worth less, or more, when the others are gone. Behind an affine head there
is none, and LIFT-CAM, LRP-CAM and Ablation-CAM have cosine one.

Grad-CAM's coefficient is the worth of a unit of activation, a SHAP value that of all the activation
there is. They cannot agree in general: even behind an affine head, $w_k$ stands against
$w_k \operatorname{GAP}(A_k)$.
"""

# %%
COMPARED = [*page.methods_of(2), "lrp_cam", "lime_cam"]


def reference(net):
    """Runs of SHAP-CAM whose mean is the reference; behind an affine head one ordering is exact."""
    if net.affine_head:
        return {"exact": ("shap_cam", {"n": 1})}
    n = page.setting("orderings", net)
    part = max(1, min(n // 2, 1000))  # of 200: the two runs of the page before
    return {f"run {seed}": ("shap_cam", {"n": part, "seed": seed}) for seed in range(max(2, n // part))}


frame = page.similarity(COMPARED, reference)
table = page.table(2, frame)
table

# %%
lift = table.frame.query("method == 'lift_cam' and n > 0").itertuples()
page.forest(
    table.frame,
    name="liftcam-table-2",
    title="LIFT-CAM, table 2, the similarity of coefficients to SHAP values,",
    printed="for VGG16 on three datasets; LRP-CAM and LIME-CAM are named there and have no printed values",
    said=f"LIFT-CAM's {'; '.join(f'{row.mean:.3f} on {row.network}' for row in lift)}",
)

# %% [markdown]
r"""
## Is the reference good enough?

A reference with noise of its own caps every similarity to it. Two independent halves of its orderings
tell how much: if each is the truth plus noise of relative size $\varepsilon$, their cosine is
$c = 1 / (1 + \varepsilon^2)$, and that of their mean with the truth is
$1 / \sqrt{1 + \varepsilon^2 / 2} = \sqrt{2c / (1 + c)}$. Behind an affine head the reference is exact.
"""

# %%
not_affine, rows, with_truth = page.having("a head that is not affine"), [], {}
for net, images in not_affine:
    runs = list(coefficients(net, images, reference(net), **page.how).values())
    half = len(runs) // 2
    halves = (torch.stack(part).mean(0) for part in (runs[:half], runs[half:]))
    cosine = cosine_similarity(*halves).clamp_min(0)
    with_truth[net.name] = (2 * cosine / (1 + cosine)).sqrt()
    total = sum(options["n"] for _, options in reference(net).values())
    n, mean, truth = len(images.readable()), cosine.nanmean().item(), with_truth[net.name].nanmean().item()
    rows.append((net.name, total, n, mean, truth))
columns = ["network", "orderings", "images", "cosine of the halves", "cosine with the truth"]
if rows:
    display(pd.DataFrame(rows, columns=columns).round(4).set_index("network"))

# %% [markdown]
"""
## What one backward pass is worth

SHAP-CAM with more and more orderings, none of them the reference's, and LIFT-CAM.
"""

# %%
numbers = page.setting("compared")
others = {f"shap_cam_{n}": ("shap_cam", {"n": n, "seed": 1000}) for n in numbers}
worth = page.similarity(others, reference, not_affine)
for number, (net, _) in enumerate(not_affine, 1):
    found = pd.concat([worth, frame]).query("network == @net.name")
    means = {method: report.mean_ci(of["value"]) for method, of in found.groupby("method", sort=False)}
    lift = means["lift_cam"]
    mean, low, high, _ = zip(*(means[label] for label in others))

    figure, axis = plt.subplots(figsize=(6.4, 3.4))
    axis.plot(numbers, mean, label="SHAP-CAM", linewidth=2.5)
    axis.fill_between(numbers, low, high, alpha=0.18, linewidth=0)
    axis.axhline(lift.mean, color="0.35", linestyle="--", label="LIFT-CAM")
    axis.axhspan(lift.low, lift.high, color="0.35", alpha=0.12, linewidth=0)
    axis.set(xscale="log", xlabel="orderings $n$", ylabel="similarity to the reference")
    axis.legend(loc="lower right")
    enough = [n for n, value in zip(numbers, mean) if value >= lift.mean]
    where = f"SHAP-CAM comes as near as LIFT-CAM within {enough[0]} orderings" if enough else (
        f"SHAP-CAM stays below LIFT-CAM's mean up to {numbers[-1]} orderings"
    )
    report.show(
        figure,
        name=f"liftcam-worth-in-orderings-{number}",
        alt=f"Similarity of SHAP-CAM's coefficients to the reference: {mean[0]:.3f} with one ordering, "
        f"{mean[-1]:.3f} with {numbers[-1]}; LIFT-CAM's is {lift.mean:.3f}.",
        caption=f"What one backward pass is worth in orderings ({net.name}): {where}.",
    )

# %% [markdown]
"""
## Further from the last layer

DeepLIFT puts a secant in the place of each non-linear step, so that its contributions should deviate from the
SHAP values as more such steps follow the map (section 3.3). Where one network is cut at two layers here, the
table compares them, with the noise of each reference taken out.
"""

# %%
deeper = pd.DataFrame(columns=frame.columns)
for (last, images), (before, also) in pairwise(not_affine):
    if page.experiment(last).network != page.experiment(before).network or images.ids != also.ids:
        continue
    values = {}
    for label, net in (("lift_cam_last_layer", last), ("lift_cam_before", before)):
        of = frame.query("network == @net.name and method == 'lift_cam'")["value"].to_numpy(float)
        values[label, "cosine_similarity"] = np.clip(of / with_truth[net.name].numpy(), -1, 1)
    deeper = page.rows(last, images, values)
    said = [f"{report.mean_ci(of):.3f}" for of in values.values()]
    table = pd.DataFrame({"layer": [last.layer, before.layer], "cosine of LIFT-CAM with the SHAP values": said})
    display(table.set_index("layer"))
if not len(deeper):
    print("Not run: one network at two layers.")

# %% [markdown]
"""
## Do the claims hold?

Behind an affine head LIFT-CAM and Ablation-CAM have the SHAP values by algebra, as
[section 3.3](01_shapley_values) shows. There the claims are asked of the other methods alone.
"""

# %% tags=["nbval-check-output"]
affine = [net.name for net, _ in page.opened if net.affine_head]
by_algebra = frame["network"].isin(affine) & frame["method"].isin(["lift_cam", "ablation_cam"])
asked = pd.concat([frame[~by_algebra], worth, deeper], ignore_index=True)
page.verdicts(asked, "Table 2", "Section 3.2", "Rationale")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**The reference.** The paper takes 10,000 orderings. `orderings` sets their number, and the table above
says what fewer cost.

**Score-CAM's** coefficients are a softmax, positive and nearly uniform; a cosine with signed values
says little about them.

**Beyond the paper's table.** LRP-CAM {cite:p}`lrp` and LIME-CAM {cite:p}`lime`, which the paper names as
further solutions. LRP uses the basic rule. LIME uses a ridge and, as the paper's authors do, as many coalitions
as there are live channels. The table below has more.

**Images.** The paper takes 500 images a dataset.
```
"""

# %% tags=["nbval-check-output"]
samples = {}
for net, images in not_affine:
    x, _ = batch(net, images.readable(1))
    K = net.features(x).shape[1]
    lime = {"as many as live channels": ("lime_cam", {})}
    lime |= {f"{times} a channel": ("lime_cam", {"n": times * K}) for times in (4, 16)}
    found = page.similarity(lime, reference, [(net, fewer(images, page.setting("few")))])
    by_label = found.groupby("method", sort=False)["value"]
    samples[net.name] = {label: f"{report.mean_ci(of):.3f}" for label, of in by_label}
pd.DataFrame(samples).rename_axis(index="samples of LIME-CAM", columns="cosine similarity")

# %%
page.departures()

# %%
page.provenance()
