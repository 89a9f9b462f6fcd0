# %% [markdown]
r"""
# A map that is a factor of the prediction

CALM {cite:p}`calm` makes the class activation map a part of the model. CAM itself is computed only after training: it reads the
weights in a way in which they were not trained, and its normalisation is not trained at all. In CALM, the location of the cue for
a class is a latent variable $z$, a position of the last grid, and

$$
p(y|x) = \sum_z p(y, z|x), \qquad p(y, z|x) = g_{yz} h_z,
$$

so that the map $s^y_z = p(y, z|x)$ adds up to the probability that the network reports. This page checks the two derivations
of the supplement in numbers. Appendix A shows that two ways of writing CAM are the same network. Appendix B bounds the likelihood, so that
CALM can be trained by expectation and maximisation (EM). The page then compares these derivations with how such networks are
trained in practice.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a network of several classes, such as torchvision:<name>; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from book import Page, report
from lib import data, nets
from lib.maps import normalise, upsample
from lib.methods.calm import has_latent_position
from lib.methods.cam import cam, class_weights
from lib.metrics.similarity import correlation
from lib.nets.calm import CALM
from lib.nets.strides import without_strides

page = Page("calm/01_equivalence_and_em", globals(), needs=["several classes"])
page.protocol()

# %% [markdown]
r"""
## Appendix A: two ways to write one classifier

A classifier that averages class maps $f$ over the positions is

$$
p(y|x) = \mathrm{softmax}\Big(\frac{1}{HW} \sum_{hw} f_{yhw}(x)\Big), \tag{a}
$$

and one that averages features $\bar f$ and then has a linear layer $W$ is

$$
p(y|x) = \mathrm{softmax}\Big(\sum_l W_{yl} \Big(\frac{1}{HW} \sum_{hw} \bar f_{lhw}(x)\Big)\Big). \tag{b}
$$

By the distributive law (c) they are the same, with $f_{yhw} = \sum_l W_{yl} \bar f_{lhw}$, a convolution with $1 \times 1$ kernels.
Then CAM's map of a class is $f_{\hat y}$ itself (d). The table has the largest differences over the images, as shares of the
largest entry, with the head in double precision.

SqueezeNet has the form (a), with a ReLU between $f$ and the average. Without that ReLU both orders agree. With it they
differ: the averaged maps are no longer linear in the features, and no $W$ after pooling gives the same logits.
"""

# %%
def linear_part(net, A):
    """The weights (C, K) and bias (C,) that turn activations into class maps, if the network has such a layer."""
    if net.affine_head:
        W = class_weights(net, A)
        return W, net.head(torch.zeros_like(A[:1]))[0]
    last = [m for m in net.model.modules() if isinstance(m, nn.Conv2d)][-1:]
    if [tuple(m.weight.shape) for m in last] == [(net.num_classes, A.shape[1], 1, 1)]:
        return last[0].weight[:, :, 0, 0], last[0].bias
    return None


def largest(difference, of):
    """The largest difference of each image, as a share of its largest entry."""
    return difference.flatten(1).abs().amax(1) / of.flatten(1).abs().amax(1)


@torch.no_grad()
def two_ways(net, x, target):
    """For each image: how the two formulas differ from each other and from the network, and the image's map."""
    net, x, target = copy.deepcopy(net).cpu().double(), x.cpu().double(), target.cpu()
    A, context = net.cut(x)
    if (linear := linear_part(net, A)) is None:
        return None
    W, b = linear
    f = torch.einsum("ck,bkhw->bchw", W, A) + b[:, None, None]
    a, pooled, y = f.mean((2, 3)), A.mean((2, 3)) @ W.T + b, net.head(A, context)
    own = f[torch.arange(len(x)), target]
    found = {
        "a_b": largest(a - pooled, a), "network": largest(a.softmax(1) - y.softmax(1), y.softmax(1)),
        "same": (a.argmax(1) == y.argmax(1)).double(), "negative": (own < 0).double().mean((1, 2)), "f": own,
    }  # fmt: skip
    if net.affine_head:
        with torch.enable_grad():
            found["map"] = largest(cam(net, x, target) + b[target, None, None] - own, own)
    return found


