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

from lib import differences, report
from lib.cases import pairs
from lib.data.birds import FAMILIES
from lib.methods import METHODS
from lib.notebooks import check_parameters, choose
from lib.saliency import explain, upsample
from lib.similarity import correlation

check_parameters()
MAPS = {  # by label, as tables and claims know them
    f"{method}{suffix}": (method, contrast)
    for method in ("grad_cam", "linear_approximation")
    for suffix, contrast in (("", "none"), ("_weighted", "weighted"))
}
HEADINGS = ["Grad-CAM\noriginal", "Grad-CAM\nweighted", "Linear approx.\noriginal", "Linear approx.\nweighted"]

# %% [markdown]
r"""
## Which images

Those whose second class $t_2$ is more probable than the threshold of the paper's experiments, so that there is
a question to answer.
"""

# %%
class Hesitant:
    """A network with the images whose second class is probable, and what it says of them."""

    def __init__(self, case):
        self.net, images = case.open(weights=weights, root=root, device=device)
        images = images.readable()
        p = torch.cat([self.probabilities(images[i : i + batch_size]) for i in range(0, len(images), batch_size)])
        top = p.topk(2)
        chosen = (top.values[:, 1] > threshold).nonzero().flatten().tolist()
        self.seen, self.images = len(images), images.subset(chosen)
        self.p, self.top = top.values[chosen], top.indices[chosen]  # (N, 2)
        self.right = [i for i in range(len(images)) if top.indices[i, 0] == images.targets[i]]
        self.known = images.subset(self.right)  # correctly classified

    def batch(self, images):
        return torch.stack([sample.image for sample in images]).to(self.net.device)

    def probabilities(self, images):
        with torch.no_grad():
            return self.net(self.batch(images)).softmax(1).cpu()

    def maps(self, label, classes, index, net=None):
        """Signed maps (n, H, W) of images for their classes."""
        method, contrast = MAPS[label]
        found = [
            explain(method, net or self.net, self.batch(self.images.subset(part)), classes[part],
                    contrast=contrast, signed=True).cpu()
            for part in (index[i : i + batch_size] for i in range(0, len(index), batch_size))
        ]  # fmt: skip
        return torch.cat(found)

    def name(self, c):
        return self.images.classes[c]


cases = pairs(profile, network=network, layer=layer, dataset=dataset, n_images=n_images)
opened = [Hesitant(case) for case in cases]
drawn = [one for one in opened if one.images.name == "birds"]
family = {species: name for name, members in FAMILIES.items() for species in members}
for one in opened:
    print(f"{one.net.name}: {len(one.images)} of {one.seen} images of {one.images.name}")
for one in drawn:
    siblings = sum(family[one.name(a)] == family[one.name(b)] for a, b in one.top)
    print(f"{one.net.name}: in {siblings} of {len(one.images)} both classes are of one family")

# %% [markdown]
r"""
## Original and weighted maps

Both methods start from the gradient of a score by the target layer's activation $A$:

$$
\begin{aligned}
\text{Grad-CAM} &: & \phi_t &= \sum_k \mathrm{GAP}\!\left(\frac{\partial y_t}{\partial A_k}\right) A_k, \\
\text{linear approximation} &: & \phi_t &= \sum_k \frac{\partial y_t}{\partial A_k} \odot A_k,
\end{aligned}
$$

and the weighted contrast of either is
$\phi_t - \sum_{s \ne t} \alpha_s \phi_s$ with $\alpha_s = e^{y_s} / \sum_{s' \ne t} e^{y_{s'}}$. There is no ReLU: red speaks
for the class, blue against it, and where the map is zero the image shows through in grey.

Of each family of birds the image is shown on which most is seen of what tells its two classes apart, outlined.
The true class is ticked.
"""

# %%
SIDE = 160  # pixels; birds are drawn anew at any size


def edge(mask):
    """The mask and two pixels around it, so that its outline hides none of it."""
    return F.max_pool2d(mask[None, None].float(), 5, stride=1, padding=2)[0, 0]


def titles(one, i):
    """The image's two classes with their probabilities."""
    for k, (c, p) in enumerate(zip(one.top[i], one.p[i])):
        tick = " ✓" if c == one.images.targets[i] else ""
        yield f"$t_{k + 1}$: {one.name(c)}, {p:.0%}{tick}".replace("%", " %")


def compared(one, index):
    """Two rows an image, one for each of its classes: the image, then original and weighted maps."""
    size = max(SIDE, *one.images.size)
    large = one.images.subset(index).at(size)
    shown = {
        (label, k): upsample(one.maps(label, one.top[:, k], index), (size, size)) for label in MAPS for k in (0, 1)
    }
    rows, outlines = [], {}
    for n, sample in enumerate(large):
        picture = report.in_colour(sample.image)
        for k in (0, 1):
            rows.append([picture, *(report.overlay(sample.image, shown[label, k][n], signed=True) for label in MAPS)])
        if sample.parts is None:
            rows[-1][0] = None
        else:
            outlines[len(rows) - 1, 0] = edge(differences.differing(sample, *map(one.name, one.top[index[n]])))
    texts = [text for i in index for text in titles(one, i)]
    return report.grid(rows, ["Image", *HEADINGS], texts, outlines=outlines, signed=True), texts


