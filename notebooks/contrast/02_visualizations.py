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
# Why this class and not that one

A network hesitates between two finches that are alike but for the crown. Asked why it says *red-capped
finch*, an explanation of that class alone marks the whole bird, and asked about the other finch it marks
the whole bird again: true both times, and no answer. The *weighted contrast* {cite:p}`contrast` subtracts what
speaks for the other classes, each as much as the network believes in it, and should leave the crown.

The paper shows this on five datasets (its figures 4 and 7 to 10), and in figure 6 sets what is marked beside
correctly classified images of both classes, for the reader to judge. Here the same figures are made on birds
drawn for this book and on photographs. Of the drawn birds it is known which parts tell two species apart, and
where they are: so the reader's judgement becomes a number.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, birds_vgg; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # birds, imagenet_embedded, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
threshold: float = 0.1  # the least probability of the second class
batch_size: int = 32  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import pandas as pd
import torch
from torch.nn import functional as F

from book import report
from lib import nets
from lib.metrics import differences
from book.experiments import contested, pairs
from testbeds.birds import FAMILIES, differing
from lib.methods import METHODS
from book.parameters import check_parameters, choose
from lib.saliency import explain, upsample
from lib.metrics.similarity import correlation

check_parameters()
cases = pairs(profile, network=network, layer=layer, dataset=dataset, n_images=n_images)
MAPS = {  # by label, as tables and claims know them
    f"{method}{suffix}": (method, contrast)
    for method in ("grad_cam", "linear_approximation")
    for suffix, contrast in (("", "none"), ("_weighted", "weighted"))
}
HEADINGS = ["Grad-CAM\noriginal", "Grad-CAM\nweighted", "Linear approx.\noriginal", "Linear approx.\nweighted"]
FAMILY = {species: family for family, members in FAMILIES.items() for species in members}

# %% [markdown]
r"""
## Which images

Those whose second class $t_2$ is more probable than the threshold of the paper's experiments, so that there is
a question to answer. The birds are a test bed: 24 species in six families, and those of a family differ in one to
three of fifteen parts. Of photographs several crops are taken.
"""

# %%
def batch(samples):
    return torch.stack([sample.image for sample in samples])


class Hesitant:
    """A network, and the images whose second class it finds probable, with its two classes of each."""

    def __init__(self, case):
        self.net, self.all = case.open(weights=weights, root=root, device=device)
        self.data, *top = contested(self.net, self.all, threshold=threshold, batch_size=batch_size)
        self.top = torch.tensor(top, dtype=torch.long).T  # (N, 2)
        self.samples = list(self.data)
        self.names = self.all.classes or tuple(map(str, range(self.net.num_classes)))
        self.p = [self.probabilities(samples) for samples in self.parts(self.samples)]
        self.p = torch.cat(self.p or [torch.empty(0, self.net.num_classes)])  # (N, C)

    @staticmethod
    def parts(of):
        return [of[i : i + batch_size] for i in range(0, len(of), batch_size)]

    def probabilities(self, samples):
        with torch.no_grad():
            return self.net(batch(samples).to(self.net.device)).softmax(1).cpu()

    def maps(self, label, classes, index=None, net=None):
        """Signed maps (n, H, W) for classes (n,) of all images, or of some."""
        method, contrast = MAPS[label]
        index = list(range(len(self.samples))) if index is None else index
        batches = zip(self.parts([self.samples[i] for i in index]), classes.split(batch_size))
        return torch.cat([
            explain(method, net or self.net, batch(samples), c, contrast=contrast, signed=True).cpu()
            for samples, c in batches
        ])  # fmt: skip

    def names_of(self, i):
        return [self.names[c] for c in self.top[i]]

    def titles(self, i):
        """Its two classes with their probabilities; the true one is ticked."""
        for k, c in enumerate(self.top[i].tolist()):
            tick = " ✓" if c == self.samples[i].target else ""
            yield f"$t_{k + 1}$: {self.names[c]}, {self.p[i, c]:.0%}{tick}".replace("%", " %")


