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
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, report
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
    part = max(1, min(n // 2, 1000))  # of 200: the runs of the page before
    return {f"run {seed}": ("shap_cam", {"n": part, "seed": seed}) for seed in range(max(2, n // part))}


frame = page.similarity(COMPARED, reference)
table = page.table(2, frame)
table

# %%
lift = table.frame.query("method == 'lift_cam' and n > 0").itertuples()
page.forest(
    table.frame,
    name="liftcam-table-2",
    title="Table 2, the similarity of coefficients to SHAP values,",
    printed="for VGG16 on three datasets; LRP-CAM and LIME-CAM are named there and have no printed values",
    said=f"LIFT-CAM's {'; '.join(f'{row.mean:.3f} on {row.network}' for row in lift)}",
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Table 2")

# %% [markdown]
r"""
## Is the reference good enough?

A reference with noise of its own caps every similarity to it. Two independent halves of its orderings
tell how much: if each is the truth plus noise of relative size $\varepsilon$, their cosine is
$c = 1 / (1 + \varepsilon^2)$, and that of their mean with the truth is
$1 / \sqrt{1 + \varepsilon^2 / 2} = \sqrt{2c / (1 + c)}$. Behind an affine head the reference is exact.
"""

# %%
not_affine, rows = page.having("a head that is not affine"), []
for net, images in not_affine:
    runs = list(coefficients(net, images, reference(net), **page.how).values())
    half = len(runs) // 2
    halves = (torch.stack(part).mean(0) for part in (runs[:half], runs[half:]))
    cosine = max(0.0, cosine_similarity(*halves).nanmean().item())
    total = sum(options["n"] for _, options in reference(net).values())
    rows.append((net.name, total, len(images.readable()), cosine, (2 * cosine / (1 + cosine)) ** 0.5))
columns = ["network", "orderings", "images", "cosine of the halves", "cosine with the truth"]
if rows:
    display(pd.DataFrame(rows, columns=columns).round(4).set_index("network"))

# %%
numbers = page.setting("orderings_compared")
others = {n: ("shap_cam", {"n": n, "seed": 1000}) for n in numbers}  # none of the reference's orderings
for net, images in not_affine[-1:]:
    found = page.similarity(others | {"lift": ("lift_cam", {})}, reference, [(net, images)])
    means = {method: report.mean_ci(of["value"]) for method, of in found.groupby("method", sort=False)}
    lift = means.pop("lift")
    mean, low, high, _ = zip(*(means[n] for n in numbers))

    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    axis.plot(numbers, mean, label="SHAP-CAM", linewidth=2.5)
    axis.fill_between(numbers, low, high, alpha=0.18, linewidth=0)
    axis.axhline(lift.mean, color="0.35", linestyle="--", label="LIFT-CAM")
    axis.axhspan(lift.low, lift.high, color="0.35", alpha=0.12, linewidth=0)
    axis.set(xscale="log", xlabel="orderings $n$", ylabel="similarity to the reference")
    axis.legend(loc="lower right")
    report.show(
        figure,
        name="liftcam-worth-in-orderings",
        alt=f"Similarity of SHAP-CAM's coefficients to the reference: {mean[0]:.2f} with one ordering, "
        f"{mean[-1]:.3f} with {numbers[-1]}; LIFT-CAM's is {lift.mean:.3f}.",
        caption=f"What one backward pass is worth in orderings ({net.name}): where the curve crosses the line, "
        "SHAP-CAM is as close to the SHAP values as LIFT-CAM.",
    )

# %% [markdown]
"""
```{admonition} Departures
:class: note
**The reference.** The paper takes 10,000 orderings. `orderings` sets their number, and the table above
says what fewer cost.

**Score-CAM's** coefficients are a softmax, positive and nearly uniform; a cosine with signed values
says little about them.

**Beyond the paper's table.** LRP-CAM {cite:p}`lrp` and LIME-CAM {cite:p}`lime`, which the paper names as
further solutions. LRP uses the basic rule, LIME as many coalitions as there are live channels and a
ridge.

**Images.** The paper takes 500 images a dataset.
```
"""

# %%
page.departures()

# %%
page.provenance()
