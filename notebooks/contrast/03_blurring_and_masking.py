# %% [markdown]
"""
# Blurring and masking

A contrastive map marks what speaks for a class and what speaks for its rivals. If it is right, the class
should gain on its rival when only the one is left of the image, and lose when only the other is. That is the
experiment of the paper's table 1, which table 2 in appendix F repeats with AlexNet {cite:p}`contrast`: on five
fine-grained datasets, for images where two classes compete, original and weighted contrastive maps by the
linear approximation (LA) and by Grad-CAM (GC) {cite:p}`grad_cam`.

The paper claims that weighted maps do better in general: with positive features the class keeps a higher
probability than with those of the original map, and with negative ones a lower one.
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
threshold: float = 0.1  # the least probability of the second class
sigma: float = 15.0  # of the blur, in pixels
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from functools import partial

import pandas as pd
import torch

from book import Page, report
from book.contested import (
    contested,
    contrasted,
    distinct,
    evaluate_both,
    features_kept,
    original_and_weighted,
)
from lib.metrics.relative_probability import hides
from lib.metrics.replacement import REPLACEMENTS, gaussian_blur, replaced

page = Page("contrast/03_blurring_and_masking", globals())
page.protocol()

# %% [markdown]
r"""
## Where two classes compete

For an image $x$, $t_1$ is the most probable class and $t_2$ the second. Taken are the images where $t_2$ has
a probability above a threshold: the others leave nothing to contrast. Each is explained twice, once for each
class, and the other is its rival $s$.

A photograph is seen whole, and in five crops where the profile says so: its centre and its corners. The first of
these on which two classes compete is taken, and only that one, so that no photograph counts twice.
"""

# %%
found = contested(page, threshold=threshold)

# %% [markdown]
r"""
## Table 2

With the signed map $S$ of class $t$, only one sign of it is kept; the rest of the image, with the pixels
where $S$ is zero, is replaced by $r(x)$:

$$
x^+ = x \odot 1[S > 0] + r(x) \odot 1[S \le 0], \qquad
x^- = x \odot 1[S < 0] + r(x) \odot 1[S \ge 0],
$$

where $r$ is a Gaussian blur, black, or the mean colour of the image. The class is then compared with its rival
alone:

$$
p_\pm = \frac{e^{y_t(x^\pm)}}{e^{y_t(x^\pm)} + e^{y_s(x^\pm)}} .
$$

On the whole image this is $p_t$, the table's first column. $p_+$ should be high, and $p_-$ low.
"""

# %%
metrics = {"relative_probability": ("relative_probability", {"keep": "all"})} | features_kept(sigma)
frame = evaluate_both(found, original_and_weighted, metrics)
page.table(2, frame)

# %% [markdown]
"""
What weighted contrast changes, that is its $p_+$ and $p_-$ minus those of the original map, image by image.
Where the weighted map is the better one, a point on the left lies right of zero, and a point on the right left of it.
"""

# %%
report.show_changes("contrast", 2, frame)

# %% [markdown]
r"""
In one number: how far positive and negative features pull the class apart, $\Delta$, the mean of
$p_+ - p_-$ over both classes and the three replacements.
"""

# %%
apart = report.separation(frame)
report.cross(report.measured(apart), "title", "network")[[one.net.name for one in found]]

# %% [markdown]
r"""
## Do the claims hold?

The paper's "in general" is judged on $\Delta$: its own table has pairs that go the other way.
"""

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat([frame, apart], ignore_index=True), "Table 2")

# %% [markdown]
r"""
## What is kept

The image on which the weighted map changes $\Delta$ by the median of all, for its most probable class. Beside
each map what is left of the image, with the probability that the class keeps.
"""

# %%
SIGNS = {"positive": "p₊", "negative": "p₋"}
for number, one in enumerate(found[: page.setting("shown")], 1):
    name = report.median_image(apart, one.net.name)
    i = one.data.ids.index(name)
    x, (t1, t2) = one.samples[i].image[None], one.names(i)
    here = frame.query("network == @one.net.name and image == @name").set_index(["method", "metric"])["value"]
    rows, titles = [], []
    for (label, t), S in one.maps(contrasted("grad_cam"), index=[i]).items():
        for sign in SIGNS if t == "t1" else ():
            masked = [replaced(x, hides(S, sign), r, sigma=sigma)[0] for r in REPLACEMENTS]
            rows.append([report.overlay(x[0], S[0], signed=True), *map(report.in_colour, masked)])
            p = ", ".join(f"{here[f'{label}_{t}', f'{sign}_{r}']:.2f}" for r in REPLACEMENTS)
            titles.append(f"{'weighted' if 'weighted' in label else 'original'}, {sign} kept: p {p}")
    report.show(
        report.grid(rows, ["Grad-CAM", *REPLACEMENTS], titles, signed=True),
        name=f"contrast-kept-{number}",
        alt=f"An image of {one.net.name} between {t1} and {t2}: Grad-CAM and weighted Grad-CAM, with what is kept and the "
        f"probability of the first class: {'; '.join(titles)}.",
        caption=f"{t1} or {t2}? The map, and the image where the rest is blurred, black, or of the mean colour. On the "
        f"whole image p is {here['grad_cam_t1', 'relative_probability']:.2f}.",
    )

# %% [markdown]
r"""
## What the supplement leaves open

