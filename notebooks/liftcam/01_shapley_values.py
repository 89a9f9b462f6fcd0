# %% [markdown]
"""
# Channels as players

A class activation map is a weighted sum of channels, $\sum_k \alpha_k A_k$, and the methods differ only
in the coefficients. LIFT-CAM {cite:p}`liftcam` asks what a coefficient should be. It treats the channels
as players who share the logit of the class. Three properties (local accuracy, missingness, consistency)
leave only one way to share it, the Shapley value {cite:p}`shapley,shap`: what a channel adds to the logit
when it joins, averaged over all orders in which the channels can join.

The orders of 512 channels are too many to try. The paper samples them (SHAP-CAM). It claims that one
backward pass with DeepLIFT {cite:p}`deep_lift` comes close (LIFT-CAM), and that it is exact where the
layers behind the target layer are affine. This page computes figures 1 and 2, and measures the
properties that section 3 demands of coefficients.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer, with no attention behind it; empty: the profile's
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from math import comb

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, batch, fewer, report
from lib.methods import METHODS
from lib.methods.coalition_game import CoalitionGame, coalition_game
from lib.methods.lift_cam import contributions
from lib.metrics import METRICS
from lib.metrics.similarity import cosine_similarity
from lib.saliency import attribute, explain, finish

page = Page("liftcam/01_shapley_values", globals(), needs=["a head that DeepLIFT passes"])
page.protocol()

# %% [markdown]
"""
## The game