frames, rows, class_maps = [], {}, {}
for net, images in page.opened:
    if has_latent_position(net):
        continue
    images = images.readable()
    found = [two_ways(net, x, target) for x, target in page.batches(net, images)]
    if None in found:
        print(f"Not run: {net.name} has no class maps after {net.layer}, since its head is of another kind.")
        continue
    found = {name: torch.cat([one[name] for one in found]) for name in found[0]}
    class_maps[net.name] = net, images, found
    values = {("cam", "relative_error"): found["a_b"]}
    if net.affine_head:
        values |= {("cam", "probability_error"): found["network"], ("cam", "map_error"): found["map"]}
    frames.append(page.rows(net, images, values))
    rows[net.name] = {
        "images": len(images), "behind the maps": "mean" if net.affine_head else "ReLU, mean",
        "logits, (a) from (b)": f"{found['a_b'].max():.0e}",
        "probabilities, (a) from the network": f"{found['network'].max():.0e}",
        "same prediction (%)": f"{100 * found['same'].mean():.0f}",
        "map, (d) from lib": f"{found['map'].max():.0e}" if "map" in found else "–",
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index="network").replace("-", "−", regex=True)

# %% [markdown]
r"""
## Two normalisations

To be shown, a map must lie in $[0, 1]$. The authors of CAM and of Grad-CAM scale it differently:

$$
s = \begin{cases}
(f_{\max}^{\hat y})^{-1} \max(0, f^{\hat y}) & \text{max,} \\
(f_{\max}^{\hat y} - f_{\min}^{\hat y})^{-1} (f^{\hat y} - f_{\min}^{\hat y}) & \text{min-max.}
\end{cases} \qquad (e)
$$

Equation (a) does not determine which to take, and neither is part of training. The two agree if the smallest value is zero. The
table has the share of the map that is negative, which *max* sets to zero; the mean of each normalised map; and the correlation of
the two.
"""

# %%
rows = {}
for name, (net, images, found) in class_maps.items():
    up = upsample(found["f"].float(), images.size)
    S = {how: normalise(up, how) for how in ("max", "range")}
    rows[name] = {
        "negative (%)": f"{100 * found['negative'].mean():.0f}",
        "mean of max (%)": f"{report.mean_ci(100 * S['max'].mean((1, 2))):.0f}",
        "mean of min-max (%)": f"{report.mean_ci(100 * S['range'].mean((1, 2))):.0f}",
        "correlation": f"{correlation(S['max'], S['range']).mean():.2f}",
    }
    few = images.subset(range(min(len(images), page.setting("shown"))))
    page.gallery(
        net, few, {"max": S["max"][: len(few)], "min-max": S["range"][: len(few)]},
        name=f"calm-normalisations-{len(rows)}", columns=3,
        caption=f"CAM's map of the class by either normalisation of eq. (e), {name}.",
        alt=f"CAM by max and by min-max, {name}, for images of {', '.join(few.labels)}. "
        f"The maps' means over all images are {rows[name]['mean of max (%)']} and {rows[name]['mean of min-max (%)']} per cent.",
    )  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index="network")

# %% [markdown]
r"""
## Appendix B: a bound on the likelihood

With the parameters $\theta$ to be found and other, known parameters $\theta'$,

$$
\begin{aligned}
-\log p_\theta(y|x) &= -\log \sum_z p_\theta(y, z|x) && (f) \\
&= -\log \sum_z p_{\theta'}(z|x, y) \frac{p_\theta(y, z|x)}{p_{\theta'}(z|x, y)} && (g) \\
&\le -\sum_z p_{\theta'}(z|x, y) \log \frac{p_\theta(y, z|x)}{p_{\theta'}(z|x, y)} && (h) \\
&\le -\sum_z p_{\theta'}(z|x, y) \log p_\theta(y, z|x). && (i)
\end{aligned}
$$

The first gap, (h) less (f), is the divergence of the two posteriors, so (h) is exact at $\theta' = \theta$. The second gap, (i) less
(h), is the entropy of the posterior. The table measures both gaps for CALM's head with random weights, on the features of each
network, with $\theta'$ at several distances from $\theta$. It takes the absolute values of the features, so that $h$ is positive
everywhere. Where $h_z$ is zero under $\theta$ but not under $\theta'$, (h) is infinite. For this case the authors add a constant
before the logarithm.
"""

# %%
STEPS = [0.0, 0.1, 0.25, 0.5, 0.75, 1.0]  # how far theta' is on the way from theta to other random weights


