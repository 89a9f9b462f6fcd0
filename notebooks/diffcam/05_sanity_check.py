# %% [markdown]
r"""
# Does the map depend on the network, and on the data?

A map that explains a network must change when the network forgets what it learned {cite:p}`sanity_check`. The DiffCAM
paper {cite:p}`diffcam` runs this test in appendix E, on a ResNet-50 (figure 13). The classification head becomes random
first, then the deep layers of the feature extractor. DiffCAM reads no class score, so the head must not matter at all. The
paper finds that it does not, and that the map is "highly sensitive" to the features. It concludes that DiffCAM is "closely
tied" to the network, and not independent of the model and the data.

This page repeats the test on photographs. It then applies the same test to the data: how much the map changes with the image,
with the references, and with their labels.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
cost: str = ""  # at whose cost (options, counts) to run images of your own; empty: the profile's
network: str = ""  # a timm name, torchvision:<name>, a network of this project; empty: the profile's
weights: str = ""  # path of a state dict; empty: the manifest's weights
layer: str = ""  # target layer; empty: the last activation before pooling
dataset: str = ""  # a name of `python -m lib data list`, such as folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
reference: str = ""  # a dataset or a folder of reference images; empty: the profile's, or the other images
n_images: int = 0  # how many images; 0: the profile's choice
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps
seed: int = 0  # of the random layers, and of what is shuffled

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, fewer, report
from book.report.labels import bounds, number
from lib import nets
from lib.evaluate import coefficients
from lib.metrics.similarity import SIMILARITIES, cosine_similarity, similarities
from lib.nets.cascade import layers
from lib.reference import ReferenceSet
from lib.saliency import finish

page = Page("diffcam/05_sanity_check", globals())
opened = [(net, images.readable()) for net, images in page.opened]
page.protocol()

# %% [markdown]
r"""
## The head, then the features

