# %% [markdown]
"""
# Sanity check

A map that explains a network must depend on what the network has learned. Adebayo et al.
{cite:p}`sanity_check` found methods whose maps hardly change when the weights are replaced by random
numbers: such maps show the edges of the image, whatever the network. Their test makes one layer after
another of a trained network random, from the classifier down, and compares the maps.

The Opti-CAM paper {cite:p}`opticam` runs two such tests in appendix G. In the first, five layers of a
ResNet-50 become random one by one, and the maps of the six networks are compared on 1,000 images (figures A6
and A7). The paper concludes that Opti-CAM "passes the sanity check". In the second, a ResNet-50 learns
randomly permuted labels; the SSIM between its maps and those of the ordinary network is 0.013.

This page repeats the first test on photographs, and the second on a network that learned permuted labels, where
there is one.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the network's default
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 4  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
permuted: str = ""  # a network of this project, or a state dict, that learned permuted labels
seed: int = 0  # of the random layers

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import display

from book import Page, batch, fewer, in_one_sentence, report
from book.report.labels import bounds, number
from lib import data, nets
from lib.evaluate import compare
from lib.nets.cascade import layers
from lib.metrics.similarity import SIMILARITIES, similarities
from testbeds import training

page = Page("opticam/12_sanity_check", globals())
opened = [(net, images.readable()) for net, images in page.opened]
cascaded = [(net, images) for net, images in opened if page.setting("steps", net)]
page.protocol()

# %% [markdown]
r"""
## Four measures

Let $M$ and $R$ be the maps of one image for the same class, by the trained network and by a random one. *Rank
correlation* is the correlation of the pixels' ranks in the raw maps, with their signs and without:

$$
\begin{aligned}
\rho &= \mathrm{corr}(\mathrm{rank}\,M, \mathrm{rank}\,R), \\
\rho_{\mathrm{abs}} &= \mathrm{corr}(\mathrm{rank}\,|M|, \mathrm{rank}\,|R|).
\end{aligned}
$$

Opti-CAM's maps are weighted means of activations. Behind a ReLU no value is negative, and the two correlations are
the same; Grad-CAM's raw maps have both signs. *HOG similarity* is Pearson's correlation of histograms of oriented
gradients {cite:p}`hog`, in cells of 16 pixels. *SSIM* {cite:p}`ssim` compares means, variances and covariance in
small windows of the finished maps. Each measure is 1 for equal maps.

**The rule.** A method passes if, with all layers random, the 95 % interval of the mean similarity lies
below 0.5 for every measure. It fails if the interval lies above 0.5 for any measure. At a correlation of 0.5, one map
still accounts for a quarter of the variance of the other. The paper shows curves and names no threshold.

Fake-CAM, a map of ones, does not depend on the network, and must fail.
"""

# %%
METHODS_OF_FIGURE_A6 = ["opti_cam", "grad_cam", "fake_cam"]
TITLES = dict(zip(SIMILARITIES, ["rank correlation", "absolute rank correlation", "HOG similarity", "SSIM"]))
THRESHOLD = 0.5


def anchor(net):
    """The name of a network, as the names of figures have it."""
    return net.name.rpartition(":")[-1].replace("_", "-")


def alike(net, others, images):
    """How similar the maps of other networks, {key: network}, are to those of a network, per image."""
    found = compare(net, others.items(), images, page.methods(METHODS_OF_FIGURE_A6, net), **page.how)
    return found.assign(architecture=net.architecture)


steps = {net.name: min(page.setting("steps", net), len(layers(net))) for net, _ in cascaded}
cascades = {net.name: dict(nets.cascade(net, steps[net.name], seed=seed)) for net, _ in cascaded}
frame = pd.concat([alike(net, cascades[net.name], images) for net, images in cascaded], ignore_index=True)

# %% [markdown]
"""
## Figure A6