def differing(one, index):
    """The pixels (n, H, W) of the parts that tell the two classes of each image apart."""
    samples = one.images.subset(index)
    return torch.stack([differences.differing(s, *map(one.name, one.top[i])) for i, s in zip(index, samples)])


def clearest(one, by):
    """Of each group of images, the one on which most is seen of what tells its classes apart."""
    areas = differing(one, range(len(one.images))).sum((1, 2))
    best = {}
    for i in areas.argsort(descending=True, stable=True).tolist():
        best.setdefault(by(i), i)
    return list(best.values())


PER_FIGURE = 3
for one in drawn[:1]:
    few = sorted(clearest(one, lambda i: family[one.name(one.top[i, 0])]))
    few = few[: choose(profile, smoke=2, embedded=6, paper=6)]
    for n in range(0, len(few), PER_FIGURE):
        figure, texts = compared(one, few[n : n + PER_FIGURE])
        families = [family[one.name(one.top[i, 0])] for i in few[n : n + PER_FIGURE]]
        report.show(
            figure,
            name=f"contrast-birds-{n // PER_FIGURE + 1}",
            alt="Original and weighted maps of Grad-CAM and the linear approximation for the two most probable "
            "classes of drawn birds: " + "; ".join(texts).replace("$", "").replace("_", "") + ".",
            caption=f"As figures 4 and 7 to 10 of the paper, on drawn birds ({', '.join(families)}) and {one.net.name}; "
            "a row a class, ✓ the true one, and outlined what tells the two apart.",
        )

# %% [markdown]
"""
On photographs the classes differ in kind, and their objects may both be there. Shown are the photographs, and
crops of them, on which the two classes are most nearly equally probable, one of each photograph.
"""

# %%
for one in [one for one in opened if one not in drawn][:1]:
    groups, few = set(), []
    samples = list(one.images)
    for i in (one.p[:, 0] - one.p[:, 1]).argsort().tolist():
        if samples[i].group not in groups:
            groups.add(samples[i].group)
            few.append(i)
    few = few[: choose(profile, smoke=1, embedded=PER_FIGURE, paper=PER_FIGURE)]
    if few:
        figure, texts = compared(one, few)
        report.show(
            figure,
            name="contrast-photographs",
            alt="Original and weighted maps of Grad-CAM and the linear approximation for the two most probable "
            "classes of photographs: " + "; ".join(texts).replace("$", "").replace("_", "") + ".",
            caption=f"The same on photographs, {one.net.name}; ✓ the label.",
        )

# %% [markdown]
"""
## Beside images of both classes

Figure 6 of the paper: the weighted maps, and beside them two correctly classified images of either class. What
is red in the row of a class should be found on its images, and not on those of the other.
"""

# %%
def examples(one, c, other):
    """Two images that are rightly taken for class c, on which most is seen of what sets it apart."""
    of_class = [i for i, target in enumerate(one.known.targets) if target == c]
    samples = list(one.known.subset(of_class))
    areas = [differences.differing(s, one.name(c), one.name(other)).sum() for s in samples]
    order = torch.tensor(areas).argsort(descending=True, stable=True).tolist()
    return one.known.subset([of_class[n] for n in order[:2]]).at(SIDE)


for one in drawn[:1]:
    rows, texts, outlines = [], [], {}
    for i in sorted(few_of_birds := clearest(one, lambda i: family[one.name(one.top[i, 0])]))[: choose(profile, smoke=1, embedded=2, paper=2)]:
        (sample,) = one.images.subset([i]).at(SIDE)
        for k in (0, 1):
            c, other = one.top[i, k], one.top[i, 1 - k]
            M = upsample(one.maps("grad_cam_weighted", one.top[:, k], [i]), (SIDE, SIDE))[0]
            row = [None if k else report.in_colour(sample.image), report.overlay(sample.image, M, signed=True)]
            for example in examples(one, c, other):
                outlines[len(rows), len(row)] = edge(differences.differing(example, one.name(c), one.name(other)))
                row.append(report.in_colour(example.image))
            rows.append(row + [None] * (4 - len(row)))
        texts += titles(one, i)
    report.show(
        report.grid(
            rows, ["Image", "Grad-CAM,\nweighted", "correctly\nclassified", "correctly\nclassified"], texts,
            outlines=outlines, signed=True,
        ),
        name="contrast-figure-6",
        alt="Weighted Grad-CAM of the two most probable classes, each beside two correctly classified birds of the "
        "class: " + "; ".join(texts).replace("$", "").replace("_", "") + ".",
        caption=f"Figure 6 on drawn birds, {one.net.name}; outlined is what tells the two species apart.",
    )  # fmt: skip
