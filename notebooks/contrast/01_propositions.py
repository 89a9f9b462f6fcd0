# %% [markdown]
r"""
# Three propositions

An explanation of a class answers *why this class*, and says nothing of the others. But a network that chooses
between classes by softmax never learns what a class looks like by itself: it learns differences. From this the
paper {cite:p}`contrast` draws its *weighted contrast*: subtract from the explanation $\phi_t$ of a class those
of the others, each with the weight that the network gives it among them,

$$
\phi_t^{\mathrm{weighted}} = \phi_t - \sum_{s \ne t} \alpha_s \phi_s,
\qquad
\alpha_s = \frac{e^{y_s}}{\sum_{s' \ne t} e^{y_{s'}}}.
$$

Three propositions, proved in appendices A to C of its supplement, carry the idea. This page holds each against
networks, for every method of this book that back-propagates.
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

# %%
import copy
from collections import Counter

import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch.nn import functional as F

from book import Page, batch, report
from lib import data
from lib.methods import METHODS
from lib.nets.activation import rows
from lib.saliency import raw_map
from lib.selectors import CONTRASTS, probability

page = Page("contrast/01_propositions", globals())
CONTRASTIVE = [name for name, method in METHODS.items() if "contrast" in method.options]
MANY = 100  # classes, for all of which not everything is computed


class FeaturesOnce:
    """A network that remembers the features of some images, which it then sees again and again."""

    @torch.no_grad()
    def __init__(self, net, x):
        self.net, self.x, self.found = net, x, net.cut(x)

    def __getattr__(self, name):
        return getattr(self.net, name)

    def cut(self, x):
        return rows(self.found, torch.arange(len(x), device=self.device) % len(self.x))


class Shown:
    """A network, also in double precision, and its images with the class that it finds most probable."""

    def __init__(self, net, images):
        self.net, self.double = net, copy.deepcopy(net).double()
        self.own = images.readable()  # with the classes that they have
        images = self.own.at(page.setting("size", net) or net.input_size)
        self.x = torch.stack([sample.image for sample in images])
        self.t = self.logits(net).argmax(1)
        self.images = images.relabelled(self.t.tolist())
        self.once = {net: self.parts(net, self.x) for net in (self.net, self.double)}
        self.methods = [m for m in CONTRASTIVE if self.has(m)]

    def has(self, method):
        """Whether the method runs on the network; says why not."""
        if method == "cam" and not self.net.affine_head:
            return False
        try:
            raw_map(method, self.double, self.x[:1], self.t[:1])
        except ValueError as error:
            print(f"Not run on {self.net.name}: {error}.")
            return False
        return True

    @staticmethod
    def parts(net, x):
        return [FeaturesOnce(net, part) for part in x.split(batch_size)]

    def logits(self, net):
        with torch.no_grad():
            return torch.cat([net(x.to(net.dtype)).cpu() for x in self.x.split(batch_size)])

    def maps(self, method, net, target=None, **options):
        parts = zip(self.once[net], (self.t if target is None else target).split(batch_size))
        return torch.cat([raw_map(method, once, once.x, t, **options).cpu() for once, t in parts])


page.protocol()

# %%
shown = [Shown(*opened) for opened in page.opened]

# %% [markdown]
r"""
## Proposition 1: two classes learn one difference

A softmax over two classes with weights $w_1, w_2$ decides by $w_1 - w_2$ alone. Its gradients are each other's
negative, $\nabla_{w_1} L = -\nabla_{w_2} L$, so that the difference moves as the weight $w$ of logistic regression
does, and their sum not at all:

$$
\begin{aligned}
w_1 - w_2 &\leftarrow (w_1 - w_2) - \eta (\nabla_{w_1} L - \nabla_{w_2} L) = w - 2 \eta \nabla_w L, \\
w_1 + w_2 &\leftarrow w_1 + w_2.
\end{aligned}
$$

The printed proof ends with $w - \eta \nabla_w L$; the two is missing, and stands for a learning rate. What $w_1$ is
by itself depends on where it started: an explanation of $y_1$ alone shows in part the draw of the initial weights.