The dotted line is the similarity of Opti-CAM's map to its map of *another image*, by the same trained
network. It shows how much two unrelated maps share, such as a bright middle or dark surroundings. SSIM needs
this comparison most: windows in which both maps are dark count as similar, so that SSIM stays well above zero where
maps cover little of the image.
"""

# %%
for net, images in cascaded:
    mine, counts = frame[frame["network"] == net.name], list(cascades[net.name])
    own = page.maps(net, images, "opti_cam", raw=True), page.maps(net, images, "opti_cam")
    another = similarities(own, [maps.roll(len(images) // 2, 0) for maps in own])  # each beside another image's
    figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.0), sharex=True, sharey=True)
    for panel, (metric, title) in zip(panels.flat, TITLES.items()):
        values = mine[mine["metric"] == metric].pivot(index=["method", "image"], columns="other", values="value")
        lines = {report.method_title(m): values.loc[m] for m in METHODS_OF_FIGURE_A6}
        report.curves(range(len(counts)), lines, xlabel="", ylabel="", ax=panel)
        if len(images) > 1:
            panel.axhline(another[metric].mean(), color="0.35", linestyle=":", label="another image")
        panel.axhline(THRESHOLD, color="0.35", linewidth=1, label="threshold")
        panel.set(title=title, xticks=range(len(counts)), xticklabels=counts)
        panel.get_legend().remove()
    plt.setp(panels[1], xlabel="random layers")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    mean = mine.groupby(["method", "metric", "other"])["value"].mean()["opti_cam"]
    falls = [f"{t} {mean[m, counts[1]]:.2f} and {mean[m, counts[-1]]:.2f}" for m, t in TITLES.items()]
    report.show(
        figure,
        name=f"opticam-sanity-{anchor(net)}",
        alt=f"Similarity of maps of {net.name} to those of its copies with {', '.join(map(str, counts[1:]))} random "
        f"layers. With one random layer and with all, Opti-CAM's similarity falls from 1 to: {'; '.join(falls)}. "
        "Fake-CAM stays at 1.",
        caption=f"Opti-CAM, figure A6, computed: {net.name}, means and 95 % intervals of {len(images)} images of "
        f"{images.name}, against the number of random layers, from none to all {counts[-1]}. With one random "
        f"layer and with all, Opti-CAM's similarity falls from 1 to: {'; '.join(falls)}. Fake-CAM stays at 1.",
    )

# %% [markdown]
"""
With all layers random, the mean similarity and its 95 % interval:
"""

# %%
def verdict(intervals):
    """The verdict by the rule above; undecided where an interval contains the threshold."""
    if min(interval.n for interval in intervals) < report.MIN_IMAGES:
        return "not enough images"
    if any(interval.low > THRESHOLD for interval in intervals):
        return "failed"
    return "passed" if all(interval.high < THRESHOLD for interval in intervals) else "undecided"


last = frame[frame["other"] == frame.groupby("network")["other"].transform("max")]
rows = {}
for (network, method), part in last.groupby(["network", "method"], sort=False):
    found = {
        m: report.mean_ci(of["value"], of["group"], bounds=(-1, 1)) for m, of in part.groupby("metric", sort=False)
    }
    cells = {TITLES[m]: f"{number(interval.mean, 2)} {bounds(interval, 2)}" for m, interval in found.items()}
    rows[network, report.method_title(method)] = cells | {"sanity check": verdict(found.values())}
pd.DataFrame(rows).T.rename_axis(["network", "method"])

# %% tags=["nbval-check-output"]
page.verdicts(last, "Figure A6")

# %% [markdown]
"""
## Figure A7
"""

# %%
for net, images in cascaded:
    few = fewer(images, page.setting("shown"))
    networks = {f"{n} random" if n else "trained": other for n, other in cascades[net.name].items()}
    page.gallery(
        net, few, {title: page.maps(one, few, "opti_cam") for title, one in networks.items()},
        name=f"opticam-sanity-maps-{anchor(net)}",
        alt=f"Opti-CAM's maps for images of {' and '.join(few.labels)} by {net.name} and by its copies with more "
        "and more random layers.",
        caption=f"Opti-CAM, figure A7, computed: Opti-CAM's maps for {net.name} and for its copies with random layers, "
        "whose number each title has.",
    )  # fmt: skip

# %% [markdown]
"""
## Permuted labels

