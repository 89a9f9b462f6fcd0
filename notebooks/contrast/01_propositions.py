# %% [markdown]
r"""
# Three propositions

The usual explanation of a class answers *why this class*, and ignores the other classes. But a network with a
softmax never learns what a class looks like by itself: it learns differences between classes. So the paper
{cite:p}`contrast` proposes the *weighted contrast*. From the explanation $\phi_t$ of a class it subtracts those
of the other classes, each weighted by its softmax probability among the other classes:

$$
\phi_t^{\mathrm{weighted}} = \phi_t - \sum_{s \ne t} \alpha_s \phi_s,
\qquad
\alpha_s = \frac{e^{y_s}}{\sum_{s' \ne t} e^{y_{s'}}}.
$$

Three propositions, proved in appendices A to C of the supplement, support the idea. This page tests each of them
on networks, for all methods of this book that back-propagate.
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
batch_size: int = 64  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import copy

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch.nn import functional as F

from book import Page, fewer, report
from lib.methods import METHODS
from lib.nets.activation import rows
from lib.saliency import raw_map
from lib.selectors import CONTRASTS, probability

page = Page("contrast/01_propositions", globals())
CONTRASTIVE = [name for name, method in METHODS.items() if "contrast" in method.options]


class FeaturesOnce:
    """A network that computes the features of some images once, and reuses them in each pass."""

    @torch.no_grad()
    def __init__(self, net, x):
        self.net, self.x, self.found = net, x, net.cut(x)

    def __getattr__(self, name):
        return getattr(self.net, name)

    def cut(self, x):
        return rows(self.found, torch.arange(len(x), device=self.device) % len(self.x))


class Shown:
    """A network, also in double precision, and a few of its images with their logits."""

    def __init__(self, net, images):
        self.net, self.double = net, copy.deepcopy(net).double()
        self.all = images.readable()
        self.few = fewer(self.all, page.setting("seen")).at(page.setting("size", net) or net.input_size)
        self.x = torch.stack([sample.image for sample in self.few])
        parts = self.x.split(batch_size)
        self.once = {each: [FeaturesOnce(each, x) for x in parts] for each in (self.net, self.double)}
        with torch.no_grad():
            self.y = torch.cat([self.double(x.double()).cpu() for x in parts])
        self.t = self.y.argmax(1)  # what is explained
        self.methods = [m for m in CONTRASTIVE if self.has(m)]

    def has(self, method):
        """Whether the method runs on the network; prints why not."""
        if method == "cam" and not self.net.affine_head:
            return False
        try:
            raw_map(method, self.double, self.x[:1], self.t[:1])
        except ValueError as error:
            print(f"Not run on {self.net.name}: {error}.")
            return False
        return True

    def maps(self, method, net, **options):
        """The raw maps (B, h, w) for the most probable classes."""
        parts = zip(self.once[net], self.t.split(batch_size))
        return torch.cat([raw_map(method, once, once.x, t, **options).cpu() for once, t in parts])

    def of_classes(self, method, classes, **options):
        """The raw maps (B, n, h, w) of the first B images for n classes each, in double precision."""
        parts = zip(self.once[self.double], classes.split(batch_size))
        return torch.cat([self._of_classes(method, once, some, **options) for once, some in parts])

    @staticmethod
    def _of_classes(method, once, classes, **options):
        B, n = classes.shape
        once, found = FeaturesOnce(once.net, once.x[:B]) if B < len(once.x) else once, []
        for some in classes.split(max(1, batch_size // B), dim=1):
            x, targets = once.x.repeat(some.shape[1], 1, 1, 1), some.T.flatten()
            found.append(raw_map(method, once, x, targets, **options).cpu())
        return torch.cat(found).unflatten(0, (n, B)).transpose(0, 1)

    @property
    def affordable(self):
        """For how many images the maps of all classes are computed."""
        return min(len(self.x), page.setting("classes", self.net) // self.net.num_classes)


page.protocol()

# %%
shown = [Shown(*opened) for opened in page.opened]

# %% [markdown]
r"""
## Proposition 1: two classes learn one difference

A softmax over two classes with weights $w_1, w_2$ depends only on $w_1 - w_2$. The gradients of the two weights are
each other's negative, $\nabla_{w_1} L = -\nabla_{w_2} L$. So the difference moves like the weight $w$ of logistic
regression, and the sum does not move:

