# %% [markdown]
r"""
# Remove and classify

If a map marks the evidence for a class, the network should fail once the marked pixels are erased. The CALM paper {cite:p}`calm` erases the most
salient pixels of every image, 10 to 90 % of them, and counts how many images are still classified correctly. Networks differ in how well they
withstand erasing, so the count is divided by the count when the same number of random pixels is erased. Lower is better.

This page computes the curve for CALM, for CAM and for other methods.
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
batch_size: int = 32  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import numpy as np
import pandas as pd
import torch

from book import Page, report
from lib.data import DATASETS
from lib.maps import MASKINGS
from lib.methods.calm import has_latent_position
from lib.metrics.curves import ranks
from lib.metrics.remove_and_classify import FRACTIONS, random_orders, remove_and_classify, right_without

page = Page("calm/07_remove_and_classify", globals())
page.protocol()

# %% [markdown]
r"""
## The measure

$$
R_k = \frac{\sum_i 1[\hat y(x_i \text{ without the most salient } k) = y_i]}{\sum_i 1[\hat y(x_i \text{ without random } k) = y_i]},
\qquad k = 10, 30, 50, 70, 90\ \%.
$$

Erased pixels take the mean colour, which is zero for the network. At $R_k = 1$ the map is no better than chance. CALM's map explains the network that was
trained as a CALM; all other methods explain a network with the same backbone and CAM's head. The table also has two of these methods on CALM's network.
*Random* is a map of noise.
"""

# %%
def methods_of(net):
    """The methods on a network, by label."""
    if has_latent_position(net):
        label = page.setting("label", net) or "calm"
        return {label: "calm", f"grad_cam_of_{label}": "grad_cam", f"gradient_shap_of_{label}": "gradient_shap"}
    first = "cam" if net.affine_head else "grad_cam"
    return {name: name for name in (first, "grad_cam_plus_plus", "layer_cam", "gradient_shap")}


def maps_of(net, images):
    """S (N, H, W) by label."""
    S = {label: page.maps(net, images, name) for label, name in methods_of(net).items() if page.runs(name, net)}
    if not has_latent_position(net):
        generator = torch.Generator().manual_seed(0)
        S["random"] = torch.rand(len(images), *images.size, generator=generator)
    return S


CURVE = [f"remove_and_classify_{100 * k:.0f}" for k in FRACTIONS]
opened = [(net, images.readable()) for net, images in page.opened]
batches = {net.name: tuple(map(torch.cat, zip(*page.batches(net, images)))) for net, images in opened}


def without(net, orders, masking="normalized"):
    """Whether each image is classified correctly without the first pixels of some orders, (N, F, O)."""
    x, target = batches[net.name]
    return right_without(net, x, target, orders, masking=masking)


random, top, frames = {}, {}, []
for net, images in opened:
    name = DATASETS[images.name]["title"].partition(",")[0] if len(opened) > 1 else net.name
    random[net.name] = without(net, random_orders(batches[net.name][0], page.setting("draws"))).mean(2)
    for label, S in maps_of(net, images).items():
        top[net.name, label] = ranks(S)[None]
        right = torch.stack([without(net, ranks(S)[None])[..., 0], random[net.name]], 2)  # (N, F, 2)
        values = {(label, m): remove_and_classify(right[:, [f]]) for f, m in enumerate(CURVE)}
        values[label, "remove_and_classify"] = remove_and_classify(right)
        frames.append(page.rows(net, images, values).assign(network=name))
frame = pd.concat(frames, ignore_index=True)

# %%
for number, (name, of) in enumerate(frame[frame["metric"].isin(CURVE)].groupby("network", sort=False), 1):
    wide = {
        report.method_title(label): mine.pivot(index="image", columns="metric", values="value")[CURVE].to_numpy()
        for label, mine in of.groupby("method", sort=False) if "_of_" not in label
    }  # fmt: skip
    ax = report.curves([100 * k for k in FRACTIONS], wide, xlabel="erased pixels (%)", ylabel="accuracy, relative to random pixels")
    ax.axhline(1, color="#3c3c46", linewidth=1)
    ends = "; ".join(f"{title} {of[:, 0].mean():.2f} and {of[:, -1].mean():.2f}" for title, of in wide.items())
    lowest = min(wide, key=lambda title: np.nanmean(wide[title]))
    report.show(
        ax.figure,
        name=f"calm-remove-and-classify-{number}",
        alt=f"Relative accuracy by the share of erased pixels, on {name}. With 10 % and with 90 % erased: {ends}.",
        caption=f"R, the number of images classified correctly without their most salient pixels, relative to that without as many random pixels, {name}, "
        f"with 95 % intervals. {lowest} has the lowest mean. With 10 % and with 90 % erased: {ends}.",
    )  # fmt: skip

# %%
shown = report.cross(report.measured(frame), ["network", "title"], "metric", decimals=2)
shown.rename(columns={m: f"{m.rpartition('_')[2]} %" for m in CURVE} | {"remove_and_classify": "mean"})

# %% [markdown]
r"""
The ratio at 90 % rests on the few images that are still classified correctly. The next table has CALM's $R$ less that of the other maps at each share, as
means of per-image differences. Below zero, CALM's is lower.
"""

# %%
def against(of, one, other):
    """The paired differences of two maps, by share."""
    return {
        f"{m.rpartition('_')[2]} %" if m in CURVE else "mean": f"{report.paired_difference(of, m, one, other):+.2f}".replace("-", "−")
        for m in [*CURVE, "remove_and_classify"]
    }


rows = {}
for name, of in frame.groupby("network", sort=False):
    labels = [*of["method"].unique()]
    for one in [label for label in ("calm_em", "calm_ml", "calm") if label in labels]:
        for other in [label for label in ("cam", "grad_cam_plus_plus", "gradient_shap") if label in labels]:
            rows[f"{report.method_title(one)}, less {report.method_title(other)}"] = against(of, one, other)
pd.DataFrame(rows).T if rows else None

# %% [markdown]
r"""
## What erasing does to the network

