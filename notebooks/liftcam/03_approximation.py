# %% [markdown]
"""
# How close is one backward pass?

LIFT-CAM {cite:p}`liftcam` replaces thousands of forward passes by one backward pass. Table 2 of the paper
measures how close its coefficients stay to the SHAP values. It gives the cosine similarity between each
method's coefficients and those of SHAP-CAM with 10,000 orderings, which stand in for the SHAP values. The
paper finds LIFT-CAM above 0.9 on three datasets, Ablation-CAM close behind, and all others below 0.5
(section 4.2).
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
batch_size: int = 8  # images per pass; changes no number
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

The cosine ignores scale. The paper says that Ablation-CAM falls behind because its coefficients do not
add up to the logit; but a common factor does not change the cosine. Ablation-CAM and LIFT-CAM differ
because channels interact: a channel adds less to the logit, or more, when others are missing. Behind an
affine head channels do not interact, and LIFT-CAM, LRP-CAM and Ablation-CAM have cosine one.

Grad-CAM's coefficient is what a unit of activation adds to the logit; a SHAP value is what the whole
activation adds. So they differ even behind pooling and one linear layer, where they are proportional to
$w_k$ and to $w_k \operatorname{GAP}(A_k)$.
"""

# %%
COMPARED = [*page.methods_of(2), "lrp_cam", "lime_cam"]


def reference(net):
    """Runs of SHAP-CAM whose mean is the reference; behind an affine head one ordering is exact."""
    if net.affine_head:
        return {"exact": ("shap_cam", {"n": 1})}
    n = page.setting("orderings", net)
    part = max(1, min(n // 2, 1000))  # of 200: the two runs of 02_shap_values
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

Noise in the reference limits every similarity to it. Two independent halves of its orderings measure the
noise. If each half is the truth plus noise of relative size $\varepsilon$, the cosine between the halves
is $c = 1 / (1 + \varepsilon^2)$. The cosine between their mean and the truth is then
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

How many orderings does SHAP-CAM need to come as close to the reference as LIFT-CAM? Its orderings are drawn
independently of those of the reference.
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
    where = f"SHAP-CAM comes as close as LIFT-CAM with {enough[0]} orderings" if enough else (
        f"SHAP-CAM stays below LIFT-CAM's mean up to {numbers[-1]} orderings"
    )
    report.show(
        figure,
        name=f"liftcam-worth-in-orderings-{number}",
        alt=f"Similarity of SHAP-CAM's coefficients to the reference: {mean[0]:.3f} with one ordering, "
        f"{mean[-1]:.3f} with {numbers[-1]}; LIFT-CAM's is {lift.mean:.3f}.",
        caption=f"Similarity to the reference by the number of orderings ({net.name}): {where}.",
    )

# %% [markdown]
"""
## Further from the last layer

DeepLIFT replaces each non-linear step by a secant. The more such steps follow the target layer, the more its
contributions should deviate from the SHAP values (section 3.3). The table compares two target layers of one
network. The cosines are corrected for the noise of each reference.
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
    print("Not run: the comparison needs one network at two layers.")

# %% [markdown]
"""
## Do the claims hold?

Behind an affine head LIFT-CAM and (up to a factor) Ablation-CAM have the SHAP values by algebra, as
[Channels as players](01_shapley_values) shows. There the claims are tested on the other methods only.
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
**The reference.** The paper takes 10,000 orderings. `orderings` sets their number. The section on the reference
shows how much fewer orderings cost.

**Score-CAM's** coefficients are a softmax, so they are positive and nearly uniform. Their cosine with signed
values says little.

**Beyond the paper's table.** LRP-CAM {cite:p}`lrp` and LIME-CAM {cite:p}`lime` are added, which the paper names as
further solutions. LRP uses the basic rule. LIME fits a ridge regression and, as the paper's authors do, takes as
many coalitions as there are channels that are not all zero (live channels). The table below has more coalitions.

**Images.** The paper takes 500 images per dataset.
```
"""

# %% tags=["nbval-check-output"]
samples = {}
for net, images in not_affine:
    x, _ = batch(net, images.readable(1))
    K = net.features(x).shape[1]
    lime = {"as many as live channels": ("lime_cam", {})}
    lime |= {f"{times} per channel": ("lime_cam", {"n": times * K}) for times in (4, 16)}
    found = page.similarity(lime, reference, [(net, fewer(images, page.setting("few")))])
    by_label = found.groupby("method", sort=False)["value"]
    samples[net.name] = {label: f"{report.mean_ci(of):.3f}" for label, of in by_label}
pd.DataFrame(samples).rename_axis(index="coalitions of LIME-CAM", columns="cosine similarity")

# %%
page.departures()

# %%
page.provenance()