opened = [Hesitant(case) for case in cases]
for one in opened:
    print(f"{one.net.name}: {len(one.samples)} of {len(one.all)} images of {one.all.name}")
opened = [one for one in opened if one.samples]
birds = [one for one in opened if one.all.name == "birds"]
others = [one for one in opened if one.all.name != "birds"]
for one in birds:
    siblings = sum(len({FAMILY[name] for name in one.names_of(i)}) == 1 for i in range(len(one.samples)))
    print(f"{one.net.name}: both classes are of one family in {siblings} of {len(one.samples)}")

# %% [markdown]
r"""
## Original and weighted maps

Both methods start from the gradient of a score by the target layer's activation $A$:

$$
\begin{aligned}
\phi_t^{\text{Grad-CAM}} &= \sum_k \mathrm{GAP}\!\left(\frac{\partial y_t}{\partial A_k}\right) A_k, \\
\phi_t^{\text{linear}} &= \sum_k \frac{\partial y_t}{\partial A_k} \odot A_k,
\end{aligned}
$$

and the weighted contrast of either is
$\phi_t - \sum_{s \ne t} \alpha_s \phi_s$ with $\alpha_s = e^{y_s} / \sum_{s' \ne t} e^{y_{s'}}$. There is no ReLU: red speaks
for the class, blue against it, and where the map is zero the image shows through in grey.

Of each family of birds the image is shown on which most is seen of what tells its two classes apart, which is
outlined. The true class is ticked.
"""

# %%
SIDE = 160  # pixels; birds are drawn anew at any size


def edge(mask):
    """A mask and two pixels around it, so that its outline hides nothing of it."""
    return F.max_pool2d(mask[None, None].float(), 5, stride=1, padding=2)[0, 0]


def large(images, index):
    return [images.subset([i]).at(max(SIDE, *images.size))[0] for i in index]


def compared(one, index):
    """Two rows an image, one for each of its classes: the image, then original and weighted maps."""
    maps = {(label, k): one.maps(label, one.top[index, k], index) for label in MAPS for k in (0, 1)}
    rows, outlines = [], {}
    for n, (i, sample) in enumerate(zip(index, large(one.data, index))):
        for k in (0, 1):
            M = [upsample(maps[label, k][n : n + 1], sample.image.shape[1:])[0] for label in MAPS]
            drawn = [report.overlay(sample.image, m, signed=True) for m in M]
            rows.append([report.in_colour(sample.image), *drawn])
        if sample.parts is None:
            rows[-1][0] = None
        else:
            outlines[len(rows) - 1, 0] = edge(differing(sample, *one.names_of(i)))
    titles = [title for i in index for title in one.titles(i)]
    return report.grid(rows, ["Image", *HEADINGS], titles, outlines=outlines, signed=True)


def said(one, index):
    """The classes of the images, for those who do not see them."""
    titles = (" against ".join(one.titles(i)).replace("$", "").replace("_", "") for i in index)
    return "; ".join(titles).replace("✓", "(true)")


def clearest(one):
    """Of each family, the image on which most is seen of what tells its two classes apart."""
    areas = [int(differing(s, *one.names_of(i)).sum()) for i, s in enumerate(one.samples)]
    best = {}
    for i in sorted(range(len(areas)), key=lambda i: -areas[i]):
        best.setdefault(FAMILY[one.names_of(i)[0]], i)
    return [best[family] for family in FAMILIES if family in best]


