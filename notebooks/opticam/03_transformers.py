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
# Transformers

A vision transformer {cite:p}`vit` cuts its image into patches and lets a class token gather from them
by attention. Its attention looks like a map already, and three methods read it as one: *raw attention*,
*rollout* {cite:p}`rollout` and *TIBAV* {cite:p}`tibav`. Opti-CAM {cite:p}`opticam` needs no attention:
tokens are channels on a grid, to be weighed as those of a convolutional network are. The paper claims
(section 5.3.1, table 2) that it outperforms all others by far, near-zero AD and an AI of more than 80 %,
and (section 5.3.2, table 3) that TIBAV leads on insertion and deletion.

No package carries an ImageNet transformer. Two small ones, a ViT and a DeiT {cite:p}`deit` with a
distillation token, are therefore trained in the build on 4,000 real handwritten digits of MNIST
{cite:p}`mnist`, and explained on others. Digits are **a test bed**: small, grey, on a background that is black
already. What that does to the metrics is measured below.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: seconds; embedded: what the book shows; paper: the published setting
network: str = ""  # a timm ViT or DeiT, mnist_vit, mnist_deit; empty: the profile's networks
weights: str = ""  # path of a state dict; empty: the manifest's weights, or trained here
layer: str = ""  # target layer; empty: the first LayerNorm of the last block
dataset: str = ""  # mnist, imagenet, imagenet_embedded, folder; empty: the profile's
root: str = ""  # the dataset's folder; empty: where its manifest says
n_images: int = 0  # how many images; 0: the profile's choice
step: int = 0  # pixels a step of insertion and deletion; 0: one row of the image, as in the paper
batch_size: int = 8  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import report
from lib import data, nets
from book.experiments import fewer, settings
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from lib.metrics import METRICS
from book.parameters import check_parameters, choose
from lib.paths import BUILD
from lib.saliency import mask

check_parameters()
TRAINED = ["mnist_vit", "mnist_deit"]
networks = [network] if network else choose(
    profile,
    smoke=["mnist_vit_quick", "mnist_deit_quick"],
    embedded=TRAINED,
    paper=["vit_base_patch16_224", "deit_base_patch16_224"],
)
images = data.load(
    dataset or choose(profile, smoke="mnist", embedded="mnist", paper="imagenet"),
    root=root or None,
    limit=n_images or choose(profile, smoke=2, embedded=25, paper=None),
)
store = BUILD / "results"


def load(name):
    return nets.load(name, weights=weights or None, layer=layer or None, device=device)


opened = [load(name) for name in networks]
for net in opened:
    if net.name in nets.RECIPES and not weights:
        trained = nets.recipe(net.name).train()
        print(f"{net.name}: {100 * trained.accuracy:.1f} % of the test digits right")

# %% [markdown]
"""
## Maps from attention

Block $l$ mixes $N$ tokens by its heads' attention
$A^{(l)} = \mathrm{softmax}(Q K^\top / \sqrt d)$, an $N \times N$ matrix whose first row is what the class
token gathers. With $\mathbb{E}_h$ the mean over heads and $L$ the last block,

$$
\begin{aligned}
S_{\text{raw}} &= \mathbb{E}_h A^{(L)}, \\
S_{\text{rollout}} &= \hat A^{(L)} \cdots \hat A^{(1)},
  & \hat A^{(l)} &= \tfrac12 \big(\mathbb{E}_h A^{(l)} + I\big), \\
S^c_{\text{TIBAV}} &= \bar A^{(L)} \cdots \bar A^{(1)},
  & \bar A^{(l)} &= I + \mathbb{E}_h \big(\nabla^c A^{(l)} \odot R^{c,(l)}\big)^+ ,
\end{aligned}
$$

each at its first row, over the patches. The identity stands for the skip connection. $\nabla^c A$ is the
gradient of the logit of class $c$, and $R^c$ the relevance of each entry of $A$, propagated from that
logit through the whole network so that its sum is kept. Raw attention and rollout know no class.

## Table 2
"""

# %%
METHODS_OF_TABLE_2 = [
    m
    for m in (
        "fake_cam", "grad_cam", "grad_cam_plus_plus", "score_cam", "xgrad_cam", "layer_cam",
        "extremal_perturbation", "raw_attention", "rollout", "tibav", "hires_cam", "lime", "gradient_shap",
        "opti_cam",
    )
    if m not in choose(profile, smoke=["extremal_perturbation", "lime"], embedded=[], paper=[])
]  # fmt: skip
METRICS_OF_TABLE_2 = ["average_drop", "average_gain", "average_increase"]
OPTIONS = settings(profile)
chosen = {m: (m, OPTIONS.get(m, {})) for m in METHODS_OF_TABLE_2}


def run(metrics):
    """The metrics of every method on every network, as one frame."""
    frames = [
        evaluate(net, images.at(net.input_size), chosen, metrics, batch_size=batch_size, store=store)
        for net in opened
    ]
    return pd.concat(frames, ignore_index=True)


