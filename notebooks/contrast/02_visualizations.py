# %% [markdown]
"""
# Why this class and not that one

Suppose that a network hesitates between two finches that differ only in the crown. An explanation of the class
*red-capped finch* marks the whole bird, and an explanation of the other finch marks the whole bird too. Neither says
why the network chooses one and not the other. The *weighted contrast* {cite:p}`contrast` subtracts what speaks for the
other classes, each weighted by its probability among them. It should leave only the crown.

The paper shows such maps on five datasets (figures 4 and 7 to 10). Figure 6 puts them beside correctly classified images
of both classes, for the reader to judge. This page makes the same figures of photographs, and measures how much of the
object two maps mark. For drawn birds it is also known which parts tell two species apart, and where they are. There
the page measures what figure 6 leaves to the reader's judgement.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; figure 6 needs birds; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
threshold: float = 0.1  # the least probability of the second class
batch_size: int = 32  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from dataclasses import replace

import pandas as pd
import torch

from book import Page, report
from book.contested import contested, contrasted, distinct
from lib.methods import METHODS
from lib.metrics import differences
from lib.metrics.similarity import correlation
from testbeds.birds import FAMILIES

page = Page("contrast/02_visualizations", globals())
VARIANTS = contrasted("grad_cam", "linear_approximation")
HEADINGS = ["Grad-CAM\noriginal", "Grad-CAM\nweighted", "Linear approx.\noriginal", "Linear approx.\nweighted"]
FAMILY = {species: family for family, members in FAMILIES.items() for species in members}
page.protocol()

# %% [markdown]
r"""
## Which images

The page takes the images whose second most probable class $t_2$ has a probability above the threshold of the paper's
experiments. On other images no two classes compete.
"""

# %%
found = contested(page, threshold=threshold)
birds = [one for one in found if one.of_birds]
others = [one for one in found if not one.of_birds]
for one in birds:
    siblings = sum(len({FAMILY[name] for name in one.names(i)}) == 1 for i in range(len(one)))
    print(f"{one.net.name}: both classes are of one family in {siblings} of {len(one)} images")

# %% [markdown]
r"""
## Original and weighted maps

Both methods start from the gradient of a score with respect to the activation $A$ of the target layer:

$$
\begin{aligned}
\phi_t^{\text{Grad-CAM}} &= \sum_k \mathrm{GAP}\!\left(\frac{\partial y_t}{\partial A_k}\right) A_k, \\
\phi_t^{\text{linear}} &= \sum_k \frac{\partial y_t}{\partial A_k} \odot A_k,
\end{aligned}
$$

and the weighted contrast of either is
$\phi_t - \sum_{s \ne t} \alpha_s \phi_s$ with $\alpha_s = e^{y_s} / \sum_{s' \ne t} e^{y_{s'}}$. There is no ReLU: red speaks
for the class, blue against it, and where the map is zero the image shows through in grey.