def random_head(channels, classes, seed):
    """CALM's head with random weights, large enough to decide something."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = CALM(nn.Identity(), channels, classes).double()
    with torch.no_grad():
        head.g.weight.mul_(10)
        head.h.weight.abs_()
        head.h.bias.abs_()
    return head.eval()


def between(one, other, t):
    """A head between two heads: the first at t = 0, the other at t = 1."""
    found = copy.deepcopy(one)
    with torch.no_grad():
        for p, q in zip(found.parameters(), other.parameters()):
            p.lerp_(q, t)
    return found


@torch.no_grad()
def activations(net, x):
    """|A| of images, in double precision, with a mean square of one."""
    A = net.cut(x)[0].double().cpu().abs()
    return A / A.square().mean((1, 2, 3), keepdim=True).sqrt()


@torch.no_grad()
def chain(head, other, A, y):
    """(f), (g), (h) and (i) of each image: (4, B)."""
    p, q = (of.joint(A)[torch.arange(len(y)), y].flatten(1) for of in (head, other))  # (B, hw)
    q = q / q.sum(1, keepdim=True)
    f, g = -p.sum(1).log(), -(q * (p / q)).sum(1).log()
    return torch.stack([f, g, -(q * (p / q).log()).sum(1), -(q * p.log()).sum(1)])


rows, gaps = {}, {}
for net, images in page.opened:
    images, found = images.readable(), []
    for x, target in page.batches(net, images):
        A, y = activations(net, x), target.cpu()
        one, two = (random_head(A.shape[1], net.num_classes, seed) for seed in (0, 1))
        found.append(torch.stack([chain(one, between(one, two, t), A, y) for t in STEPS]))
    f, g, h, i = torch.cat(found, 2).unbind(1)  # (T, N) each
    gaps[net.name] = {"(h) − (f)": (h - f).T, "(i) − (h)": (i - h).T}
    frames.append(page.rows(net, images, {
        ("calm", "relative_error"): ((g - f) / f).abs().amax(0), ("calm", "tightness_error"): ((h - f) / f)[0].abs(),
        ("calm", "jensen_excess"): (g - h)[1:].amax(0), ("calm", "entropy_excess"): (h - i).amax(0),
    }))  # fmt: skip
    rows[net.name] = {
        "images": len(images), "(f)": f"{f.mean():.2f}", "(g) from (f), largest": f"{(g - f).abs().max():.0e}",
        "(h) − (f), least": f"{(h - f)[1:].min():.0e}", "at θ′ = θ, largest": f"{(h - f)[0].abs().max():.0e}",
        "(i) − (h), least": f"{(i - h).min():.2f}",
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index="network", columns="nats").replace("-", "−", regex=True)

# %%
figure, panels = plt.subplots(1, 2, figsize=(6.4, 3.2))
for panel, gap in zip(panels, ("(h) − (f)", "(i) − (h)")):
    lines = {name: of[gap].numpy() for name, of in gaps.items()}
    report.curves(STEPS, lines, xlabel=r"distance of $\theta'$ from $\theta$", ylabel=f"{gap}, nats", ax=panel)
    panel.get_legend().remove()
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
ends = "; ".join(
    f"{name}: {gap} from {abs(of[gap][:, 0].mean()):.2f} to {of[gap][:, -1].mean():.2f}" for name, of in gaps.items() for gap in of
)
report.show(
    figure, name="calm-bound", alt=f"Both gaps of the bound by the distance of the two parameters, in nats. {ends}.",
    caption=r"The two gaps of the bound, means over images with 95 % intervals: the divergence of the posteriors, which is zero at "
    rf"$\theta' = \theta$, and the entropy of the posterior, which is not. In nats: {ends}.",
)  # fmt: skip

# %% [markdown]
r"""
## An exact step never lowers the likelihood

