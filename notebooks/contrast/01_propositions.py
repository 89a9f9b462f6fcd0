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
real networks, for every method of this book that back-propagates: photographs on EfficientNet-Lite0, whose head
is affine, and birds drawn for this book on a VGG-style network, whose head is not.
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
import matplotlib.pyplot as plt
import pandas as pd
import torch
from torch.nn import functional as F

from book import Page, batch, report
from lib import data
from lib.methods import METHODS
from lib.saliency import raw_map
from lib.selectors import CONTRASTS, probability

page = Page("contrast/01_propositions", globals())
CONTRASTIVE = [name for name, method in METHODS.items() if "contrast" in method.options]


class Shown:
    """A network, also in double precision, and its images with the class that it finds most probable."""

    def __init__(self, net, images):
        self.net, self.double = net, page.open(page.experiment(net))[0].double()
        images = images.at(page.setting("size", net) or net.input_size).readable()
        self.x = torch.stack([sample.image for sample in images])
        self.t = self.logits(net).argmax(1)
        self.images = images.relabelled(self.t.tolist())
        self.methods = [m for m in CONTRASTIVE if m != "cam" or net.affine_head]

    def logits(self, net):
        with torch.no_grad():
            return torch.cat([net(x.to(net.dtype)).cpu() for x in self.x.split(batch_size)])

    def maps(self, method, net, target=None, **options):
        parts = zip(self.x.split(batch_size), (self.t if target is None else target).split(batch_size))
        return torch.cat([raw_map(method, net, *part, **options).cpu() for part in parts])


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

To see it, two classes of birds are told apart by the features of a network, reduced to their two principal
components. A softmax starts three times, with different $w_1$ and $w_2$ but the same difference.
"""

# %%
def two_classes(net):
    """Features (N, 2) of two species, centred and scaled, and which of the two each is."""
    pool, species = data.load("birds", size=net.input_size), page.setting("species")
    index = [i for c in (0, 1) for i in [i for i, t in enumerate(pool.targets) if t == c][:species]]
    x, labels = batch(net, pool.subset(index))
    with torch.no_grad():
        f = torch.cat([net.features(part).mean((2, 3)).double().cpu() for part in x.split(batch_size)])
    f = f - f.mean(0)
    f = f @ torch.linalg.svd(f, full_matrices=False).Vh[:2].T
    return f / f.std(0), labels.cpu()


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


f, label = two_classes(shown[-1].net)
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
    alt="Left: the weights of two classes on their way through training from three starts, six different paths. Right: the "
    f"differences of the two, which lie on one path, that of logistic regression, to {apart:.0e}.",
    caption="Proposition 1. From three starts (dots) the weights of a softmax over two classes take six paths; their "
    "difference takes one, that of logistic regression with twice the learning rate (crosses).",
)

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

What speaks for one class speaks against the others. The figure adds the classes up, from the most probable down.
"""

# %%
each, net = shown[-1], shown[-1].double
C = net.num_classes
p = each.logits(net).softmax(1)
order = p.argsort(1, descending=True)
sums = {}
for method in ("grad_cam", "linear_approximation", "lift_cam", "lrp_cam"):
    classes = (torch.full_like(each.t, c) for c in range(C))
    maps = torch.stack([each.maps(method, net, target=c, contrast="weighted") for c in classes], 1)
    terms = (p * (1 - p))[..., None, None] * maps  # (B, C, h, w)
    ordered = torch.stack([term[o] for term, o in zip(terms, order)])
    size = ordered.cumsum(1).abs().amax((2, 3))  # (B, C)
    sums[METHODS[method].title] = (size / size[:, :1]).log10().clamp_min(-17)
left_over = 10 ** max(values[:, -1].max().item() for values in sums.values())

axis = report.curves(
    range(1, C + 1), sums, xlabel="classes added, the most probable first", ylabel="largest entry of the sum, log₁₀"
)
report.show(
    axis.figure,
    name="contrast-sum-of-contrasts",
    alt=f"The sum of weighted contrasts over the classes, against how many have been added, for {', '.join(sums)}. With all "
    f"{C} classes it is at most {left_over:.0e} of the first term.",
    caption=f"The weighted contrasts of all {C} classes, each times $p_t (1 - p_t)$, add up to nothing: the largest entry of "
    f"the sum so far, as a share of that of the first term; mean over {len(each.x)} images, {net.name}, double precision.",
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
give what as many passes as there are classes give, combined. Largest difference, in double precision; photographs
have 1,000 classes, and are compared for the max contrast only, which needs two:
"""

# %%
passes = {}
for each in shown:
    net, y = each.double, each.logits(each.double)
    few = net.num_classes <= 100
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

**Networks.** EfficientNet-Lite0, on photographs of 112 pixels, since identities hold at any size, and a VGG-style
network on drawn birds, a test bed; the profile `paper` takes VGG-16 and ResNet50, at 224. Of networks with more than 100 classes proposition 3 is shown for the max contrast; the tests of this
book show all three, on twelve small networks.
```
"""

# %%
page.provenance()