A network of the same architecture learns the same training images under labels that were shuffled among them. It can
only memorise each image. If maps followed from the image alone, or from the architecture, both networks would have
the same maps.
"""

# %%
taught = [(net, images, learned) for net, images in opened if (learned := page.setting("permuted", net))][-1:]
if not taught:
    print("Not run: no network that learned permuted labels; the parameter `permuted` takes its state dict.")
judged = [frame[:0]]
for net, images, learned in taught:
    with in_one_sentence():
        if learned in nets.RECIPES:
            by_heart = nets.load(learned, layer=layer or None, device=device)
        else:
            by_heart = nets.load(page.experiment(net).network, weights=learned, layer=layer or None, device=device)
    by_heart.name = net.name  # it runs under the settings of the ordinary network
    if learned not in nets.RECIPES:
        print("Not judged: it is not known here on which labels these weights were trained.")
        continue
    recipe = nets.recipe(learned)
    pictures = data.load(recipe.dataset, split="train", limit=recipe.limit, size=recipe.input_size)
    shuffled = training.permuted(pictures, recipe.seed)
    with torch.no_grad():
        p = torch.cat([by_heart(x).softmax(1).gather(1, c[:, None]) for x, c in page.batches(by_heart, shuffled)])[:, 0]
    judged.append(page.rows(net, shuffled, {("network_permuted", "probability"): p.tolist()}))
    print(f"{learned} gives the {len(p):,} shuffled labels that it learned a mean probability of {p.mean():.2f};")
    chance = f"where chance is {1 / len(pictures.classes):.0%}"
    print(f"of new images it classifies {recipe.train().accuracy:.1%} correctly, {chance}")

# %%
for net, images, _ in taught:
    compared = alike(net, {"permuted": by_heart}, images)
    judged.append(compared.assign(method=compared["method"] + "_permuted"))
    similar = compared.query("method == 'opti_cam' and metric == 'ssim'")
    ssim = report.mean_ci(similar["value"], similar["group"], bounds=(-1, 1))
    few = fewer(images, page.setting("shown"))
    networks = {"true labels": net, "permuted labels": by_heart}
    page.gallery(
        net, few, {title: page.maps(one, few, "opti_cam") for title, one in networks.items()},
        name="opticam-permuted-labels",
        alt=f"Opti-CAM's maps for images of {' and '.join(few.labels)} by a network that learned true labels and by "
        f"one that learned permuted ones; over {ssim.n} images the SSIM of the two is {ssim.mean:.2f}.",
        caption=f"Opti-CAM's maps for the same class by two networks of one architecture. SSIM over {ssim.n} images: "
        f"{ssim:.3f}; the paper prints 0.013 for ResNet-50 on ImageNet.",
    )  # fmt: skip
    mean = compared.groupby(["method", "metric"], sort=False)["value"].mean().unstack()[list(TITLES)]
    mean = mean.rename(columns=TITLES, index=report.method_title).round(2)
    display(mean.rename_axis(index=None, columns="true against permuted labels"))

# %% tags=["nbval-check-output"]
page.verdicts(pd.concat(judged, ignore_index=True), "Appendix G")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Layers.** The paper replaces five layers of ResNet-50 and does not name them. Here the first step makes only the
classifier random, the last step makes all layers random, and the other steps lie evenly between. A layer is a
convolution or linear layer with the normalisation behind it.

**Random layers.** Each layer is reset as torch initialises it, except that convolutions are initialised as by He et
al. {cite:p}`he_init`, so that a signal still reaches the classifier. The statistics of batch normalisation are reset
to 0 and 1 as well. Adebayo et al. re-initialise the trained parameters and leave the statistics.

**Classes.** All maps are for the class of the image, also those of random networks, whose predictions are arbitrary.

**Flat maps.** A flat map ranks no pixels. Two flat maps count as equal (1), and a flat map counts as unlike any other
map (0).
```
"""

# %%
page.departures()

# %%
page.provenance()