How wide is the blur, which zero, whose mean, and what becomes of a pixel where the map is zero? The authors draw the
blur's $\sigma$ from $[10, 20]$ anew at each call; here it is fixed, so that a number comes out twice the same. A
zero may be black, or what the network sees as zero after it has normalised, which is the mean colour of its training
data. Where $S$ is zero nothing speaks for either class, and the pixel may stay as well as go. And where the
masks above are all or nothing, a mask may follow the map by degree, $n(S) = \max(S, 0) / \max S$, which is Opti-CAM's
equation (17) for a map of both signs.

For the most probable class of a few images, by the linear approximation, each cell reads *original → weighted [95 %
interval of the change]*. The first row is what table 2 does.
"""

# %%
def hard(S, sign):
    """All of what has the sign to keep, and nothing else."""
    return (~hides(S, sign)).float()


def with_zero(S, sign):
    """Also what has no sign."""
    return 1 - hard(S, {"positive": "negative", "negative": "positive"}[sign])


def by_degree(S, sign):
    """The part of the sign to keep, as a share of its maximum."""
    part = (S if sign == "positive" else -S).relu()
    return part / part.amax((1, 2), keepdim=True).clamp_min(torch.finfo(S.dtype).tiny)


def left(one, S, other, weight):
    """The class t1 against t2, p₊ and p₋, where the rest of an image is replaced by another."""
    x, values = torch.stack([sample.image for sample in one.samples[: len(S)]]), {}
    for sign in SIGNS:
        n = weight(S, sign)[:, None]
        p = one.probabilities(n * x + (1 - n) * other(x)).gather(1, one.top[: len(S)])
        values[f"{sign}_blur"] = p[:, 0] / p.sum(1)
    return values


def choices(net):
    """What stands in for the rest, and how the map becomes a mask."""
    blur = partial(gaussian_blur, sigma=sigma)
    return {
        f"blur, σ = {sigma:g}": (blur, hard),
        **{f"blur, σ = {width:g}": (partial(gaussian_blur, sigma=width), hard) for width in (10.0, 20.0)},
        f"blur, σ = {sigma:g}, pixels at zero stay": (blur, with_zero),
        f"blur, σ = {sigma:g}, by degree": (blur, by_degree),
        "zeros: black": (torch.zeros_like, hard),
        "zeros after normalisation: mean of the data": (lambda x: net.mean.cpu().expand_as(x), hard),
        "mean of the image": (lambda x: x.mean((2, 3), keepdim=True).expand_as(x), hard),
    }


cells = {}
for one in found:
    index = range(min(len(one), page.setting("choices")))
    method = distinct(one.net)[0]  # Grad-CAM where that is the same
    maps = one.maps(contrasted(method), index=index)
    for name, how in choices(one.net).items():
        measured = {
            (label, metric): of
            for (label, t), S in maps.items() if t == "t1"
            for metric, of in left(one, S, *how).items()
        }  # fmt: skip
        rows = page.rows(one.net, one.data.subset(index), measured)
        for sign, p in SIGNS.items():
            told = report.changed(rows, one.net.name, f"{sign}_blur", method, f"{method}_weighted")
            cells.setdefault((f"{one.net.name}, n = {len(index)}", p), {})[name] = told
pd.DataFrame(cells)

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Counterparts.** Our networks stand beside all five of the paper's, on data that are none of theirs: the numbers get no
verdict. A network that has the architecture and the data of one of the paper's is compared with that one alone.

**One map for two methods.** Where the head is pooling and one linear layer, the gradient of a logit is the
same at every position, and the linear approximation *is* Grad-CAM: only the latter runs there.

**Nothing against the class.** Where the head ends with a ReLU, the gradient of a logit is zero where that ReLU is: the
original linear approximation is zero there, and elsewhere it is the logit's share but for the bias, which is positive.
What is kept of it as negative is then next to nothing ([the next page](04_equal_blurring) measures the areas).

**The rival** is the strongest other class on the whole image, also where another overtakes it on what is
kept.

**Blur, zeros, mean.** $\sigma = 15$ and a kernel of 101 pixels, which reaches over the border, where the image is
reflected. *Zeros* are black pixels, before the network normalises; *mean* is the mean colour of the image itself. A pixel
where the map is exactly zero is replaced in either case. The table above says what each of these changes.

**The threshold** on the second probability is 0.1 unless another is given. Table 1 itself, of VGG-16, stands in the main text.
```
"""

# %%
page.departures()

# %%
page.provenance()