The figures show the photographs on which the probabilities of the two classes are closest to each other. The true class
is ticked where it is known, and a doubtful label has a question mark. Where the head is pooling and one linear layer,
$\partial y_t / \partial A_k$ is the same at all positions. Then Grad-CAM and the linear approximation give the same map,
which is shown once. Of the drawn birds, the figures show one image per family, the one with the most visible pixels of the
parts that tell its two classes apart. These parts are outlined.
"""

# %%
SIDE = 160  # pixels; birds are drawn anew at any size
PER_FIGURE = 3


def compared(one, index):
    """Original and weighted maps of both classes of some images."""
    return one.figure(index, one.maps(VARIANTS, index=index), HEADINGS, side=SIDE)


def clearest(one):
    """Per family, the image with the most visible pixels of the parts that tell its two classes apart."""
    best = {}
    for i in one.differing.sum((1, 2)).argsort(descending=True, stable=True).tolist():
        best.setdefault(FAMILY[one.names(i)[0]], i)
    return [best[family] for family in FAMILIES if family in best]


for number, one in enumerate(others, 1):
    p = one.p.gather(1, one.top)  # (N, 2)
    few = (p[:, 0] - p[:, 1]).argsort(stable=True).tolist()[: page.setting("photographs")]
    if len(distinct(one.net)) == 1:
        figure = one.in_rows(few, one.maps(contrasted("grad_cam"), index=few), ["original", "weighted"])
    else:
        figure = compared(one, few := few[:PER_FIGURE])
    report.show(
        figure,
        name=f"contrast-photographs-{number}",
        alt=f"Original and weighted maps for the two most probable classes of images: {one.spoken(few)}.",
        caption=f"Class-contrastive explanations, figures 4 and 7 to 10, on other images: {one.images.name}, {one.net.name}.",
    )

# %%
for one in birds[:1]:
    few = clearest(one)[: page.setting("families")]
    for n in range(0, len(few), PER_FIGURE):
        part = few[n : n + PER_FIGURE]
        families = ", ".join(FAMILY[one.names(i)[0]] for i in part)
        report.show(
            compared(one, part),
            name=f"contrast-birds-{n // PER_FIGURE + 1}",
            alt="Original and weighted maps of Grad-CAM and of the linear approximation, for the two most probable classes "
            f"of drawn birds: {one.spoken(part)}.",
            caption="Class-contrastive explanations, figures 4 and 7 to 10, on drawn birds, one row per class. Families: "
            f"{families}; {one.net.name}. Outlined: the parts that tell the two classes apart.",
        )

# %% [markdown]
"""
## Beside images of both classes

Figure 6 of the paper shows weighted maps beside two correctly classified images of each class. What is red in the row of
a class should also be seen on the two images of that class, and not on those of the other row. This page makes the figure
for drawn birds, for which the parts that tell two classes apart are known. These parts may be smaller than a cell of the
target layer's grid. Where the profile names an earlier layer, the figure also shows its finer maps.
"""

# %%
def layers(one):
    """The network cut at its last activation, and at an earlier one."""
    finer = page.setting("finer").get(page.experiment(one.net).network)
    if not finer or layer:
        return [one.net]
    earlier = replace(page.experiment(one.net), layer=finer, title=f"{one.net.name}, 16 × 16 grid")
    return [one.net, page.open(earlier)[0]]


if not birds:
    print("Not run: for these images it is not known what tells two classes apart.")
for one in birds[:1]:
    few = clearest(one)[: page.setting("beside")]
    M = {}
    for label, net in zip(("grad_cam_weighted", "linear_approximation_weighted"), layers(one)):
        M |= one.maps({label: VARIANTS[label]}, index=few, net=net)
    headings = ["Grad-CAM\nweighted", "Linear approx.\n16 × 16 grid"][: len(M) // 2]
    report.show(
        one.figure(few, M, headings, side=SIDE, examples=2),
        name="contrast-figure-6",
        alt="Weighted maps for the two most probable classes, each beside two correctly classified birds of that class: "
        f"{one.spoken(few)}.",
        caption=f"Class-contrastive explanations, figure 6, on drawn birds, {one.net.name}. Outlined: the parts that tell the "
        "two classes apart.",
    )

# %% [markdown]
r"""
## Measured

Let $O$ be the pixels of the object: on photographs those in its boxes, on drawn birds those of the bird. For the map $M$
of one class and the map $N$ of the other,

$$
\text{for both} = |\,M > 0 \wedge N > 0 \text{ on } O\,| \,/\, |O|,
$$

and $r$ is the correlation of $M$ and $N$ over all pixels. If the maps of both classes cover the whole object, *for both*
and $r$ are high.

On the birds whose true class is one of the two, let $D$ be the pixels of the parts that differ between the two classes.
These parts look as in the true class, so $D$ should speak for the true class and against its rival:

$$
\begin{aligned}
\text{share} &= \sum_D M^+ \big/ \sum M^+, \\
\text{sign} &= \sum_D M \big/ \sum_D |M|, \\
\text{rank} &= P(M_i > M_j), \; i \in D, \; j \in O \setminus D.
\end{aligned}
$$

An explanation that covers the whole bird for both classes has a share no larger than the parts' share of the bird, and
a rank of one half.
"""

# %%
judged = {}  # the birds whose true class is one of the two, and that show some part that differs
for one in birds:
    true = (one.top == torch.tensor(one.data.targets)[:, None]).any(1)
    judged[one] = (true & one.differing.flatten(1).any(1)).nonzero().flatten().tolist()


def of_two(one, maps):
    """How much the maps of the two classes have in common."""
    values = {}
    for label in VARIANTS:
        M, N = (maps[label, t] for t in one.both)
        values[label, "correlation"] = correlation(M, N)
        if one.objects is not None:
            values[label, "shared_coverage"] = differences.shared_coverage(M, N, one.objects)
    return values


def on_what_differs(one, maps):
    """Where the maps of the true class and of its rival lie, on the birds that are judged."""
    index, values = judged[one], {}
    parts, bird = one.differing[index], one.objects[index]
    first = (one.top[:, 0] == torch.tensor(one.data.targets))[index, None, None]
    for label in VARIANTS:
        M, N = (maps[label, t][index] for t in one.both)
        for role, m in (("true_class", torch.where(first, M, N)), ("rival", torch.where(first, N, M))):
            values[f"{label}_{role}", "difference_share"] = differences.difference_share(m, parts)
            values[f"{label}_{role}", "difference_sign"] = differences.difference_sign(m, parts)
            values[f"{label}_{role}", "difference_rank"] = differences.difference_rank(m, parts, bird)
    return values


frames = []
for one in found:
    for net in layers(one):
        M = one.maps(VARIANTS, net=net)
        frames.append(page.rows(net, one.data, of_two(one, M)))
        if judged.get(one):
            frames.append(page.rows(net, one.data.subset(judged[one]), on_what_differs(one, M)))
frame = pd.concat(frames, ignore_index=True)
COLUMNS = {
    "for both (%)": ("shared_coverage", ""),
    "r": ("correlation", ""),
    "share, true class (%)": ("difference_share", "_true_class"),
    "share, rival (%)": ("difference_share", "_rival"),
    "sign, true class": ("difference_sign", "_true_class"),
    "sign, rival": ("difference_sign", "_rival"),
    "rank, true class": ("difference_rank", "_true_class"),
}
ran = {*frame["metric"]}
pd.DataFrame({
    (network, METHODS[method].title): {
        column: report.changed(frame, network, metric, f"{method}{role}", f"{method}_weighted{role}")
        for column, (metric, role) in COLUMNS.items() if metric in ran
    }
    for network in frame["network"].unique() for method in ("grad_cam", "linear_approximation")
})  # fmt: skip

# %%
for one, index in judged.items():
    if index:
        share = (one.differing[index].sum((1, 2)) / one.objects[index].sum((1, 2))).mean()
        print(f"{one.net.name}: {len(index)} birds; the parts that differ are {share:.1%} of the bird")

# %% [markdown]
"""
Each cell reads *original → weighted [95 % interval of the per-image change]*.

## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Figure 4", "Figure 6", "Figures 7 to 10")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Choice of images.** Figure 6 is made only of drawn birds. The paper does not say how it chose its images; here the text
above each figure gives the rule.

**Target layer.** The paper does not name it in its supplement; here it is the layer named at the top of the page.

**What is measured.** The paper measures nothing in its figures. The claims above put numbers to what it says about them in
appendices D and E. A box also contains some background. Appendix E says that the original methods "tend to fail capturing
shared features while our weighted contrastive method succeeds". By its figures and by appendix D, *shared* can only mean
what is *not* shared.
```
"""

# %%
page.departures()

# %%
page.provenance()