To see it, two classes are told apart by the features of a network, reduced to their two principal components. A
softmax starts three times, with different $w_1$ and $w_2$ but the same difference.
"""

# %%
def two_classes(images):
    """Those of the two classes that have most images; none if two images a class are not to be had."""
    counts = Counter(sorted(c for c in images.targets if c is not None)).most_common(2)
    if len(counts) < 2 or counts[1][1] < 2:
        print(f"Not run: no two classes of {images.name} have two images each.")
        return images.subset([])
    of = {c: [i for i, target in enumerate(images.targets) if target == c] for c, _ in counts}
    return images.subset([i for index in of.values() for i in index[: page.setting("each")]])


def components(net, images):
    """Their features' two principal components (N, 2), centred and scaled, and which class each is: 0 or 1."""
    x, labels = batch(net, images)
    with torch.no_grad():
        f = torch.cat([net.features(part).mean((2, 3)).double().cpu() for part in x.split(batch_size)])
    f = f - f.mean(0)
    f = f @ torch.linalg.svd(f, full_matrices=False).Vh[:2].T
    return f / f.std(0), (labels != labels[0]).long().cpu()


def trained(W, f, label, rate, steps=60):
    """The path (steps + 1, ...) of gradient descent from W: (2, 2) for softmax, (2,) for logistic regression."""
    path = [W]
    for _ in range(steps):
        W = path[-1].clone().requires_grad_()
        if W.ndim == 2:
            loss = F.cross_entropy(f @ W.T, label)
        else:
            loss = F.binary_cross_entropy_with_logits(f @ W, (label == 0).double())
        path.append(W.detach() - rate * torch.autograd.grad(loss, W)[0])
    return torch.stack(path)


def show_paths(net, images):
    """Both weights and their difference, from three starts, beside logistic regression."""
    f, label = components(net, images)
    difference = torch.tensor([0.8, -1.6], dtype=torch.float64)
    means = 1.2 * torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    starts = torch.stack([means + difference / 2, means - difference / 2], 1)  # (3, 2, 2)
    paths = torch.stack([trained(W, f, label, rate=0.5) for W in starts])  # (3, steps + 1, 2, 2)
    logistic, same = (trained(difference, f, label, rate) for rate in (1.0, 0.5))
    between = paths[:, :, 0] - paths[:, :, 1]
    apart, slower = (between - logistic).abs().max(), (between[0] - same).abs().max()
    still = (paths.sum(2) - paths[:, :1].sum(2)).abs().max()
    print(f"largest distance of w1 - w2 from w, at twice the learning rate: {apart:.1e}; at the same: {slower:.2f}")
    print(f"largest change of w1 + w2: {still:.1e}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(6.4, 3.9))
    colours = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    for i, (path, colour) in enumerate(zip(paths, colours)):
        for k, dash in enumerate(("-", ":")):
            left.plot(*path[:, k].T, dash, color=colour, linewidth=2, label=f"$w_{k + 1}$" if i == 0 else None)
            left.plot(*path[0, k], "o", color=colour, markersize=6)
        right.plot(*between[i].T, color=colour, linewidth=6 - 2 * i, label=f"softmax, start {i + 1}")
    right.plot(*logistic[::6].T, "k+", markersize=9, label="logistic regression")
    right.plot(*logistic[0], "o", color="k", markersize=6)
    left.set(title="each weight", xlabel="first component", ylabel="second component")
    right.set(title=r"their difference $w_1 - w_2$", xlabel="first component")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))
    report.show(
        figure,
        name="contrast-proposition-1",
        alt="Left: the weights of two classes on their way through training from three starts, six different paths. "
        f"Right: the differences of the two, which lie on one path, that of logistic regression, to {apart:.0e}.",
        caption="Proposition 1. From three starts (dots) the weights of a softmax over two classes take six paths; "
        "their difference takes one, that of logistic regression with twice the learning rate (crosses). The "
        f"classes are two of *{images.name}* with {len(images)} images, seen by {net.name}.",
    )