frame = run(METRICS_OF_TABLE_2)
for row in frame.dropna(subset="error").drop_duplicates("image").itertuples():
    print(f"left out: {row.image}: {row.error}")
table = report.comparison("opticam", 2, frame)
table

# %%
best = table.frame.query("method != 'fake_cam' and metric == 'average_gain' and n > 0").groupby("network", sort=False)
report.show(
    report.forest(table.frame),
    name="opticam-table-2",
    alt="AD, AG and AI of each method on transformers, here with 95 % intervals and as printed: "
    + "; ".join(
        f"on {name} the highest AG is {rows.loc[rows['mean'].idxmax(), 'title']}'s, {rows['mean'].max():.0f} %"
        for name, rows in best
    )
    + ".",
    caption=f"Table 2 as a picture: filled markers are {len(images)} images of {images.name} here with their "
    "95 % intervals, hollow markers what the paper prints for ImageNet.",
)

# %% [markdown]
"""
## Table 3: insertion and deletion

As defined [on the page before](02_insertion_deletion), one row of pixels a step, for the predicted class.
"""

# %%
pixels_a_step = {net.name: step or net.input_size for net in opened}
ranked = pd.concat(
    [
        evaluate(
            net,
            images.at(net.input_size),
            chosen,
            {m: (m, {"step": pixels_a_step[net.name]}) for m in ("insertion", "deletion")},
            batch_size=batch_size,
            store=store,
        )
        for net in opened
    ],
    ignore_index=True,
)
order = report.comparison("opticam", 3, ranked)
order

# %%
means = order.frame[order.frame["n"] > 0].query("method != 'fake_cam'")
words = []
for name, rows in means.groupby("network", sort=False):
    insertion, deletion = (rows[rows["metric"] == m].set_index("title")["mean"] for m in ("insertion", "deletion"))
    words.append(
        f"on {name} the highest insertion is {insertion.idxmax()}'s, {insertion.max():.0f} %, and the lowest "
        f"deletion {deletion.idxmin()}'s, {deletion.min():.0f} %"
    )
report.show(
    report.forest(order.frame),
    name="opticam-table-3-transformers",
    alt="Insertion and deletion of each method on transformers, here with 95 % intervals and as printed: "
    + "; ".join(words)
    + ".",
    caption=f"The transformers' columns of table 3 as a picture: filled markers are {len(images)} images of "
    f"{images.name} here with their 95 % intervals, hollow markers what the paper prints for ImageNet.",
)

# %% [markdown]
"""
## Do the claims hold?
"""

# %% tags=["nbval-check-output"]
claimed = [c for c in report.claims("opticam", "Table 2", "Table 3") if c.networks == "transformer"]
report.claims_table(claimed, pd.concat([frame, ranked], ignore_index=True))

# %% [markdown]
"""
## What the maps look like

Images evenly spread over the test set, each with its maps in one row.
"""

# %%
SHOWN = [m for m in ("grad_cam", "score_cam", "raw_attention", "rollout", "tibav", "opti_cam") if m in chosen]


def gallery(net):
    """A row of maps for each of a few images."""
    few = fewer(images.at(net.input_size), choose(profile, smoke=2, embedded=5, paper=5)).readable()
    maps = {
        m: saliency_maps(net, few, m, batch_size=batch_size, store=store, **OPTIONS.get(m, {})) for m in SHOWN
    }
    report.style()
    figure, axes = plt.subplots(len(few), 1 + len(SHOWN), figsize=(6.4, 0.3 + 0.98 * len(few)), squeeze=False)
    for panels, sample, *row in zip(axes, few, *maps.values()):
        panels[0].imshow(sample.image.permute(1, 2, 0), interpolation="lanczos")
        for panel, S in zip(panels[1:], row):
            panel.imshow(report.overlay(sample.image, S), interpolation="lanczos")
    for panel, title in zip(axes[0], ["Image", *(METHODS[m].title for m in SHOWN)]):
        panel.set_title(title.replace(" ", "\n"), fontsize=11)
    for panel in axes.flat:
        panel.axis("off")
    named = few.labels
    return figure, named


for net in opened:
    figure, named = gallery(net)
    report.show(
        figure,
        name=f"opticam-gallery-{net.name.replace('_', '-')}",
        alt="Maps of " + ", ".join(METHODS[m].title for m in SHOWN) + " for images of " + ", ".join(named) + ".",
        caption=f"Maps for the true class, {net.name}. Bright is salient.",
    )

# %% [markdown]
"""
## Which methods know the class?

A map that explains a class should change with it. Each method explains every fifth image twice, for
the most probable class and for the second; the table has the mean correlation of the two maps. At 1 the map
does not depend on the class.
"""

# %%
def explained(net, some, name, options):
    """The maps of a few images for their classes; stored, so that what the tables saw is not made again."""
    return saliency_maps(net, some, name, batch_size=batch_size, store=store, **options)


def correlation(S, T):
    """Pearson's, of two maps (H, W)."""
    return torch.corrcoef(torch.stack([S.flatten(), T.flatten()]))[0, 1].item()