The layers become random one after another, from the classifier down, and stay random. The map $M$ of the trained network is
compared with the map $R$ of each copy by the four measures of [Opti-CAM's sanity check](../opticam/12_sanity_check): the rank
correlation of the raw maps, with and without their signs, HOG similarity, and SSIM. All are 1 for equal maps. The features of
the references are computed anew with each copy, so they become random too.

DiffCAM is compared with Grad-CAM, which reads the class score through the gradient, and with Fake-CAM, a map of ones that
depends on nothing.
"""

# %%
METHODS_OF_FIGURE_13 = ["diff_cam", "grad_cam", "fake_cam"]
TITLES = dict(zip(SIMILARITIES, ["rank correlation", "absolute rank correlation", "HOG similarity", "SSIM"]))
THRESHOLD = 0.5  # as on Opti-CAM's page: above it, the maps share more than a quarter of their variance


def maps(net, images, method="diff_cam", **options):
    """Raw maps (N, h, w) and finished ones (N, H, W); DiffCAM's references have the features of this very network."""
    raw = page.maps(net, images, method, raw=True, **options)
    return raw, finish(method, raw, images.size)


steps = {net.name: min(page.setting("steps", net), len(layers(net))) for net, _ in opened}
cascades = {net.name: dict(nets.cascade(net, steps[net.name], seed=seed)) for net, _ in opened}
compared = []
for net, images in opened:
    for method in METHODS_OF_FIGURE_13:
        own = maps(net, images, method)
        for count, other in cascades[net.name].items():
            alike = similarities(own, own if other is net else maps(other, images, method))
            values = {(method, metric): of for metric, of in alike.items()}
            compared.append(page.rows(net, images, values).assign(other=count))
compared = pd.concat(compared, ignore_index=True)

# %%
def relative(M, R):
    """The size (N,) of the change of each map, as a share of the map."""
    return (M - R).flatten(1).norm(dim=1) / M.flatten(1).norm(dim=1).clamp_min(torch.finfo(M.dtype).tiny)


frames, told = [], {}
for net, images in opened:
    counts = list(cascades[net.name])
    for method in METHODS_OF_FIGURE_13[:2]:
        change = relative(*(maps(one, images, method)[0] for one in (net, cascades[net.name][counts[1]])))
        told[net.name, report.method_title(method)] = {
            "images": len(images), "median change": f"{change.median():.1e}", "largest change": f"{change.max():.1e}",
        }  # fmt: skip
        frames.append(page.rows(net, images, {(f"{method}_random_head", "relative_error"): change}))
pd.DataFrame(told).T.rename_axis(index=["network", "raw map, with a random head"])

# %% [markdown]
"""
The figure shows the similarity by the number of random layers; the first of them is the head. The dotted line is the
similarity of DiffCAM's map to its map of *another image*, with the trained network: what two unrelated maps have in common.
"""

# %%
def rotated(both):
    """For each image the map of another image, half the dataset further on."""
    return [one.roll(len(one) // 2, 0) for one in both]


another = {net.name: similarities(own := maps(net, images), rotated(own)) for net, images in opened if len(images) > 1}
for figure_number, (net, images) in enumerate(opened, 1):
    mine, counts = compared[compared["network"] == net.name], list(cascades[net.name])
    figure, panels = plt.subplots(2, 2, figsize=(6.4, 6.0), sharex=True, sharey=True)
    for panel, (metric, title) in zip(panels.flat, TITLES.items()):
        values = mine[mine["metric"] == metric].pivot(index=["method", "image"], columns="other", values="value")
        lines = {report.method_title(m): values.loc[m] for m in METHODS_OF_FIGURE_13}
        report.curves(range(len(counts)), lines, xlabel="", ylabel="", ax=panel)
        if net.name in another:
            panel.axhline(another[net.name][metric].mean(), color="0.35", linestyle=":", label="another image")
        panel.axhline(THRESHOLD, color="0.35", linewidth=1, label="threshold")
        panel.set(title=title, xticks=range(len(counts)), xticklabels=counts)
        panel.get_legend().remove()
    plt.setp(panels[1], xlabel="random layers")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    mean = mine.groupby(["method", "metric", "other"])["value"].mean()
    falls = "; ".join(
        f"{report.method_title(m)} {', '.join(f'{mean[m, SIMILARITIES[0], n]:.2f}' for n in counts)}"
        for m in METHODS_OF_FIGURE_13[:2]
    )  # fmt: skip
    report.show(
        figure,
        name=f"diffcam-sanity-{figure_number}",
        alt=f"Similarity of maps of {net.name} to those of networks with {', '.join(map(str, counts[1:]))} random layers. "
        f"Rank correlation: {falls}.",
        caption=f"Similarity to the trained network's maps, {net.name}: means and 95 % intervals over {len(images)} images, "
        f"by the number of random layers, from none to all {counts[-1]}. The first random layer is the head. Rank "
        f"correlation: {falls}.",
    )

# %% [markdown]
"""
## Figure 13
"""

# %%
for figure_number, (net, images) in enumerate(opened, 1):
    few = fewer(images, page.setting("shown"))
    headings = ["trained", *(f"{n} random" for n in list(cascades[net.name])[1:])]
    shown = {m: [page.maps(one, few, m) for one in cascades[net.name].values()] for m in METHODS_OF_FIGURE_13[:2]}
    places = [(i, method) for i in range(len(few)) for method in shown]
    rows = [[report.overlay(few[i].image, S[i]) for S in shown[method]] for i, method in places]
    titles = [f"{few.labels[i]}, {report.method_title(method)}" for i, method in places]
    report.show(
        report.grid(rows, headings, titles),
        name=f"diffcam-figure-13-{figure_number}",
        alt=f"Maps of DiffCAM and Grad-CAM for images of {' and '.join(few.labels)}, by {net.name} and by copies with ever more "
        "random layers.",
        caption=f"As DiffCAM, figure 13: maps of {net.name} and of its copies with random layers, the head first. Each heading "
        "has the number of random layers.",
    )

# %% [markdown]
r"""
## The data

"Closely tied to the data" can mean two things: the image, and the references. The table compares DiffCAM's map with

* its map of *another image*;
* its map with references *without content*, whose pixels are shuffled;
* its map with references whose *labels are shuffled*, so that different images count as images of other classes;
* its map of "why not the farthest class"; in this row, DiffCAM's map is that of "why not the nearest class".

The last column has the cosine between the direction $w$ after the change and the image's own features $z$. At 1, the map is
that of $z$ alone, whatever the references are.
"""

# %%
def shuffled(n):
    """A permutation of n."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def without_content(net, data):
    """The features of images whose pixels are shuffled, all alike."""
    order = shuffled(data.size[0] * data.size[1])
    batches = (data[i : i + page.batch_size] for i in range(0, len(data), page.batch_size))
    images = (torch.stack([sample.image for sample in batch]) for batch in batches)
    noise = (x.flatten(2)[:, :, order].view_as(x) for x in images)
    return torch.cat([net.cut(x.to(net.device, net.dtype))[0].mean((2, 3)).cpu() for x in noise])


@torch.no_grad()
def features(net, images):
    """The images' features (N, K)."""
    return torch.cat([net.cut(x)[0].mean((2, 3)).cpu() for x, _ in page.batches(net, images)])


def rivals(net, images, R, which):
    """For each image's class, the other class whose reference is the nearest, or the farthest."""
    found = {}
    for z, c in zip(features(net, images), images.targets):
        others = (R.classes != c).nonzero()[:, 0]
        distance = (R.z[others] - z).norm(dim=1)
        found.setdefault(c, R.classes[others[getattr(distance, which)()]].item())
    return found


def other_data(net, images):
    """By what is changed: DiffCAM's options before and after the change."""
    R = page.reference(net)
    blank = ReferenceSet(without_content(net, page.references(net).readable()), R.classes)
    changes = {"without content": ({}, {"reference": blank})}
    if R.classes is not None and len({*R.classes.tolist()}) > 2:
        mixed = ReferenceSet(R.z, R.classes[shuffled(len(R))], R.network)
        changes["labels shuffled"] = ({}, {"reference": mixed})
        near, far = (
            {"question": "why not", "rival": rivals(net, images, R, which)} for which in ("argmin", "argmax")
        )
        changes["another rival, why not"] = (near, far)
    return changes


def direction(net, images, options):
    """The cosine (N,) of the direction and the image's own features."""
    variant = {"w": ("diff_cam", page.options("diff_cam", net) | options)}
    return cosine_similarity(coefficients(net, images, variant, **page.how)["w"], features(net, images))


def cells(alike, groups):
    """Mean and 95 % interval of each measure."""
    found = {TITLES[metric]: report.mean_ci(of.numpy(), groups, bounds=(-1, 1)) for metric, of in alike.items()}
    return {title: f"{number(interval.mean, 2)} {bounds(interval, 2)}" for title, interval in found.items()}


rows = {}
for net, images in opened:
    found = {"another image": (another[net.name], {})} if net.name in another else {}
    for label, (before, after) in other_data(net, images).items():
        found[label] = (similarities(maps(net, images, **before), maps(net, images, **after)), after)
    for label, (alike, options) in found.items():
        name = "diff_cam_" + label.replace(",", "").replace(" ", "_")
        frames.append(page.rows(net, images, {(name, metric): of for metric, of in alike.items()}))
        cosine = number(direction(net, images, options).mean().item(), 2)
        rows[net.name, label] = cells(alike, images.groups) | {"cos(w, z)": cosine}
    if found.get("another image"):
        own = maps(net, images, "grad_cam")
        rows[net.name, "Grad-CAM: another image"] = cells(similarities(own, rotated(own)), images.groups) | {"cos(w, z)": "–"}
pd.DataFrame(rows).T.rename_axis(index=["network", "DiffCAM's map against"])

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
def named(frame, which, ending):
    """DiffCAM's rows for one step of each cascade, under the name that the claims use."""
    places = {net.name: list(cascades[net.name])[which] for net, _ in opened}
    rows = frame[(frame["method"] == "diff_cam") & (frame["other"] == frame["network"].map(places))]
    return rows.assign(method=f"diff_cam_{ending}")


cascaded = [named(compared, 1, "random_head"), named(compared, 2, "some_features"), named(compared, -1, "random_features")]
page.verdicts(pd.concat([*frames, *cascaded], ignore_index=True), "Appendix E")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Which layers.** The paper takes the fully connected layer and then deep convolutional layers, and does not name them. Here the
first step randomises the classifier and the last step all layers; the other steps lie evenly between.

**What random means.** Each layer is reset as torch initialises it, convolutions as He et al. {cite:p}`he_init` do. The statistics of
batch normalisation are reset to 0 and 1 as well.

**A threshold.** The paper shows pictures and no number. Here "highly sensitive" means a mean similarity below one half in every
measure, as in [Opti-CAM's sanity check](../opticam/12_sanity_check).

**The data.** The paper does not test the dependence on the data. What it means to be tied to the data is our reading.
```
"""

# %%
page.departures()

# %%
page.provenance()