$$
\begin{aligned}
w_1 - w_2 &\leftarrow (w_1 - w_2) - \eta (\nabla_{w_1} L - \nabla_{w_2} L) = w - 2 \eta \nabla_w L, \\
w_1 + w_2 &\leftarrow w_1 + w_2.
\end{aligned}
$$

The printed proof ends with $w - \eta \nabla_w L$. It lacks the factor two, which doubles the learning rate. The value
of $w_1$ by itself depends on its initial value, so an explanation of $y_1$ alone partly shows the random initialisation.

The experiment separates photographs of animals from photographs of other things (on other datasets, the lower half of
the classes from the upper half), by the two principal components of a network's features. A softmax is trained from
three starts, with different $w_1$ and $w_2$ but the same difference. Logistic regression starts at that difference, once
with the same learning rate and once with twice the rate.
"""

# %%
STEPS, RATE = 60, 0.5


def two_kinds(images):
    """The images with classes, and the kind of each: 0 or 1."""
    known = images.subset([i for i, target in enumerate(images.targets) if target is not None])
    split = page.setting("split") if page.as_planned else sorted(known.targets)[len(known) // 2]
    return known, torch.tensor([int(target >= split) for target in known.targets])


@torch.no_grad()
def components(net, images):
    """The two principal components (N, 2) of the images' features, centred and scaled."""
    features = [net.features(x).mean((2, 3)).double().cpu() for x, _ in page.batches(net, images)]
    f = torch.cat(features) - torch.cat(features).mean(0)
    f = f @ torch.linalg.svd(f, full_matrices=False).Vh[:2].T
    return f / f.std(0)


def trained(W, f, label, rate):
    """The path (steps + 1, ...) of gradient descent from W: (2, 2) for softmax, (2,) for logistic regression."""
    path = [W]
    for _ in range(STEPS):
        W = path[-1].clone().requires_grad_()
        if W.ndim == 2:
            loss = F.cross_entropy(f @ W.T, label)
        else:
            loss = F.binary_cross_entropy_with_logits(f @ W, (label == 0).double())
        path.append(W.detach() - rate * torch.autograd.grad(loss, W)[0])
    return torch.stack(path)


def largest_distance(between, path, f):
    """Per image: the largest difference of the log-odds of softmax and regression, as a share of the largest log-odds."""
    return (between @ f.T - path @ f.T).abs().amax((0, 1)) / (path @ f.T).abs().amax(0)


difference = torch.tensor([0.8, -1.6], dtype=torch.float64)
means = 1.2 * torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
starts = torch.stack([means + difference / 2, means - difference / 2], 1)  # (3, 2, 2)
regression, frames = {}, []
for each in shown:
    images, label = two_kinds(each.all)
    if label.bincount(minlength=2).min() < 2:
        print(f"Proposition 1 is not run on {each.net.name}: it needs two kinds of images with at least two images each.")
        continue
    f = components(each.net, images)
    softmax = torch.stack([trained(W, f, label, RATE) for W in starts])  # (3, steps + 1, 2, 2)
    twice, same = (trained(difference, f, label, r * RATE) for r in (2, 1))
    between = softmax[:, :, 0] - softmax[:, :, 1]
    regression[each.net.name] = {
        "n": len(images),
        "w₁ − w₂ from w, twice the rate": f"{(between - twice).abs().max():.0e}",
        "w₁ − w₂ from w, the same rate": f"{(between - same).abs().max():.2f}",
        "change of w₁ + w₂": f"{(softmax.sum(2) - softmax[:, :1].sum(2)).abs().max():.0e}",
    }
    paths = {"twice_the_rate": twice, "same_rate": same}
    values = {(name, "relative_error"): largest_distance(between, path, f) for name, path in paths.items()}
    frames.append(page.rows(each.net, images, values))
pd.DataFrame.from_dict(regression, orient="index")

