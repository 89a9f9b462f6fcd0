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
# Sanity check

A map that explains a network must depend on what the network has learned. Adebayo et al.
{cite:p}`sanity_check` found methods whose maps hardly change when the weights are replaced by random
numbers: they draw the edges of the image, whatever the network. Their test takes one layer after
another away from a trained network, from the classifier down, and compares the maps.

Opti-CAM {cite:p}`opticam` takes it in appendix G: five layers of a ResNet-50 become random one by one,
and the maps of the six networks are compared on 1,000 images (figures A6 and A7). The paper concludes
that Opti-CAM "passes the sanity check". In a second test, a ResNet-50 learns randomly permuted labels;
the SSIM between its maps and those of the ordinary one is 0.013.

This page repeats both on [drawn scenes](real), a test bed, and the first on photographs.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm name, torchvision:<name>, scenes_vgg; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights
permuted: str = ""  # a network of this project, or a state dict, that learned permuted labels
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # imagenet_embedded, imagenet, scenes, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
seed: int = 0  # of the random layers

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import report
from lib import data, nets
from book.experiments import COSINE_25, Case, fewer, settings
from lib.evaluate import COLUMNS, saliency_maps
from lib.methods import METHODS
from testbeds.training import permuted as permute
from book.parameters import check_parameters, choose
from lib.paths import BUILD
from book.report.labels import bounds, number
from lib.saliency import predict
from lib.evaluate import compare
from lib.metrics.similarity import SIMILARITIES, similarities

check_parameters()
PHOTOGRAPHS = "tf_efficientnet_lite0"
CASES = [Case(network, dataset or "imagenet", layer, n_images or None)] if network else choose(
    profile,
    smoke=[Case("scenes_vgg_quick", "scenes", n=n_images or 2)],
    embedded=[
        Case("scenes_vgg", "scenes", n=n_images or 15),
        Case(PHOTOGRAPHS, dataset or "imagenet_embedded", n=n_images or 10),
    ],
    paper=[Case("torchvision:resnet50", dataset or "imagenet", n=n_images or 1000)],
)
opened = [case.open(weights=weights, root=root, device=device) for case in CASES]
opened = [(net, images.readable()) for net, images in opened]
store = BUILD / "results"


def spared(net):
    """Photographs take Opti-CAM seconds each; the embedded profile saves iterations and steps on them."""
    return net.name == PHOTOGRAPHS and profile == "embedded"


def methods(net):
    opti_cam = settings(profile, schedule=COSINE_25 if spared(net) else None)["opti_cam"]
    return {"opti_cam": ("opti_cam", opti_cam), "grad_cam": ("grad_cam", {}), "fake_cam": ("fake_cam", {})}


# %% [markdown]
r"""
## Four measures

Let $M$ and $R$ be the maps of one image for the same class, before and after. *Rank correlation* is the
correlation of the pixels' ranks in the raw maps, with their signs and without:

$$
\begin{aligned}
\rho &= \mathrm{corr}(\mathrm{rank}\,M, \mathrm{rank}\,R), \\
\rho_{\mathrm{abs}} &= \mathrm{corr}(\mathrm{rank}\,|M|, \mathrm{rank}\,|R|).
\end{aligned}
$$

Opti-CAM's maps are weighted means of activations behind a ReLU. They have no signs, and the two are the
same; Grad-CAM's raw maps have. *HOG similarity* is Pearson's correlation of histograms of oriented gradients
{cite:p}`hog`, in cells of 16 pixels. *SSIM* {cite:p}`ssim` compares means, variances and covariance in small
windows of the finished maps. All are 1 for equal maps.

**The rule.** A method passes if, once all layers are random, the 95 % interval of the mean similarity lies
below 0.5 for every measure, and fails if it lies above 0.5 for one. At a correlation of 0.5, one map still accounts for a quarter of the variance of
the other. The paper shows curves and names no threshold.

Fake-CAM, a map of ones, knows nothing of any network, and has to fail.
"""

# %%
frames, networks = [], {}
for net, images in opened:
    networks[net.name] = dict(nets.cascade(net, 3 if spared(net) else 5, seed=seed))
    frames.append(
        compare(net, networks[net.name].items(), images, methods(net), batch_size=batch_size, store=store)
    )