net = shown[-1].net
pool = data.load("birds", size=net.input_size) if page.as_planned else shown[-1].own
if images := two_classes(pool):
    show_paths(net, images)

# %% [markdown]
r"""
## Proposition 2: the weighted contrast explains the probability

Differentiate the softmax probability $p_t$ in place of the logit:

$$
\frac{\partial p_t}{\partial x} = p_t (1 - p_t)
\Big( \frac{\partial y_t}{\partial x} - \sum_{s \ne t} \alpha_s \frac{\partial y_s}{\partial x} \Big).
$$

So a method that starts at the probability gives the weighted contrast, one that starts at the logit gives no
contrast at all, and the two differ by more than a factor. This needs a method that scales with the gradient.
Largest difference of the two sides over all images and pixels, as a share of the largest entry of the map, in
double and in single precision:
"""

# %%
def error(one, two):
    """Of each image: the largest difference as a share of the largest entry."""
    largest = two.abs().amax((1, 2)).clamp_min(torch.finfo(two.dtype).tiny)
    return ((one - two).abs().amax((1, 2)) / largest).double()


def table(columns):
    """The largest error of each method; a dash where it does not apply."""
    shares = {key: {m: f"{e.max():.0e}" for m, e in errors.items()} for key, errors in columns.items()}
    return pd.DataFrame(shares, index=CONTRASTIVE).rename(index=report.method_title).fillna("–")


errors = {}
for each in shown:
    for precision, net in (("double", each.double), ("single", each.net)):
        p = probability(each.logits(net), each.t)[:, None, None]
        errors[net.name, precision] = {
            m: error(each.maps(m, net, selector="probability"), p * (1 - p) * each.maps(m, net, contrast="weighted"))
            for m in each.methods
        }
table(errors)

# %% [markdown]
r"""
Grad-CAM++ weights gradients by a ratio of their powers: it does not scale, and the proposition does not speak of
it. In single precision an error of $10^{-7}$ in $p_t$ is divided by $1 - p_t$, so that for an image of which the network is
certain the left side loses its digits; the contrast, whose weights do not contain $p_t$, keeps them. To start at the
contrast is therefore also the sounder way to compute it.

### A sum that must vanish

Probabilities sum to one, whatever the image, so their gradients sum to zero:

$$
\sum_t p_t (1 - p_t) \, \phi_t^{\mathrm{weighted}} = 0.
$$

What speaks for one class speaks against the others. The figure adds the classes up, from the most probable down; of
many classes, on few images.
"""