PER_FIGURE = 3
for one in birds[:1]:
    few = clearest(one)[: choose(profile, smoke=2, embedded=6, paper=6)]
    for n in range(0, len(few), PER_FIGURE):
        part = few[n : n + PER_FIGURE]
        families = ", ".join(FAMILY[one.names_of(i)[0]] for i in part)
        report.show(
            compared(one, part),
            name=f"contrast-birds-{n // PER_FIGURE + 1}",
            alt="Original and weighted maps of Grad-CAM and of the linear approximation, for the two most probable "
            f"classes of drawn birds: {said(one, part)}.",
            caption="As figures 4 and 7 to 10 of the paper, a row a class: drawn birds by family "
            f"({families}), {one.net.name}. Outlined: what tells the two classes apart.",
        )

# %% [markdown]
r"""
On photographs the two classes need not be alike. Shown are the crops on which their probabilities are nearest to
each other, one of each photograph. Where the head is pooling and one linear layer, $\partial y_t / \partial A_k$ is the
same at all positions: Grad-CAM and the linear approximation are one map, and it is shown once.
"""

# %%
def in_one_row(one, index):
    """An image a row: original and weighted maps of the first class, then of the second."""
    labels = ["grad_cam", "grad_cam_weighted"]
    maps = [one.maps(label, one.top[index, k], index) for k in (0, 1) for label in labels]
    rows = [
        [report.in_colour(one.samples[i].image), *(report.overlay(one.samples[i].image, M[n], signed=True) for M in maps)]
        for n, i in enumerate(index)
    ]
    headings = [f"$t_{k}$\n{kind}" for k in (1, 2) for kind in ("original", "weighted")]
    return report.grid(rows, ["Image", *headings], [",  ".join(one.titles(i)) for i in index], signed=True)


for one in others[:1]:
    order = (one.p.gather(1, one.top)[:, 0] - one.p.gather(1, one.top)[:, 1]).argsort(stable=True).tolist()
    nearest = {}
    for i in order:
        nearest.setdefault(one.samples[i].group, i)
    few = list(nearest.values())[: choose(profile, smoke=1, embedded=4, paper=4)]
    both = [one.maps(method, one.top[few, 0], few) for method in ("grad_cam", "linear_approximation")]
    report.show(
        in_one_row(one, few) if torch.allclose(*both, atol=1e-3) else compared(one, few[:PER_FIGURE]),
        name="contrast-photographs",
        alt=f"Original and weighted maps for the two most probable classes of photographs: {said(one, few)}.",
        caption=f"The same on {one.all.name}, {one.net.name}.",
    )

# %% [markdown]
"""
## Beside images of both classes

Figure 6 of the paper: the weighted maps, and beside them two correctly classified images of each class. What is
red in the row of a class should be found on its two images, and not on those of the other row. The parts that
differ take about one per cent of an image; a cell of the last activation, whose grid is 8 x 8, takes one and a half.
The linear approximation is therefore also taken at an earlier layer, of 16 x 16 cells: about the grid of VGG-16 on
the paper's images, 14 x 14.
"""

# %%
FINER = {"birds_vgg": "features.10", "birds_vgg_quick": "features.10"}  # the end of the third block


def layers(one):
    """The network cut at its last activation, and at an earlier one."""
    yield one.net
    if one.net.name in FINER and not layer:
        finer = nets.load(one.net.name, layer=FINER[one.net.name], device=device)
        finer.name = f"{one.net.name}, 16 × 16 grid"
        yield finer


def examples(one, i, k):
    """Two others that are rightly taken for the k-th class, on which most is seen of what differs."""
    c = one.top[i, k]
    index = [j for j, t in enumerate(one.all.targets) if t == c and one.all.ids[j] != one.samples[i].id]
    samples = [one.all[j] for j in index]
    right = (one.probabilities(samples).argmax(1) == c).tolist() if samples else []
    areas = {
        j: int(differing(sample, *one.names_of(i)).sum())
        for j, sample, rightly in zip(index, samples, right) if rightly
    }  # fmt: skip
    return large(one.all, sorted(areas, key=lambda j: -areas[j])[:2])