EM minimises (i) over $\theta$ repeatedly, each time with the posterior of the last $\theta$. With $g$ held fixed, the best $h$ is known:
it is the mean posterior, $h_z \leftarrow \sum_y q_y\, p(z|x, y)$ for labels with the shares $q_y$. Each image starts from random $g$
and $h$, and its labels are drawn at random. The log-likelihood $\sum_y q_y \log p(y|x)$ never falls from one step to the next.
"""

# %%
def exact_steps(head, A, q, steps=30):
    """The log-likelihood (B, steps + 1) before and after each exact step in h."""
    with torch.no_grad():
        g, h = head.g(A).softmax(1).flatten(2), head.prior(A).flatten(2)  # (B, C, hw), (B, 1, hw)
    found = []
    for _ in range(steps + 1):
        p = (g * h).sum(2)  # (B, C)
        found.append((q * p.log()).sum(1))
        h = h * ((q / p)[..., None] * g).sum(1, keepdim=True)
    return torch.stack(found, 1)


likelihoods, falls = {}, {}
for net, images in page.opened:
    images, found = images.readable(), []
    for x, _ in page.batches(net, images):
        A = activations(net, x)
        drawn = torch.rand(len(A), net.num_classes, generator=torch.Generator().manual_seed(len(found)))
        q = (5 * drawn).softmax(1).double()
        found.append(exact_steps(random_head(A.shape[1], net.num_classes, 0), A, q))
    likelihoods[net.name] = L = torch.cat(found)
    falls[net.name] = -L.diff(dim=1).amin()
    frames.append(page.rows(net, images, {("calm", "likelihood_fall"): (-L.diff(dim=1)).amax(1).clamp_min(0)}))
lines = {name: (L - L[:, :1]).numpy() for name, L in likelihoods.items()}
ax = report.curves(np.arange(31), lines, xlabel="exact steps", ylabel="rise of the log-likelihood, nats")
told = "; ".join(f"{name} {L[:, -1].sub(L[:, 0]).mean():.3f}, largest fall {max(falls[name], 0):.0e}" for name, L in likelihoods.items())
report.show(
    ax.figure, name="calm-exact-steps", alt=f"The log-likelihood by exact steps of EM, less that of the start. After 30: {told}.",
    caption="Exact steps of EM in $h$, from random weights: the rise of the log-likelihood, means over images with 95 % intervals. "
    f"After 30 steps: {told}.",
)  # fmt: skip

# %% [markdown]
r"""
## The gradients of EM and of ML are one

CALM is not trained by exact steps, but by gradient steps on (i), with $\theta' = \theta$ held constant. That gradient is

$$
-\sum_z p_\theta(z|x, y)\, \nabla \log p_\theta(y, z|x) = -\frac{\sum_z \nabla p_\theta(y, z|x)}{p_\theta(y|x)} = -\nabla \log p_\theta(y|x),
$$

the gradient of maximum likelihood (ML). The two losses differ in value, but train a network by the same steps.

The authors' code detaches the sum $N = \sum_z h_z$ by which $h$ is divided: for the gradient it is a constant. Then the gradient of
either loss by the weights of $h$ is no longer that of the likelihood: nothing pulls $h$ down at positions without the cue. A third
loss, the cross-entropy of the network's output, divides once more by $\sum_y p(y|x)$. This sum is one, but dividing by it undoes the
detachment. The table compares each gradient with that of the likelihood.
"""

# %%
def gradients(head, A, y, loss):
    """The gradients of one image's loss by the weights of g and of h."""
    of = {
        "EM": lambda: head.bound(A, y).sum(),
        "ML": lambda: F.nll_loss(head.log_likelihood(A), y),
        "cross-entropy": lambda: F.cross_entropy(head.log_likelihood(A), y),
    }
    return torch.autograd.grad(of[loss](), [head.g.weight, head.h.weight])


rows = {}
for net, images in page.opened:
    few, found = images.readable(page.setting("gradients")), {}
    for x, target in page.batches(net, few):
        A, y = activations(net, x), target.cpu()
        live, detached = (random_head(A.shape[1], net.num_classes, 0).train() for _ in range(2))
        live.detach_norm = False
        for n in range(len(A)):
            true = gradients(live, A[n : n + 1], y[n : n + 1], "ML")
            for sum_, head in (("live", live), ("detached", detached)):
                for loss in ("ML", "EM", "cross-entropy"):
                    own = gradients(head, A[n : n + 1], y[n : n + 1], loss)
                    found.setdefault((loss, sum_), []).append([float((a - b).norm() / b.norm()) for a, b in zip(own, true)])
    for (loss, sum_), of in found.items():
        g, h = np.array(of).max(0)
        rows[net.name, sum_, loss] = {"by the weights of g": f"{g:.0e}", "by those of h": f"{h:.0e}" if h < 1e-3 else f"{h:.2f}"}
pd.DataFrame(rows).T.rename_axis(index=["network", "sum of h", "loss"]).replace("-", "−", regex=True)

# %% [markdown]
r"""
## What training makes of it

Four networks with the same backbone and the same training learn to classify the birds: one with CAM's head, two with CALM's head and
the detached sum, trained by EM and by ML, and one with CALM's head trained by EM without detaching. *Positions* is $e^{H(h)}$, the
number of positions of a uniform distribution that has the entropy of $h$; the grid has 256 positions. *h = 0* is the share of the
images where the ReLU of $h$ leaves nothing, so that $h$ is uniform. *r* is the mean correlation per image of the network's map and the
map of EM with the detached sum.
"""