# %%
def of_all_classes(method, once):
    """The weighted contrasts (B, C, h, w) of images for all classes."""
    C, B, found = once.num_classes, len(once.x), []
    for classes in torch.arange(C).split(max(1, batch_size // B)):
        x, targets = once.x.repeat(len(classes), 1, 1, 1), classes.repeat_interleave(B)
        found.append(raw_map(method, once, x, targets, contrast="weighted").cpu())
    return torch.cat(found).unflatten(0, (C, B)).transpose(0, 1)


able = [each for each in shown if each.net.num_classes <= MANY or each.net.affine_head]
if not able:
    print(f"Not run: more than {MANY} classes behind a head that is not affine take too long, one by one.")
for each in able[-1:]:
    net, C = each.double, each.net.num_classes
    x = each.x[: max(1, page.setting("contrasts") // C)]
    p = each.logits(net)[: len(x)].softmax(1)
    order = p.argsort(1, descending=True)
    parts, sums = each.parts(net, x), {}
    for method in [m for m in ("grad_cam", "linear_approximation", "lift_cam", "lrp_cam") if m in each.methods]:
        maps = torch.cat([of_all_classes(method, part) for part in parts])
        terms = (p * (1 - p))[..., None, None] * maps  # (B, C, h, w)
        ordered = torch.stack([term[o] for term, o in zip(terms, order)])
        size = ordered.cumsum(1).abs().amax((2, 3))  # (B, C)
        sums[METHODS[method].title] = (size / size[:, :1]).log10().clamp_min(-17)
    left_over = 10 ** max(values[:, -1].max().item() for values in sums.values())

    xlabel, ylabel = "classes added, the most probable first", "largest entry of the sum, log₁₀"
    report.show(
        report.curves(range(1, C + 1), sums, xlabel=xlabel, ylabel=ylabel).figure,
        name="contrast-sum-of-contrasts",
        alt="The sum of weighted contrasts over the classes, against how many have been added, for "
        f"{', '.join(sums)}. With all {C} classes it is at most {left_over:.0e} of the first term.",
        caption=f"The weighted contrasts of all {C} classes, each times $p_t (1 - p_t)$, add up to nothing: the "
        "largest entry of the sum so far, as a share of that of the first term; mean, "
        f"n = {len(x)}, {net.name}, double precision.",
    )

# %% [markdown]
r"""
## Proposition 3: contrasts pass through propagation rules

Some methods replace derivatives by rules of their own: DeepLIFT takes secants, layer-wise relevance propagation
takes slopes through zero. Each of these steps is still linear in what it propagates, and so

$$
f\Big(r_t - \sum_{s \ne t} \alpha_s r_s\Big) = f(r_t) - \sum_{s \ne t} \alpha_s f(r_s),
$$

which is the same for the mean and the max contrast, whose weights are as constant. One pass from the contrast must
give what as many passes as there are classes give, combined. Largest difference, in double precision; where there are
more than 100 classes, for the max contrast only, which needs two:
"""

# %%
passes = {}
for each in shown:
    net, y = each.double, each.logits(each.double)
    few = net.num_classes <= MANY
    classes = y.argsort(1, descending=True)[:, : None if few else 2]  # (B, n), the explained class first
    for m in each.methods:
        alone = torch.stack([each.maps(m, net, target=s) for s in classes.unbind(1)], 1)  # (B, n, h, w)
        for contrast in ("mean", "max", "weighted") if few else ("max",):
            a = CONTRASTS[contrast](y, each.t).gather(1, classes)[..., None, None]
            combined = alone[:, 0] - (a * alone).sum(1)
            passes.setdefault((net.name, contrast), {})[m] = error(each.maps(m, net, contrast=contrast), combined)
table(passes)

# %% [markdown]
r"""
Layer-CAM and Grad-CAM++ cut off negative gradients on the way: the contrast of their maps is not the map of the
contrast. Both are left out below.

## Do the propositions hold?

On each image the largest error over the methods, in double precision: for proposition 2 all but Grad-CAM++, for
proposition 3 all but Layer-CAM and Grad-CAM++.
"""

# %% tags=["nbval-check-output"]
UNSCALED, UNLINEAR = {"grad_cam_plus_plus"}, {"grad_cam_plus_plus", "layer_cam"}


def largest(columns, without):
    """The largest error on each image (N,) over columns of a table and over methods."""
    return torch.stack([e for errors in columns for m, e in errors.items() if m not in without]).amax(0)


frames = []
for each in shown:
    sides = largest([errors[each.net.name, "double"]], UNSCALED)
    combined = largest([passes[key] for key in passes if each.net.name in key], UNLINEAR)
    values = {"probability_against_contrast": sides, "one_pass_against_many": combined}
    values = {(statement, "relative_error"): of for statement, of in values.items()}
    frames.append(page.rows(each.net, each.images, values))
page.verdicts(pd.concat(frames, ignore_index=True), "Proposition 2", "Proposition 3")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Proposition 1** holds with twice the learning rate, as above, for gradient descent; with it also for momentum and for
Adam, whose steps are the negative of themselves for the negative gradient.

**Constants.** The weights of a contrast are read off the image's logits and not differentiated. Differentiated, the
weighted contrast would be another function, and proposition 2 would not hold.

**Left out.** GradientSHAP averages gradients over points with other logits, and so other weights; TIBAV shares out
the relevance of its score, and that of a contrast, whose weights sum to zero, is nothing.

**Many classes.** Of networks with more than 100 classes proposition 3 is shown for the max contrast; the tests of this
book show all three, on twelve small networks. The sum over all classes is taken on fewer images where there are
many, and where they are more than 100 only behind an affine head.
```
"""

# %%
page.departures()

# %%
page.provenance()