Let $F^c$ be the logit of class $c$ as a function of the activations $A$, and $h_A(a')$ the
activations with the channels of $a' \in \{0, 1\}^K$ kept and the others at zero. The explanation is
linear in the presence of the channels (eq. 5), and its coefficients are the SHAP values (eq. 6):

$$
\begin{gathered}
g(a') = \alpha_0 + \sum_k \alpha_k a'_k, \\
\alpha_k = \sum_{a' \ni k} \frac{(K - |a'|)!\,(|a'| - 1)!}{K!}
  \big[F^c(h_A(a')) - F^c(h_A(a' \setminus k))\big].
\end{gathered}
$$

Algorithm 1 estimates the SHAP values from $n$ random orderings. Along each ordering the channels join
one by one, and a coefficient is the mean of what its channel adds. For any number of orderings the
coefficients add up to the same value, $\sum_k \alpha_k = F^c(A) - F^c(0)$.

Ten channels have 1,024 coalitions, few enough to evaluate all of them. The figure keeps the ten
channels with the largest coefficients of LIFT-CAM on one image, and compares SHAP-CAM's estimates
with the exact SHAP values.
"""

# %%
def exact(F):
    """Eq. (6) from the logits F of all coalitions, whose numbers have a bit for each member."""
    K = F.numel().bit_length() - 1
    numbers = torch.arange(2**K)
    kept = numbers[:, None] >> torch.arange(K) & 1  # (2^K, K)
    weight = torch.tensor([1 / (K * comb(K - 1, s - 1)) if s else 0.0 for s in range(K + 1)])[kept.sum(1)]
    gain = F[:, None] - F[numbers[:, None] & ~(1 << torch.arange(K))]  # with k, less the same without
    return (weight[:, None] * kept * gain).sum(0)


def algorithm_1(F, orderings):
    """The gains along orderings (..., K), looked up among the coalitions: (..., K)."""
    joined = (1 << orderings).cumsum(-1)
    gain = F[joined] - F[joined - (1 << orderings)]
    return gain.gather(-1, orderings.argsort(-1))


net, images = page.opened[0]
x, target = batch(net, images.readable(1))
with torch.no_grad():
    A, context = net.cut(x)
    K = min(10, A.shape[1])
    kept = attribute("lift_cam", net, x, target).coefficients[0].abs().topk(K).indices
    few = A.clone()
    few[:, [k for k in range(A.shape[1]) if k not in kept.tolist()]] = 0
    coalitions = (torch.arange(2**K)[:, None] >> torch.arange(K) & 1).bool()
    F = coalition_game(net, few, context, target).value(coalitions.to(A.device)).double().cpu()

truth = exact(F)
counts, runs = [1, 3, 10, 30, 100, 300, 1000, 3000], page.setting("runs")
orderings = torch.rand(runs, max(counts), K, generator=torch.Generator().manual_seed(0)).argsort(-1)
sums = algorithm_1(F, orderings).cumsum(1)  # (runs, n, K), over the first n
errors = torch.stack([(sums[:, n - 1] / n - truth).norm(dim=1) for n in counts], dim=1) / truth.norm()

distance = "distance from the SHAP values,\nas a share of their norm"
axis = report.curves(counts, {"SHAP-CAM": errors}, xlabel="orderings $n$", ylabel=distance)
expected = errors[:, 0].mean() / torch.tensor(counts) ** 0.5
axis.plot(counts, expected, ":", color="0.35", label=r"$1 / \sqrt{n}$")
axis.set(xscale="log", yscale="log")
axis.legend(loc="upper right")
report.show(
    axis.figure,
    name="liftcam-convergence",
    alt="Mean relative distance of SHAP-CAM's coefficients from the exact SHAP values: "
    f"{errors[:, 0].mean():.2f} with one ordering, {errors[:, -1].mean():.3f} with 3,000. A dotted line "
    "falls as one over the square root of n.",
    caption=f"Distance of SHAP-CAM's coefficients from the exact SHAP values of {K} channels, computed from all "
    f"{2**K:,} coalitions: mean and 95 % interval of {runs} runs ({net.name}). "
    r"The dotted line falls as $1/\sqrt{n}$.",
)

# %% [markdown]
"""
## Four ways to solve it

Each additive feature attribution method solves eq. (5), and its solution gives a map. Figure 1 of the
paper is a diagram of this framework; here it is computed for one image. The SHAP values are one solution.
The paper names three others: LIFT-CAM, LRP-CAM {cite:p}`lrp` and LIME-CAM {cite:p}`lime`.
"""

# %%
SOLUTIONS = {"shap_cam": {"n": 100}, "lift_cam": {}, "lrp_cam": {}, "lime_cam": {}}
net, images = next((pair for pair in page.opened if not pair[0].affine_head), page.opened[0])
x, target = batch(net, images.readable(1))
solved = {m: attribute(m, net, x, target, **options) for m, options in SOLUTIONS.items()}
alphas = {METHODS[m].title: of.coefficients[0].cpu() for m, of in solved.items()}
maps = {METHODS[m].title: finish(m, of.map, x.shape[2:])[0] for m, of in solved.items()}
A, top = net.features(x)[0], alphas["SHAP-CAM"].abs().topk(8).indices.tolist()

figure, panels = plt.subplot_mosaic("iabcd;lllll;mnopq", figsize=(6.4, 5.4))
report.draw(panels["i"], report.in_colour(x[0]), "image")
for name, k in zip("abcd", top):
    panels[name].imshow(A[k].cpu())
    panels[name].set(title=f"$A_{{{k}}}$", xticks=[], yticks=[])
line = panels["l"]
for i, (title, alpha) in enumerate(alphas.items()):
    line.bar([k + 0.2 * (i - 1.5) for k in range(len(top))], (alpha / alpha.norm())[top], 0.2, label=title)
line.axhline(0, color="0.4", linewidth=0.8)
line.set_xticks(range(len(top)), [f"$A_{{{k}}}$" for k in top])
line.set_ylabel(r"$\alpha_k / \Vert\alpha\Vert$")
line.legend(ncols=2, loc="upper right", fontsize="small")
for name, (title, S) in zip("mnop", maps.items()):
    report.draw(panels[name], report.overlay(x[0], S), title)
panels["q"].axis("off")
report.key(figure, [panels[name] for name in "mnop"])
cosines = {title: cosine_similarity(alpha[None], alphas["SHAP-CAM"][None]).item() for title, alpha in alphas.items()}
said = ", ".join(f"{title} {cosine:.2f}" for title, cosine in cosines.items() if title != "SHAP-CAM")
report.show(
    figure,
    name="liftcam-framework",
    alt=f"An image, four of its channels, the coefficients that four methods give to {len(top)} channels, and the four "
    f"maps. Cosine similarity of all coefficients to SHAP-CAM's: {said}.",
    caption=f"LIFT-CAM, figure 1, computed ({net.name}). Top: an image and its channels with the largest "
    "coefficients; black is zero. Middle: four solutions of eq. (5), SHAP-CAM with 100 orderings. Bottom: their maps. "
    f"Cosine similarity to SHAP-CAM's coefficients, over all channels: {said}.",
)

# %% [markdown]
r"""
## One backward pass

DeepLIFT replaces the derivative of each non-linear step $\phi$ by the slope $m$ of the secant to a
reference, here $A = 0$. Back-propagation then gives a contribution for each $A_k(i,j)$, and the
coefficient of a channel is the sum of its contributions over all positions (eq. 7 and 8):

$$
\begin{gathered}
m = \frac{\phi(t) - \phi(t_0)}{t - t_0}, \qquad
\alpha_k^{\mathrm{lift}} = \sum_{ij} C_{\Delta A_k(i,j)\,\Delta F^c}, \\
\sum_k \alpha_k^{\mathrm{lift}} = F^c(A) - F^c(0).
\end{gathered}
$$
"""

# %%
@torch.no_grad()
def worth(net, A, context, target):
    """F(A) - F(0): what all channels together add to the logit of the class, (B,)."""
    gain = net.head(A, context) - net.head(torch.zeros_like(A), context)
    return gain.gather(1, target[:, None])[:, 0]


A, context = net.cut(x)
C = contributions(net, A, context, target)
alpha = C.sum((2, 3))[0].cpu()
all_of_them = worth(net, A, context, target).item()
top = alpha.abs().topk(4).indices.tolist()
S = finish("lift_cam", torch.einsum("k,khw->hw", alpha.to(A), A[0])[None], x.shape[2:])[0]
so_far = alpha.sort(descending=True).values.cumsum(0)

figure, panels = plt.subplot_mosaic("iabcd;sefgh;lllll", figsize=(6.4, 5.6), height_ratios=[1, 1, 1.1])
report.draw(panels["i"], report.in_colour(x[0]), "image")
report.draw(panels["s"], report.overlay(x[0], S), "LIFT-CAM")
limit = C[0, top].abs().max().item()
for upper, lower, k in zip("abcd", "efgh", top):
    panels[upper].imshow(A[0, k].cpu())
    panels[upper].set_title(f"$A_{{{k}}}$")
    panels[lower].imshow(C[0, k].cpu(), cmap="RdBu_r", vmin=-limit, vmax=limit)
    panels[lower].set_title(rf"$\alpha$ = {alpha[k]:+.2f}".replace("-", "−"))
for name in "abcdefgh":
    panels[name].axis("off")
report.key(figure, [panels[name] for name in "iabcd"])
line, middle = panels["l"], (len(so_far) / 2, all_of_them)
line.plot(range(1, len(so_far) + 1), so_far, linewidth=2.5)
line.axhline(all_of_them, color="0.4", linestyle="--")
line.annotate("$F^c(A) - F^c(0)$", middle, textcoords="offset points", xytext=(0, 5), ha="center")
line.set(xlabel="channels, the largest coefficient first", ylabel="sum so far")
report.show(
    figure,
    name="liftcam-walk-through",
    alt=f"LIFT-CAM on one image: {len(top)} channels, their signed contribution maps with the sums "
    f"{', '.join(f'{alpha[k]:+.2f}' for k in top)}, the finished map, and the running sum of all "
    f"coefficients, which ends at {alpha.sum():.2f}, the logit minus the logit of zero activations.",
    caption=f"LIFT-CAM, figure 2, computed ({net.name}). Top: the image and the activations of the "
    f"{len(top)} channels with the largest coefficients. Below them: their contributions to the logit, which add "
    "up to the coefficient (red for the class, blue against it); on the left the map. Bottom: the running sum of all "
    f"{len(so_far)} coefficients, the largest first, peaks at {so_far.max():.1f} and ends at "
    f"{all_of_them:.1f}.",
)

# %% [markdown]
r"""
## Local accuracy

*Local accuracy* (eq. 8) means that the coefficients add up to what all channels together add to the
logit, $F^c(A) - F^c(0)$. The table gives the relative error of each method's sum, as a mean over the
images. *Ablation-CAM, undivided* is eq. (9) without its division by the logit.
"""

# %%
CHECKED = {"shap_cam": {"n": 1}, "lift_cam": {}, "lrp_cam": {}, "ablation_cam": {}, "grad_cam": {}}
opened = [(net, images.readable()) for net, images in page.opened]
frames, shown = [], {}
for net, images in opened:
    missed = {}
    for x, target in page.batches(net, images):
        A, context = net.cut(x)
        total, all_of_them = {}, worth(net, A, context, target)
        for method, options in CHECKED.items():
            total[method] = attribute(method, net, x, target, **options).coefficients.sum(1)
        with torch.no_grad():
            logit = net.head(A, context).gather(1, target[:, None])[:, 0]
        total["ablation_cam_undivided"] = total["ablation_cam"] * logit
        for method, of in total.items():
            missed.setdefault(method, []).append(((of - all_of_them) / all_of_them).abs())
    missed = {method: torch.cat(of).tolist() for method, of in missed.items()}
    shown[net.name, "affine" if net.affine_head else "not affine", len(images)] = {
        report.method_title(method): f"{sum(of) / len(of):.1e}" for method, of in missed.items()
    }
    frames.append(page.rows(net, images, {(method, "relative_error"): of for method, of in missed.items()}))
pd.DataFrame(shown).T.rename_axis(index=["network", "head", "images"], columns="error of the sum")

# %% [markdown]
r"""
## Affine heads

Behind an affine head, $F^c(A) = b + \sum_k \sum_{ij} w_{k,ij} A_k(i,j)$, a channel adds the same
amount to every coalition. All orderings then agree. SHAP-CAM with a single ordering, LIFT-CAM and (up
to its division by the logit) Ablation-CAM have the same coefficients, $\sum_{ij} w_{k,ij} A_k(i,j)$.
ResNets, EfficientNets and most networks since 2014 have such a head behind their last convolution. For
them the question of the paper needs no experiment. It is open where non-linear layers follow the target
layer: VGG's fully connected layers, the ReLU behind SqueezeNet's classifier, or the further layers
behind any target layer but the last.

Other pages use that formula. This page runs Algorithm 1 as it is printed, with one ordering per image
and one pass of the head for each channel that joins.
"""

# %%
def as_printed(net, images):
    """The coefficients of Algorithm 1, coalition by coalition, and those of methods with a formula."""
    truth, found = [], {}
    for x, target in page.batches(net, images):
        A, context = net.cut(x)
        for i in range(len(x)):
            game = CoalitionGame(net, A[i : i + 1], context, target[i : i + 1], "logit", None)
            ordering = torch.randperm(len(game.players), generator=torch.Generator().manual_seed(i))
            alpha = torch.zeros(A.shape[1], dtype=A.dtype)
            alpha[game.players.cpu()] = game.marginal_contributions(ordering[None].to(A.device)).cpu()
            truth.append(alpha)
        for method in ("lift_cam", "ablation_cam"):
            found.setdefault(method, []).append(attribute(method, net, x, target).coefficients.cpu())
    return {
        (method, "cosine_similarity"): cosine_similarity(torch.cat(of), torch.stack(truth)).tolist()
        for method, of in found.items()
    }


for net, images in page.having("an affine head"):
    some = fewer(images.readable(), page.setting("literal"))
    frames.append(page.rows(net, some, as_printed(net, some)))
exact = pd.concat(frames, ignore_index=True).query("metric == 'cosine_similarity'")
if len(exact):
    table = report.cross(report.measured(exact), "title", "network", 5)
    display(table.rename_axis(columns="cosine similarity"))

# %% [markdown]
r"""
## Maps and contributions

A coefficient already contains the activation of its channel. The map of eq. (1) multiplies it by the
activation once more, $\alpha_k A_k(i,j)$. The contributions summed over channels,
$\sum_k C_{\Delta A_k(i,j)\,\Delta F^c}$, contain it once: they share the logit among the positions.

Where activations have both signs, the two maps can disagree completely. Behind a linear layer, such as
the end of EfficientNet's last block, a channel can raise the logit *because* it is negative at the
object. Then $\alpha_k > 0$ and $A_k(i,j) < 0$ there, and the map of eq. (1) is dark where the
coefficient comes from. The target layers of the paper all follow a ReLU.

The table has the AD of both maps and that of Grad-CAM.
"""

# %%
def maps(net, x, target):
    """The map of eq. (1), the contributions summed over channels, and Grad-CAM's."""
    C = contributions(net, *net.cut(x), target)
    return {
        "LIFT-CAM": explain("lift_cam", net, x, target),
        "contributions": finish("lift_cam", C.sum(1), x.shape[2:]),
        "Grad-CAM": explain("grad_cam", net, x, target),
    }


first = [(net, *batch(net, images[:1])) for net, images in opened]
signed = [(net, x, target) for net, x, target in first if net.features(x).min() < 0]
if not signed:
    print("No figure: the first image has no negative activation.")
for net, x, target in signed[:1]:
    report.show(
        report.gallery(x, maps(net, x, target), columns=4),
        name="liftcam-signed",
        alt="For one image, LIFT-CAM's map, the contributions summed over channels, and Grad-CAM's map.",
        caption=f"Maps of {net.name}, whose activations have both signs: LIFT-CAM by equation (1), the "
        "contributions summed over channels, and Grad-CAM.",
    )

average_drop = METRICS["average_drop"].fn
rows = {}
for net, images in opened:
    lowest, of = [], {}
    for x, target in page.batches(net, images):
        lowest.append(net.features(x).min().item())
        for title, S in maps(net, x, target).items():
            of.setdefault(title, []).append(average_drop(net, x, target, S))
    of = {title: torch.cat(values).tolist() for title, values in of.items()}
    found = page.rows(net, images, {(title, "average_drop"): values for title, values in of.items()})
    more = report.paired_difference(found, "average_drop", "LIFT-CAM", "contributions").scaled(100)
    rows[net.name] = {"images": len(images), "lowest activation": f"{min(lowest):.1f}"}
    rows[net.name] |= {title: f"{100 * sum(values) / len(values):.1f}" for title, values in of.items()}
    rows[net.name] |= {"eq. (1) less contributions": f"{more:+.1f}"}
pd.DataFrame(rows).T.rename_axis(index="network", columns="AD (%)").replace("-", "−", regex=True)

# %% [markdown]
r"""
## Ablation-CAM, restated

Ablation-CAM (eq. 9) measures how much the logit drops when one channel is removed and all others stay.
This is the one term of eq. (6) for the coalition of all channels, divided by the logit:

$$
\alpha_k^{\mathrm{ablation}} = \frac{F^c(A) - F^c(A \setminus k)}{F^c(A)} .
$$

If two channels can replace each other, removing either one changes little. So the coefficients do not add
up to the logit, even without the division.

## Do the claims hold?

Sections 3.3 and 3.4 say which coefficients are locally accurate, and that behind an affine head LIFT-CAM's
coefficients are the SHAP values. The latter is a theorem, so its verdict tests the code.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(frames, ignore_index=True), "Section 2.2", "Section 3.3", "Section 3.4")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Max pooling.** The paper does not say how a contribution passes max pooling. Here the difference of the
two maxima goes to the position of the larger one, which keeps the sum exact. The usual implementation loses
a part of the sum where a ReLU follows the pooling or where pools overlap.

**Products.** Squeeze-and-excitation multiplies two activations. The slope for each factor is the mean of
the other factor and its reference.

**Sign of the logit.** Where the logit of the class is negative, Ablation-CAM's division reverses the sign
of its map. SHAP-CAM and LIFT-CAM do not divide.

**Speed.** Only the head runs, and of the head only what the logit of the class depends on. Where the head
begins with linear layers, each step of an ordering adds one column to the running pre-activation. Where it
is affine, SHAP-CAM and Ablation-CAM have closed forms. The numbers do not change.

**Figure 1** of the paper is a diagram without numbers. This page computes it for one image.
```
"""

# %%
page.departures()

# %%
page.provenance()
