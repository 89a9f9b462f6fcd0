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
# More metrics

Three further questions to a map. Does the class disappear when the patches that it marks are painted
over (*AOPC* {cite:p}`aopc`)? Does the map stay where it is when noise is added to the image
(*max-sensitivity* {cite:p}`max_sensitivity`)? And is it at once faithful, small, and the same when the
network sees the image through it (*ADCC* {cite:p}`fake_cam`)?

Opti-CAM {cite:p}`opticam` reports them in table 4 and claims two things (section 5.3.3): its maps are the
least sensitive, and they do poorly on AOPC, as on insertion and deletion, whose idea AOPC shares. This
page recomputes the table on photographs, and on [drawn scenes](real), a test bed,
where every column can be afforded: max-sensitivity asks for ten more maps of each image.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, scenes_vgg; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # imagenet_embedded, imagenet, scenes, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import report
from book.experiments import FEW_IMAGES, Case, settings
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.metrics.adcc import Terms, adcc
from lib.metrics.aopc import patch_ranks, patched
from lib.metrics.max_sensitivity import around
from book.parameters import check_parameters, choose
from lib.paths import BUILD
from lib.saliency import explain, mask, predict

check_parameters()
LITE = "tf_efficientnet_lite0"
photographs = dataset or "imagenet_embedded"
CASES = [Case(network, dataset or "imagenet", layer, n_images or None)] if network else choose(
    profile,
    smoke=[Case(LITE, photographs, n=n_images or 2), Case("scenes_vgg_quick", "scenes", n=n_images or 2)],
    embedded=[Case(LITE, photographs, n=n_images or FEW_IMAGES), Case("scenes_vgg", "scenes", n=n_images or FEW_IMAGES)],
    paper=[Case(name, dataset or "imagenet", layer, n_images or None) for name in ("torchvision:resnet50", "torchvision:vgg16_bn")],
)
opened = [case.open(weights=weights, root=root, device=device) for case in CASES]
OPTIONS = settings(profile)
store = BUILD / "results"

# %% [markdown]
r"""
## Table 4

Let $x^{(k)}$ be the image without its $k$ most salient patches, and $p$ the probability of the true
class. With patches of 14 pixels and $L = 10$, and with ten random $\delta$ in place of all of the ball of
radius $r = 0.2$:

$$
\begin{aligned}
\mathrm{AOPC} &= \frac{1}{L + 1} \sum_{k=0}^{L} p\big(x^{(0)}\big) - p\big(x^{(k)}\big), \\
\mathrm{MS} &= \max_{\|\delta\|_\infty \le r} \frac{\|S(x + \delta) - S(x)\|}{\|S(x)\|}, \\
\mathrm{ADCC} &= 3 \left( \frac{1}{\mathrm{coherency}} + \frac{1}{1 - \mathrm{complexity}}
  + \frac{1}{1 - \mathrm{AD}} \right)^{-1} .
\end{aligned}
$$

Coherency compares the map with that of the image seen through it, by Pearson's correlation; complexity is
the mean of the map; AD is the average drop of [the first page](01_classification_metrics):

$$
\begin{aligned}
\mathrm{coherency} &= \tfrac12 \big( 1 + \mathrm{corr}(S(x), S(x \odot S(x))) \big), \\
\mathrm{complexity} &= \frac{1}{HW} \sum_{ij} S_{ij}(x) .
\end{aligned}
$$

Fake-CAM, which is not in the paper's table, is added: a map of ones but for one pixel.
"""

# %%
METHODS_OF_TABLE_4 = [
    "fake_cam", "grad_cam", "grad_cam_plus_plus", "score_cam", "xgrad_cam", "ablation_cam", "layer_cam",
    "extremal_perturbation", "opti_cam",
]  # fmt: skip
MANY_PASSES = {"score_cam", "opti_cam"}  # a map: too dear where a metric asks for further maps
DEAR = {
    "aopc": choose(profile, smoke={"score_cam"}, embedded=set(), paper=set()),
    "max_sensitivity": MANY_PASSES,
    "adcc": MANY_PASSES,
}


def measured(net, metric):
    """The methods that a metric judges: on small images all but one."""
    spared = set() if profile == "paper" else {"extremal_perturbation"}
    if profile != "paper" and net.input_size > 100:
        spared |= DEAR[metric]
    return {m: (m, OPTIONS.get(m, {})) for m in METHODS_OF_TABLE_4 if m in METHODS and m not in spared}


def patch(net):
    """14 pixels at 224, and the same share of smaller images."""
    return net.input_size // 16