for one in birds[:1]:
    few = clearest(one)[: choose(profile, smoke=1, embedded=2, paper=2)]
    shown = dict(zip(
        (("grad_cam_weighted", "Grad-CAM\nweighted"), ("linear_approximation_weighted", "Linear approx.\n16 × 16 grid")),
        layers(one),
    ))  # fmt: skip
    headings = ["Image", *(heading for _, heading in shown), "Correctly\nclassified", "Correctly\nclassified"]
    rows, outlines = [], {}
    for i, sample in zip(few, large(one.data, few)):
        for k in (0, 1):
            row = [None if k else report.in_colour(sample.image)]
            for (label, _), net in shown.items():
                M = upsample(one.maps(label, one.top[[i], k], [i], net), sample.image.shape[1:])[0]
                row.append(report.overlay(sample.image, M, signed=True))
            for example in examples(one, i, k):
                outlines[len(rows), len(row)] = edge(differing(example, *one.names_of(i)))
                row.append(report.in_colour(example.image))
            rows.append(row + [None] * (len(headings) - len(row)))
        outlines[len(rows) - 2, 0] = edge(differing(sample, *one.names_of(i)))
    report.show(
        report.grid(
            rows, headings, [title for i in few for title in one.titles(i)],
            outlines=outlines, signed=True,
        ),
        name="contrast-figure-6",
        alt="Weighted maps for the two most probable classes, each beside two correctly classified birds of that "
        f"class: {said(one, few)}.",
        caption=f"Figure 6 on drawn birds, {one.net.name}. Outlined: what tells the two classes apart.",
    )  # fmt: skip

# %% [markdown]
r"""
## Measured

Of the birds whose true class is one of the two, let $O$ be the pixels of the bird and $D$ those of its parts that
differ between the two classes. They have the look of the true class: so $D$ should speak for the true class, and
against its rival. With the map $M$ of one class and $N$ of the other,

$$
\begin{aligned}
\text{for both} &= |\,M > 0 \wedge N > 0 \text{ on } O\,| \,/\, |O|, \\
\text{share} &= \sum_D M^+ \big/ \sum M^+, \\
\text{sign} &= \sum_D M \big/ \sum_D |M|, \\
\text{rank} &= P(M_i > M_j), \; i \in D, \; j \in O \setminus D,
\end{aligned}
$$

and $r$ is the correlation of $M$ and $N$ over all pixels. An explanation that covers the whole bird for both classes
has a high *for both* and $r$, a share no larger than the parts' share of the bird, and a rank of one half.

The same is measured at the earlier layer, of 16 x 16 cells.
"""

# %%
ROLES = ("true_class", "rival")


def rows(net, one, index, method, values):
    """Values by metric (n,), as rows of an evaluation frame."""
    samples = [one.samples[i] for i in index]
    return [
        {"network": net.name, "dataset": one.all.name, "image": s.id, "group": s.group, "method": method,
         "metric": metric, "value": float(v), "seconds": float("nan")}
        for metric, of_metric in values.items() for s, v in zip(samples, of_metric)
    ]  # fmt: skip


def alike(net, one, label):
    """The maps of the two classes, and how alike they are."""
    M, N = (one.maps(label, one.top[:, k], net=net) for k in (0, 1))
    return rows(net, one, range(len(one.samples)), label, {"correlation": correlation(M, N)})


def on_what_differs(net, one, label):
    """Where the maps of the true class and of its rival lie, on birds that show some of what differs."""
    true = torch.tensor([sample.target for sample in one.samples])
    D = torch.stack([differing(s, *one.names_of(i)) for i, s in enumerate(one.samples)])
    index = ((one.top == true[:, None]).any(1) & D.any(-1).any(-1)).nonzero().flatten()
    if not len(index):
        return []
    D, O = D[index], torch.stack([one.samples[i].mask for i in index])
    rival = one.top[index].sum(1) - true[index]
    M = [one.maps(label, c, index.tolist(), net) for c in (true[index], rival)]
    found = rows(net, one, index, label, {"shared_coverage": differences.shared_coverage(*M, O)})
    for role, m in zip(ROLES, M):
        values = {
            "difference_share": differences.difference_share(m, D),
            "difference_sign": differences.difference_sign(m, D),
            "difference_rank": differences.difference_rank(m, D, O),
        }
        found += rows(net, one, index, f"{label}_{role}", values)
    return found