# %%
if regression:  # of the last network
    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.9))
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for i, (path, colour) in enumerate(zip(softmax, colours)):
        for k, dash in enumerate(("-", ":")):
            left.plot(*path[:, k].T, dash, color=colour, linewidth=2, label=f"$w_{k + 1}$" if i == 0 else None)
            left.plot(*path[0, k], "o", color=colour, markersize=6)
        right.plot(*between[i].T, color=colour, linewidth=6 - 2 * i, label=f"softmax, start {i + 1}")
    right.plot(*twice[::6].T, "k+", markersize=9, label="regression, twice the rate")
    right.plot(*same[::6].T, "kx", markersize=5, label="regression, the same rate")
    right.plot(*difference, "o", color="k", markersize=6)
    left.set(title="each weight", xlabel="first component", ylabel="second component")
    right.set(title=r"their difference $w_1 - w_2$", xlabel="first component")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    network, told = [*regression.items()][-1]
    report.show(
        figure,
        name="contrast-proposition-1",
        alt="Left: the paths of the weights of two classes in training from three starts, six different paths. "
        "Right: the paths of their difference, whose largest distance from the path of logistic regression is "
        f"{told['w₁ − w₂ from w, twice the rate']} at twice the learning rate, and "
        f"{told['w₁ − w₂ from w, the same rate']} at the same.",
        caption="Proposition 1. Left: the paths of the weights of a softmax over two classes, from three starts (dots). "
        "Right: their differences, and logistic regression at two learning rates, with a mark every sixth step. "
        f"{told['n']} images, features of {network}.",
    )

# %% [markdown]
r"""
## Proposition 2: the weighted contrast explains the probability

The gradient of the softmax probability $p_t$ is

$$
\frac{\partial p_t}{\partial x} = p_t (1 - p_t)
\Big( \frac{\partial y_t}{\partial x} - \sum_{s \ne t} \alpha_s \frac{\partial y_s}{\partial x} \Big).
$$

So a method that starts back-propagation at the probability gives the weighted contrast, up to the factor
$p_t (1 - p_t)$. A method that starts at the logit gives no contrast. The proposition holds for methods that scale with
the gradient. The table has the largest difference of the two sides over all images and pixels, relative to the largest
entry of the map, in double and in single precision:
"""

# %%
def error(one, two):
    """Per image: the largest difference, as a share of the largest entry."""
    largest = two.abs().amax((1, 2)).clamp_min(torch.finfo(two.dtype).tiny)
    return ((one - two).abs().amax((1, 2)) / largest).double()


def table(columns):
    """The largest error of each method; a dash where it does not apply."""
    shares = {key: {m: f"{e.max():.0e}" for m, e in errors.items()} for key, errors in columns.items()}
    return pd.DataFrame(shares, index=CONTRASTIVE).rename(index=report.method_title).fillna("–")


errors = {}
for each in shown:
    for precision, net in (("double", each.double), ("single", each.net)):
        p = probability(each.y.to(net.dtype), each.t)[:, None, None]
        errors[net.name, precision] = {
            m: error(each.maps(m, net, selector="probability"), p * (1 - p) * each.maps(m, net, contrast="weighted"))
            for m in each.methods
        }
table(errors)

# %% [markdown]
r"""
Grad-CAM++ weights gradients by a ratio of their powers. So it does not scale with the gradient, and the proposition
does not cover it. In single precision an error of $10^{-7}$ in $p_t$ is divided by $1 - p_t$: where the network is certain
of an image, the gradient of the probability loses its digits. The weights of the contrast do not contain $p_t$, so it keeps
them. Numerically it is therefore better to start at the contrast than at the probability.

### A sum that must vanish

The probabilities of all classes sum to one for every image, so their gradients sum to zero:

$$
\sum_t p_t (1 - p_t) \, \phi_t^{\mathrm{weighted}} = 0.
$$

What speaks for one class speaks against others. The figure adds up the classes, from the most probable down. Where
there are many classes, it takes few images.
"""

# %%
able = [each for each in shown if each.affordable]
if not able:
    print(f"Not run: more than {page.setting('classes')} classes take too long, one by one.")