frame = pd.concat(frames, ignore_index=True)
THRESHOLD = 0.5
TITLES = dict(zip(SIMILARITIES, ["rank correlation", "absolute rank correlation", "HOG similarity", "SSIM"]))


def maps(net, images, method="opti_cam", raw=False):
    name, options = methods(net)[method]
    return saliency_maps(net, images, name, batch_size=batch_size, store=store, raw=raw, **options)


def neighbours(net, images):
    """How like the map of another image is: Opti-CAM's maps against those of half the images on."""
    own = maps(net, images, raw=True), maps(net, images)
    return similarities(own, tuple(m.roll(len(images) // 2, 0) for m in own))


# %% [markdown]
"""
## Figure A6

The dotted line is the similarity of Opti-CAM's map to its map of *another image*, by the same trained
network: what two maps share that have nothing to do with each other, such as a bright middle or dark
surroundings. SSIM is the measure to watch: windows in which both maps are dark count as alike, so that it stays
well above zero where maps cover little of the image.
"""

# %%
for net, images in opened:
    mine = frame[frame["network"] == net.name]
    counts = list(networks[net.name])
    report.style()
    figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.0), sharex=True, sharey=True)
    elsewhere = neighbours(net, images)
    for panel, (metric, title) in zip(panels.flat, TITLES.items()):
        table = mine[mine["metric"] == metric].pivot(index=["method", "image"], columns="other", values="value")
        lines = {METHODS[m].title: table.loc[m].to_numpy() for m in methods(net)}
        report.curves(range(len(counts)), lines, xlabel="", ylabel="", ax=panel)
        panel.axhline(elsewhere[metric].mean(), color="0.35", linestyle=":", label="another image")
        panel.axhline(THRESHOLD, color="0.35", linewidth=1, label="threshold")
        panel.set_title(title)
        panel.set_xticks(range(len(counts)), counts)
        panel.get_legend().remove()
    for panel in panels[1]:
        panel.set_xlabel("random layers")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    means = mine.groupby(["method", "metric", "other"])["value"].mean().loc["opti_cam"]
    report.show(
        figure,
        name=f"opticam-sanity-{net.name.replace('_', '-')}",
        alt=f"Similarity of maps of {net.name} to those of networks with {', '.join(map(str, counts[1:]))} random layers. "
        "With one random layer and with all, Opti-CAM falls from 1 to: "
        + "; ".join(f"{t} {means[m, counts[1]]:.2f} and {means[m, counts[-1]]:.2f}" for m, t in TITLES.items())
        + ". Fake-CAM stays at 1.",
        caption=f"Figure A6, computed: {net.name}, means and 95 % intervals of {len(images)} images of {images.name}, "
        f"against the number of random layers, from none to all {counts[-1]}.",
    )

# %% [markdown]
"""
All layers random, mean and 95 % interval:
"""

# %%
def verdict(intervals):
    """By the rule above; undecided where an interval holds the threshold."""
    if min(interval.n for interval in intervals) < report.MIN_IMAGES:
        return "not enough images"
    if any(interval.low > THRESHOLD for interval in intervals):
        return "failed"
    return "passed" if all(interval.high < THRESHOLD for interval in intervals) else "undecided"


rows = []
for (name, method), part in frame.groupby(["network", "method"], sort=False):
    last = part[part["other"] == part["other"].max()]
    found = {m: report.mean_ci(values["value"], values["group"]) for m, values in last.groupby("metric", sort=False)}
    cells = {TITLES[m]: f"{number(interval.mean, 2)} {bounds(interval, 2)}" for m, interval in found.items()}
    rows.append({"network": name, "method": METHODS[method].title, **cells, "sanity check": verdict(found.values())})
pd.DataFrame(rows).set_index(["network", "method"])

# %% [markdown]
"""
## Figure A7
"""

# %%
def gallery(images, networks, *, name, alt, caption):
    """Opti-CAM's maps of two images by several networks."""
    few = fewer(images, choose(profile, smoke=1, embedded=2, paper=2))
    shown = {title: maps(other, few) for title, other in networks.items()}
    figure = report.gallery([s.image for s in few], shown, few.labels, columns=4)
    alt = f"Opti-CAM's maps for images of {' and '.join(few.labels)} {alt}"
    report.show(figure, name=name, alt=alt, caption=caption)


for net, images in opened:
    titles = {("trained" if n == 0 else f"{n} random"): other for n, other in networks[net.name].items()}
    gallery(
        images,
        titles,
        name=f"opticam-sanity-maps-{net.name.replace('_', '-')}",
        alt=f"by {net.name} and by its copies with ever more random layers.",
        caption=f"Figure A7, computed: Opti-CAM for {net.name} and for its copies with so many random layers.",
    )

# %% [markdown]
"""
## Permuted labels

A network of the same shape learns the same pictures under labels that were shuffled among them. It can only
know each picture by heart. If a map followed from the picture alone, or from the shape of the network, the two
networks would share it.
"""

# %%
net, images = opened[0]
own = choose(profile, smoke="scenes_vgg_permuted_quick", embedded="scenes_vgg_permuted", paper="")
learned = permuted or ("" if network else own)
if learned in nets.RECIPES:
    by_heart, recipe = nets.load(learned, device=device), nets.recipe(learned)
    pictures = data.load(recipe.dataset, split="train", limit=recipe.limit, size=recipe.input_size)
    taught = permute(pictures, recipe.seed)
    x, labels = torch.stack([s.image for s in taught]), torch.tensor(taught.targets)
    known = (predict(by_heart, x.to(device)).cpu() == labels).float().mean()
    print(f"{learned} knows {known:.1%} of the {len(taught):,} shuffled labels by heart;")
    print(f"of new pictures it names {nets.recipe(learned).train().accuracy:.1%} as they are, where chance is {1 / len(taught.classes):.0%}")
elif learned:
    by_heart = nets.load(CASES[0].network, weights=learned, layer=layer or None, device=device)
else:
    print("none was given: its state dict is the parameter `permuted`")

# %%
if learned:
    shuffled = compare(net, [("permuted", by_heart)], images, methods(net), batch_size=batch_size, store=store)
    similar = shuffled.query("method == 'opti_cam' and metric == 'ssim'")
    interval = report.mean_ci(similar["value"], similar["group"])
    gallery(
        images,
        {"true labels": net, "permuted labels": by_heart},
        name="opticam-permuted-labels",
        alt=f"by a network that learned true labels and by one that learned permuted ones; over {interval.n} images the SSIM "
        f"of the two is {interval.mean:.2f}.",
        caption=f"Opti-CAM for the same class by two networks of one shape. SSIM over {interval.n} images: {interval.mean:.3f} "
        f"[{interval.low:.3f}, {interval.high:.3f}]; the paper prints 0.013 for ResNet-50 on ImageNet.",
    )

# %%
table = None
if learned:
    means = shuffled.groupby(["method", "metric"], sort=False)["value"].mean().unstack()[list(TITLES)]
    means.index = [METHODS[m].title for m in means.index]
    table = means.rename(columns=TITLES).round(3).rename_axis(columns="true against permuted labels")
table

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
judged = [frame[frame["other"] == frame.groupby("network")["other"].transform("max")]]
if learned:
    judged.append(shuffled.assign(method=shuffled["method"] + "_permuted"))
claims = report.claims("opticam", "Figure A6", "Appendix G")
report.claims_table(claims, pd.concat(judged, ignore_index=True)[COLUMNS])

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Which layers.** The paper replaces five layers of ResNet-50 and does not name them. Here the first step takes
the classifier, the fifth all layers, and the others lie evenly between; a layer is a convolution or linear layer
with the normalisation behind it.

**What random means.** Each layer is reset as torch initialises it, convolutions as He et al. {cite:p}`he_init` do,
so that a signal still reaches the classifier. The statistics of batch normalisation are reset to 0 and 1 with
the rest. Adebayo et al. re-initialise the trained parameters and leave the statistics.

**Classes.** All maps are for the labelled class, also those of a random network, whose prediction means nothing.

**Flat maps** rank nothing: two of them count as equal (1), one of them as unlike any other (0).

**Photographs.** In the embedded profile there are ten of them, three steps in place of five, and Opti-CAM runs 25
iterations with cosine decay from a learning rate of 1.0, in place of 100 at 0.1.

**Permuted labels.** The paper trains on all of ImageNet. Five hundred scenes are few enough to be known by heart in a
minute.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, permuted=permuted, layer=layer, dataset=dataset, root=root,
    n_images=n_images, batch_size=batch_size, device=device, seed=seed,
)  # fmt: skip