found = []
for one in opened:
    for net in layers(one):
        for label in MAPS:
            found += alike(net, one, label)
            found += on_what_differs(net, one, label) if one in birds else []
frame = pd.DataFrame(found)


def changed(network, method, metric, role=""):
    """From the mean of the original to that of the weighted map, with the interval of the change."""
    part = frame[frame["network"] == network]
    old, new = f"{method}{role}", f"{method}_weighted{role}"
    means = part[part["metric"] == metric].groupby("method")["value"].mean()
    if old not in means:
        return ""
    change = report.paired_difference(part, metric, new, old)
    scale, digits = (100, 1) if metric in ("difference_share", "shared_coverage") else (1, 2)
    low, high = (f"{scale * bound:+.{digits}f}" for bound in (change.low, change.high))
    bounds = f" [{low}, {high}]" if change.n > 1 else ""
    return f"{scale * means[old]:.{digits}f} → {scale * means[new]:.{digits}f}{bounds}".replace("-", "−")


COLUMNS = {
    "for both (%)": ("shared_coverage", ""),
    "r": ("correlation", ""),
    "share, true class (%)": ("difference_share", "_true_class"),
    "share, rival (%)": ("difference_share", "_rival"),
    "sign, true class": ("difference_sign", "_true_class"),
    "sign, rival": ("difference_sign", "_rival"),
    "rank, true class": ("difference_rank", "_true_class"),
}
table = pd.DataFrame({
    (network, METHODS[method].title): {
        column: changed(network, method, *of) for column, of in COLUMNS.items()
    }
    for network in frame["network"].unique() for method in ("grad_cam", "linear_approximation")
})  # fmt: skip
table

# %%
for one in birds:
    true = [sample.target in one.top[i] for i, sample in enumerate(one.samples)]
    D = [differing(s, *one.names_of(i)) for i, s in enumerate(one.samples)]
    parts = [float(d.sum() / s.mask.sum()) for d, s, counts in zip(D, one.samples, true) if counts and d.any()]
    if parts:
        print(
            f"{one.net.name}: {len(parts)} birds; the parts that differ are {sum(parts) / len(parts):.1%} of the bird"
        )

# %% [markdown]
"""
Each cell reads *original → weighted [95 % interval of the change]*, image by image.

## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
report.claims_table(report.claims("contrast", "Figure 4", "Figure 6"), frame)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images and networks.** Drawn birds stand for CUB-200-2011, and photographs for FGVC-Aircraft, Flowers-102, Food-101 and
Stanford Cars; networks of eight layers, trained in the build, stand for VGG-16. The profile `paper` takes the
five datasets, where they lie on this computer.

**Correctly classified images.** There are twenty photographs of twenty classes and so no others of a class: figure 6
is made of birds alone. The paper does not say how it chose its images; here each choice follows the rule that
stands above its figure.

**Target layer.** The paper does not name it in its supplement; here it is the last activation before pooling, and for the
measurement the last one of an earlier block as well. That one was chosen among the four blocks after all four had
been tried, for its grid of 16 x 16, near VGG-16's 14 x 14; read what holds there alone with this in mind.

**What is measured.** The paper measures nothing in figure 6: the claims above put numbers to what it says of it in appendix
D. Its appendix E says that the original methods "tend to fail capturing shared features while our weighted
contrastive method succeeds"; by its figures and by its appendix D, *shared* can only mean what is *not* shared.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, threshold=threshold, batch_size=batch_size, device=device,
)  # fmt: skip