fifth = range(0, len(images), choose(profile, smoke=1, embedded=5, paper=500))
known = {}
for net in opened:
    some = images.at(net.input_size).subset(fifth).readable()
    x = torch.stack([s.image for s in some]).to(net.device, net.dtype)
    with torch.no_grad():
        classes = net(x).topk(2).indices.T.tolist()
    for m, (_, options) in chosen.items():
        if m in ("fake_cam", "extremal_perturbation", "lime"):
            continue
        S, T = (explained(net, some.relabelled(c), m, options) for c in classes)
        known[METHODS[m].title, net.name] = pd.Series(map(correlation, S, T)).mean()
pd.Series(known).unstack()[[net.name for net in opened]].loc[
    [METHODS[m].title for m in chosen if (METHODS[m].title, opened[0].name) in known]
].round(2)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images and networks.** The paper has ViT-B and DeiT-B explain ImageNet. The embedded profile has 25 digits,
and transformers of three blocks, width 64 and 49 patches of 4 x 4 pixels. The profile `paper` restores the
published setting.

**DeiT.** The paper's DeiT-B has a class token only; the one here has a distillation token, which learns the
labels too, for want of a teacher, and its logit is the mean of two heads. Maps are the class token's;
option `row="both"` averages them with the distillation token's.

**Perturbation.** ExtremalPerturbation, LIME and GradientSHAP run as briefly as on
[the first page](01_classification_metrics).

**TIBAV.** Relevance by propagation through every layer, as in the paper; `relevance="attention"` puts A in
its place, as its authors do later. The product of blocks runs from the last to the first, as their code
has it.

**Black background.** Most of a digit's image is black, and to mask black with black changes nothing: a
map may cover the background or not, and AD, AG and AI cannot tell. Fake-CAM, which masks one corner, masks
nothing here, so that its AI is zero instead of the paper's half. So does the silhouette, a map of ones where
there is any ink. `masking="normalized"` instead turns masked pixels to the mean grey, and a map is seen to
cut through the background. The table below has both, for every fifth image; Opti-CAM optimises for the
masking that is measured.

**Layer.** The first LayerNorm of the last block, as in the paper; its activations have both signs.

**Time.** T is the time for 8 images on this machine, for the map alone.
```
"""

# %%
MASKED = ["fake_cam", "grad_cam", "tibav", "opti_cam"]


def masked(net):
    """AD, AG, AI on every fifth image, by masking, of some methods and of the silhouette."""
    some = images.at(net.input_size).subset(fifth).readable()
    x = torch.stack([s.image for s in some]).to(net.device, net.dtype)
    c = torch.tensor([s.target for s in some]) if None not in some.targets else net(x).argmax(1).cpu()
    c = c.to(net.device)
    rows = {}
    for masking in ("pixels", "normalized"):
        S = {
            METHODS[m].title: explained(net, some, m, chosen[m][1] | ({"masking": masking} if m == "opti_cam" else {})).to(x)
            for m in MASKED
        }
        S["Silhouette"] = (x.amax(1) > 0).to(x)
        for title, maps in S.items():
            rows[title, masking] = {
                METRICS[k].symbol: 100 * METRICS[k].fn(net, x, c, maps, masking=masking).mean().item()
                for k in METRICS_OF_TABLE_2
            }
    unchanged = (mask(net, x, S["Opti-CAM"]) == x).all(1).float().mean().item()
    black = (x.amax(1) == 0).float().mean().item()
    print(f"{net.name}: {100 * black:.0f} % of the pixels are black; masking by Opti-CAM's map leaves "
          f"{100 * unchanged:.0f} % of all pixels as they were")
    return pd.DataFrame(rows).T.sort_index(level=0, sort_remaining=False)


effect = pd.concat({net.name: masked(net) for net in opened}, axis=1).round(1)
effect.rename_axis(columns=("mean (%)", None))

# %% [markdown]
"""
What the options of the attention maps change, on the same images: AD, AG and AI under `masking="pixels"`.
"""

# %%
net = opened[-1]
VARIANTS = {
    "TIBAV": ("tibav", {}),
    "TIBAV, relevance = A": ("tibav", {"relevance": "attention"}),
    "Rollout": ("rollout", {}),
}
if getattr(net.model, "dist_token", None) is not None:
    VARIANTS |= {
        "TIBAV, both tokens": ("tibav", {"row": "both"}),
        "Rollout, both tokens": ("rollout", {"row": "both"}),
    }
variants = evaluate(
    net, images.at(net.input_size).subset(fifth), VARIANTS, METRICS_OF_TABLE_2, batch_size=batch_size, store=store
)
variants = variants.groupby(["method", "metric"], sort=False)["value"].mean().mul(100).unstack()[METRICS_OF_TABLE_2]
variants.rename_axis(index=None, columns=f"{net.name} (%)").rename(columns=lambda m: METRICS[m].symbol).round(1)

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, step=step, batch_size=batch_size, device=device,
)  # fmt: skip