The curve of each network is divided by its accuracy with random pixels erased. Erased pixels can also be black instead of the mean colour. The table has
each network's accuracy on whole images and with random pixels erased, at each share, and $R$ as a mean over all shares, with either colour.
"""

# %%
rows = {}
for net, images in opened:
    x, target = batches[net.name]
    label, row = next(iter(methods_of(net))), {}
    with torch.no_grad():
        right = torch.cat([net(some) for some in x.split(page.batch_size)]).argmax(1) == target
    row["as it is (%)"] = f"{100 * right.double().mean():.0f}"
    for masking in MASKINGS:
        chance = random[net.name] if masking == "normalized" else without(net, random_orders(x), masking).mean(2)
        of = torch.stack([without(net, top[net.name, label], masking)[..., 0], chance], 2)
        row[f"random, {masking} (%)"] = ", ".join(f"{100 * one:.0f}" for one in chance.mean(0))
        row[f"R, {masking}"] = f"{remove_and_classify(of).mean():.2f}"
    rows[net.name, report.method_title(label)] = row
pd.DataFrame(rows).T.rename_axis(index=["network", "map"])

# %% [markdown]
"""
## Do the claims hold?

The measure and the comparison come from the main paper. The supplement, whose numbers this book has, prints no number for them.
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Section 5.3")

# %% [markdown]
r"""
```{admonition} Departures
:class: note
**Intervals.** $R$ is a ratio of two counts over the whole data set. Each image's value is that ratio plus the image's own contribution to it, so that the
mean is $R$ and the interval is that of the ratio.

**Random pixels** are drawn once for each image and kept for all methods; the authors draw anew for each method.

**Baselines.** The paper has gradients, integrated gradients and SmoothGrad. Here GradientSHAP, which integrates noisy gradients, stands in for them.
```
"""

# %%
page.departures()

# %%
page.provenance()