# %%
@torch.no_grad()
def behaviour(net, images):
    """For each image: whether it is classified correctly, the entropy of h, whether its ReLU leaves nothing, and the map."""
    found = {"right": [], "positions": [], "nothing": [], "map": []}
    for x, y in page.batches(net, images):
        log_p = net(x)
        found["right"].append((log_p.argmax(1) == y).double())
        if has_latent_position(net):
            A = net.cut(x)[0]
            h = net.model.prior(A)
            found["positions"].append(-torch.xlogy(h, h).sum((1, 2, 3)))
            found["nothing"].append((net.model.h(A).relu().sum((1, 2, 3)) == 0).double())
            found["map"].append(net.model.joint(A)[torch.arange(len(y)), y])
    return {name: torch.cat(of).double().cpu() for name, of in found.items() if of}


def trained():
    """One row per network: how good it is, and what it cost."""
    known = {}
    for name in page.setting("trained"):
        recipe, net = nets.recipe(name), nets.load(name, device=device)
        images = data.load(recipe.dataset, size=net.input_size, limit=page.setting("tested"))
        known[name] = recipe.train(), behaviour(net, images)
    first, em = (known[name][1] for name in page.setting("trained")[:2])
    for name, (made, own) in known.items():
        yield {
            "network": name, "images": len(own["right"]), "accuracy (%)": f"{100 * own['right'].mean():.1f}",
            "less CAM's": "–" if own is first else f"{report.mean_ci(100 * (own['right'] - first['right'])):+.1f}",
            "epochs": nets.recipe(name).epochs, "training (s)": f"{made.seconds:.0f}",
            "positions": f"{own['positions'].exp().mean():.0f}" if "map" in own else "–",
            "h = 0 (%)": f"{100 * own['nothing'].mean():.0f}" if "map" in own else "–",
            "r": f"{correlation(own['map'], em['map']).nanmean():.2f}" if "map" in own and own is not em else "–",
        }  # fmt: skip


if page.as_planned:
    table = pd.DataFrame(trained()).set_index("network").replace("-", "−", regex=True)
else:
    table = None
    print("Not run: the networks that are trained here, since others are asked for.")
table

# %% [markdown]
r"""
## A finer grid

CALM's map is as fine as the last grid. The paper changes the strides of the last two blocks of ResNet-50 from 2 to 1 (appendix C). No
weight changes, but the later kernels see less of the image. With dilation they see as much as before, and every fourth row and column
of the new activation is the old one, up to rounding. The last column has the largest difference, as a share of the largest value.
"""

# %%
@torch.no_grad()
def activation_of(model, layer, x):
    """The output of a layer."""
    found = []
    hook = model.get_submodule(layer).register_forward_hook(lambda _, __, out: found.append(out))
    model.eval()(x)
    hook.remove()
    return found[-1]


rows = {}
for name, layers in page.setting("finer").items():
    model = nets.weights.build(name)
    finer, dilated = (without_strides(model, layers, dilation=d) for d in (False, True))
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    before, after, wide = (activation_of(m, layers[-1], x) for m in (model, finer, dilated))
    step = round(after.shape[2] / before.shape[2])
    rows[name, ", ".join(layers)] = {
        "grid before": f"{before.shape[2]} × {before.shape[3]}", "after": f"{after.shape[2]} × {after.shape[3]}",
        "dilated, difference": f"{largest(wide[..., ::step, ::step] - before, before).item():.0e}".replace("-", "−"),
    }  # fmt: skip
pd.DataFrame(rows).T.rename_axis(index=["network", "without strides"])

# %% [markdown]
"""
## Do the claims hold?

The appendices are derivations, so their verdicts test the code.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(frames, ignore_index=True), "Appendix A", "Appendix B")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Bias.** Equations (a) to (d) have no bias; the networks have one. It is added at every position, and shifts a map as a whole.

**Where h is zero.** The paper does not say what $h$ is if its ReLU leaves nothing. Here it is uniform, so that $p(y|x)$ is a distribution
for every image; no gradient reaches $h$ for such an image.

**The constant before the logarithm** is the authors' $10^{-8}$, in the EM loss alone. The likelihood is computed from the logarithms of $g$
and $h$ and needs none.

**The detached sum** matters in training alone. The network that is explained has the gradient of what it reports.

**Backbone.** The paper's is ResNet-50 with a grid of 28 × 28. The networks of the birds are small and trained from scratch; their grid is
16 × 16 for images of 64 × 64 pixels.
```
"""

# %%
page.departures()

# %%
page.provenance()