for each in able[-1:]:
    p = each.y[: each.affordable].softmax(1)  # (B, C)
    order, C = p.argsort(1, descending=True), each.net.num_classes
    weights, sums = (p * (1 - p)).gather(1, order)[..., None, None], {}
    for method in [m for m in ("grad_cam", "linear_approximation", "lift_cam", "lrp_cam") if m in each.methods]:
        terms = weights * each.of_classes(method, order, contrast="weighted")  # (B, C, h, w)
        size = terms.cumsum(1).abs().amax((2, 3))
        sums[METHODS[method].title] = (size / size[:, :1]).log10().clamp_min(-17)
    left_over = 10 ** max(values[:, -1].max().item() for values in sums.values())

    xlabel, ylabel = "classes added, the most probable first", "largest entry of the sum, log₁₀"
    report.show(
        report.curves(range(1, C + 1), sums, xlabel=xlabel, ylabel=ylabel).figure,
        name="contrast-sum-of-contrasts",
        alt="The sum of weighted contrasts over the classes, against how many have been added, for "
        f"{', '.join(sums)}. With all {C} classes it is at most {left_over:.0e} of the first term.",
        caption=f"The weighted contrasts of all {C} classes, each times $p_t (1 - p_t)$, add up to zero: the "
        "largest entry of the sum so far, as a share of the largest entry of the first term; mean, "
        f"n = {len(p)}, {each.net.name}, double precision.",
    )

# %% [markdown]
r"""
## Proposition 3: contrasts pass through propagation rules

Some methods replace derivatives by rules of their own: DeepLIFT takes secants, layer-wise relevance propagation
takes slopes through zero. Each step $f$ is still linear in what it propagates, so

$$
f\Big(r_t - \sum_{s \ne t} \alpha_s r_s\Big) = f(r_t) - \sum_{s \ne t} \alpha_s f(r_s).
$$

The same holds for the mean and the max contrast, whose weights are also constant. So one pass from the contrast must
give the same map as one pass per class, combined. The table has the largest difference in double precision. The max
contrast, which needs two passes, is tested on all images, the others on as many images as the figure above:
"""

# %%
passes = {}
for each in shown:
    every = (each.affordable, each.net.num_classes, ("mean", "weighted"))
    for n, count, contrasts in ((len(each.x), 2, ("max",)), every):
        y, t = each.y[:n], each.t[:n]
        classes = y.argsort(1, descending=True)[:, :count]  # (n, count), the explained class first
        for m in each.methods if n else ():
            alone = each.of_classes(m, classes)  # (n, count, h, w)
            for contrast in contrasts:
                a = CONTRASTS[contrast](y, t).gather(1, classes)[..., None, None]
                whole = each.maps(m, each.double, contrast=contrast)[:n]
                combined = alone[:, 0] - (a * alone).sum(1)
                passes.setdefault((each.net.name, contrast), {})[m] = error(whole, combined)
table(passes)

# %% [markdown]
r"""
Layer-CAM and Grad-CAM++ set negative gradients to zero, so the contrast of their maps is not the map of the
contrast. The verdict on proposition 3 leaves both out.

## Do the propositions hold?

For proposition 1 the verdicts compare the log-odds of each image at all steps of the training. For the other two they
take the largest error per image over the methods, in double precision: for proposition 2 over all methods but Grad-CAM++,
for proposition 3, with the max contrast, over all but Layer-CAM and Grad-CAM++.
"""

# %% tags=["nbval-check-output"]
UNSCALED, UNLINEAR = {"grad_cam_plus_plus"}, {"grad_cam_plus_plus", "layer_cam"}


def largest(errors, without):
    """The largest error (N,) per image, over methods."""
    return torch.stack([e for m, e in errors.items() if m not in without]).amax(0)


for each in shown:
    values = {
        "probability_against_contrast": largest(errors[each.net.name, "double"], UNSCALED),
        "one_pass_against_many": largest(passes[each.net.name, "max"], UNLINEAR),
    }
    values = {(statement, "relative_error"): of for statement, of in values.items()}
    frames.append(page.rows(each.net, each.few.relabelled(each.t.tolist()), values))
page.verdicts(pd.concat(frames, ignore_index=True), "Proposition 1", "Proposition 2", "Proposition 3")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Proposition 1** is tested for gradient descent. The argument is the same for momentum and for Adam, whose steps change
sign with the gradient.

**Constants.** The weights of a contrast are computed from the image's logits and not differentiated. Otherwise the
weighted contrast would be another function, and proposition 2 would not hold.

**Left out.** GradientSHAP averages gradients over points with other logits, hence other weights. TIBAV distributes the
relevance of its score, which is zero for a contrast, since the weights sum to zero.

**Many classes.** Where there are many classes, the maps of all classes are computed for fewer images. The verdict on
proposition 3 is on the max contrast; the tests of this book cover all three contrasts, on twelve small networks.
```
"""

# %%
page.departures()

# %%
page.provenance()