frames = []
for net, images in opened:
    metrics = {
        "aopc": {"aopc": ("aopc", {"patch": patch(net)})},
        "max_sensitivity": {"max_sensitivity": "max_sensitivity"},
        "adcc": {m: m for m in ("adcc", "coherency", "complexity", "average_drop")},
    }
    frames += [
        evaluate(net, images, measured(net, name), variants, batch_size=batch_size, store=store)
        for name, variants in metrics.items()
    ]
frame = pd.concat(frames, ignore_index=True)
for row in frame.dropna(subset="error").drop_duplicates("image").itertuples():
    print(f"left out: {row.image}: {row.error}")
table = report.comparison("opticam", 4, frame)
table

# %%
def best(metric):
    """On each network, whose mean is best, Fake-CAM aside."""
    rows = table.frame.query("metric == @metric and n > 0 and method != 'fake_cam'")
    scale, decimals, unit = (1, 1, " %") if METRICS[metric].unit == "%" else (1, 2, "")
    for name, run in rows.groupby("network", sort=False):
        row = run.loc[run["mean"].idxmax() if METRICS[metric].higher_is_better else run["mean"].idxmin()]
        yield f"on {name} {row['title']}, {scale * row['mean']:.{decimals}f}{unit}"


report.show(
    report.forest(table.frame),
    name="opticam-table-4",
    alt="AOPC, max-sensitivity and ADCC of each method, here with 95 % intervals and as printed. "
    + " ".join(f"Best {METRICS[m].symbol}: {'; '.join(best(m))}." for m in ("aopc", "max_sensitivity", "adcc")),
    caption="Table 4 as a picture: filled markers are means here with their 95 % intervals, hollow markers what "
    "the paper prints for ImageNet.",
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
report.claims_table(report.claims("opticam", "Table 4"), frame)

# %% [markdown]
r"""
To read a max-sensitivity: a map of zeros is at distance 1 from any map. The paper's values lie between 1.03
and 1.25, for all methods on both networks; what is divided by what it does not say (see the departures below).

## What the three metrics see

One image, two methods: where the patches are that AOPC takes; the map of the noisy image that is farthest
from the map; and the map of the image that is seen through the map.
"""

# %%
net, images = opened[-1]
walk = images.readable(1)[0]
x = walk.image[None].to(net.device, net.dtype)
target = predict(net, x) if walk.target is None else torch.tensor([walk.target], device=net.device)
noisy = around(x[0], 10, 0.2, 0)
report.style()
figure, panels = plt.subplot_mosaic("abcd;efgh;iiii", figsize=(6.4, 6.6), height_ratios=[1, 1, 1.05])
seen = []
for letters, name, look in zip(("abcd", "efgh"), ("grad_cam", "opti_cam"), ("o--", "s-")):
    explained = partial(explain, name, net, **OPTIONS.get(name, {}))
    S, moved = explained(x, target), explained(noisy, target.expand(10))
    farthest = int((moved - S).flatten(1).norm(dim=1).argmax())
    masked = mask(net, x, S)
    again = explained(masked, target)
    with torch.no_grad():
        curve = patched(net, x, target, S, patch=patch(net)).probability[0]
        terms = METRICS["adcc"].measurement(net, x, target, S, method=explained)
    values = {
        "AOPC": f"{100 * (curve[0] - curve).mean():.0f} %",
        "MS": f"{(moved - S)[farthest].norm() / S.norm():.2f}",
        "coherency": f"{100 * terms.coherency.item():.0f} %",
    }
    pictures = [
        report.overlay(x[0], S[0]),
        torch.where(patch_ranks(S, patch(net)) < 10, 0.0, x[0]).permute(1, 2, 0).cpu(),
        report.overlay(noisy[farthest], moved[farthest]),
        report.overlay(masked[0], again[0]),
    ]
    titles = [METHODS[name].title, *(" ".join(pair) for pair in values.items())]
    for letter, title, picture in zip(letters, titles, pictures):
        panels[letter].imshow(picture)
        panels[letter].set_title(title, fontsize=11)
        panels[letter].axis("off")
    panels["i"].plot(range(len(curve)), 100 * curve, look, label=METHODS[name].title, linewidth=2.2)
    seen.append(f"{METHODS[name].title}: " + ", ".join(" ".join(pair) for pair in values.items()))
panels["i"].set(xlabel="patches painted over", ylabel="probability (%)", ylim=(-4, 104))
panels["i"].legend()
named = walk.id if images.classes is None or walk.target is None else images.classes[walk.target]
report.show(
    figure,
    name="opticam-three-metrics",
    alt=f"An image of class {named} under two methods: the map, the image without its ten most salient patches, "
    "the farthest map of ten noisy images, the map of the masked image; below, the class probability as "
    "patches go. " + "; ".join(seen) + ".",
    caption=f"{net.name}, class {named}. From left to right: the map; what AOPC leaves after ten patches; under "
    "noise, the farthest map of ten; the map of the image seen through its map. Below: AOPC is the mean "
    "height that the curve has lost.",
)

# %% [markdown]
"""
## Which way ADCC points

The paper's table prints ADCC with a down arrow. Its authors mean it the other way: a map of high coherency,
low complexity and low drop is good, and has a high ADCC. Were lower better, Fake-CAM would win, as its row
shows.

The authors' code gives one number an image, and the table above has the mean of these. Poppi et al.'s
formula can also be taken of the means over the data set, the last column. A harmonic mean is concave, so
that this is never lower.
"""

# %% tags=["nbval-check-output"]
TERMS = ["coherency", "complexity", "average_drop"]
means = frame.pivot_table("value", ["network", "method"], "metric", sort=False)[[*TERMS, "adcc"]].dropna()
means["ADCC of the means"] = adcc(Terms(*torch.tensor(means[TERMS].to_numpy()).T)).numpy()
means = means.mul(100).round(1).rename(index=lambda m: METHODS[m].title if m in METHODS else m)
means.rename(columns=lambda m: METRICS[m].symbol if m in METRICS else m).rename_axis(index=["", "%"], columns=None)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Patches.** The image is cut into a grid, as Samek et al. do; where its side is no multiple of the patch, the
last row and column are narrower. Quantus {cite:p}`quantus`, which the paper uses, takes windows anywhere that
do not overlap. A patch is 14 pixels at 224, and 4 at 64.

**What replaces a patch.** Samek et al. draw uniform random colours; Quantus paints the least value of the
image, and the paper names no choice. Black is the default here, as in masking and deletion. Options
`replacement="mean"`, `"uniform"`; the table below compares them.

**The mean** is over $k = 0, \\dots, L$. Quantus gives the drops for $k = 1, \\dots, L$, whose mean is 11/10 of it.

**Noise.** Uniform within 0.2 of pixels in $[0, 1]$, clamped to $[0, 1]$ so that the result is an image, and
seeded by the image itself. Quantus adds it to what it is given: to a normalised tensor, whose values spread
about four times as wide, 0.2 is about 0.05 of ours. Yeh et al. divide by nothing, earlier versions of
Quantus by the norm of the *image*, others by that of the map, as here.

**ADCC** masks pixels, and its authors' code the normalised tensor; option `masking="normalized"`. Of a flat map the
coherency is zero. The class is the true one; the authors' code takes the predicted one.

**Images and methods.** Ten photographs and ten drawn scenes. Max-sensitivity and ADCC ask for further
maps of each image, which on photographs are too dear for Score-CAM and Opti-CAM; ExtremalPerturbation is a
row of the paper only. The profile `paper` runs them all.
```
"""

# %%
def effect(net, images, name):
    """What each choice changes, on every fifth image: the mean value by choice."""
    every = choose(profile, smoke=5, embedded=5, paper=500)
    some = images.subset(range(0, len(images), every)).readable()
    x = torch.stack([sample.image for sample in some]).to(net.device, net.dtype)
    S = saliency_maps(net, some, name, batch_size=batch_size, store=store, **OPTIONS.get(name, {})).to(x)
    target = predict(net, x) if None in some.targets else torch.tensor(some.targets, device=net.device)
    explained = partial(explain, name, net, **OPTIONS.get(name, {}))
    found = {
        f"AOPC (%), patches {replacement}": 100
        * METRICS["aopc"].fn(net, x, target, S, patch=patch(net), replacement=replacement)
        for replacement in ("black", "mean", "uniform")
    }
    if name in measured(net, "max_sensitivity"):  # and then by ADCC
        for radius in (0.05, 0.2):
            moved = METRICS["max_sensitivity"].measurement(net, x, target, S, method=explained, radius=radius)
            farthest = moved.distance.amax(1)
            found[f"MS, radius {radius}"] = farthest / moved.norm
            found[f"MS, radius {radius}, by the norm of the image"] = farthest / x.flatten(1).norm(dim=1)
        for masking in ("pixels", "normalized"):
            found[f"ADCC (%), masking {masking}"] = 100 * METRICS["adcc"].fn(net, x, target, S, method=explained, masking=masking)
    return pd.Series({choice: value.mean().item() for choice, value in found.items()})


COMPARED = [(net, images, m) for net, images in opened for m in ("grad_cam", "layer_cam", "opti_cam")]
effects = {(net.name, METHODS[m].title): effect(net, images, m) for net, images, m in COMPARED}
choices = max(effects.values(), key=len).index
effects = pd.DataFrame(effects).reindex(choices).rename_axis("mean of every fifth image")
effects.map(lambda value: "–" if pd.isna(value) else f"{value:.2f}")

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device,
)  # fmt: skip
