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
r"""
# Mean and max contrast

Which other classes should a class be compared with? The weighted contrast {cite:p}`contrast` takes them all, each
by its probability. Two simpler answers are nearer at hand: all of them alike (*mean*), or the strongest alone
(*max*). The main text compares the three with the original map. With $t$ the class and
$s^* = \arg\max_{s \ne t} y_s$, what is back-propagated is

$$
\begin{aligned}
\text{original} &: & & y_t, \\
\text{mean} &: & & y_t - \tfrac{1}{C - 1} \sum_{s \ne t} y_s, \\
\text{max} &: & & y_t - y_{s^*}, \\
\text{weighted} &: & & y_t - \sum_{s \ne t} \alpha_s y_s, \qquad
  \alpha_s = \frac{e^{y_s}}{\sum_{s' \ne t} e^{y_{s'}}} = \frac{p_s}{1 - p_t},
\end{aligned}
$$

with constant $\alpha$. The mean over many classes is nearly a constant map of what speaks for anything at all, so the mean
contrast should look like the original. Of the two most probable classes each is the other's $s^*$:

$$
y_{t_1} - y_{t_2} = -\,(y_{t_2} - y_{t_1}),
$$

and since the gradient, Grad-CAM and the linear approximation are linear in the score, their max contrasts are each
other's negative, whatever the image: the map of $t_2$ says nothing that the map of $t_1$ does not. The weighted contrast
becomes the max contrast where $\alpha_{s^*}$ is one, that is where only two classes are probable; a third one tells
them apart.
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
third: float = 0.05  # from this probability on a third class counts as probable
batch_size: int = 16  # images a pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import report
from book.experiments import contested, pairs
from lib.evaluate import evaluate, saliency_maps
from lib.methods import METHODS
from lib.metrics.relative_probability import hides
from lib.metrics.replacement import replaced
from book.parameters import check_parameters
from lib.paths import BUILD
from lib.selectors import CONTRASTS
from lib.metrics.similarity import correlation

check_parameters()
cases = pairs(profile, network=network, layer=layer, dataset=dataset, n_images=n_images)
METHODS_HERE = ("grad_cam", "linear_approximation")
TITLES = {"none": "Original", "mean": "Mean", "max": "Max", "weighted": "Weighted"}
store = BUILD / "results"


def label(method, contrast):
    return method if contrast == "none" else f"{method}_{contrast}"


# %% [markdown]
"""
## Which images

Those whose second class is more probable than the threshold, as in the paper's other experiments.
"""

# %%
class Hesitant:
    """A network, and the images whose second class it finds probable, with its probabilities."""

    def __init__(self, case):
        self.net, self.all = case.open(weights=weights, root=root, device=device)
        found = contested(self.net, self.all, threshold=threshold, batch_size=batch_size)
        self.top = {"t1": found.first, "t2": found.second}
        self.data = {t: found.data.relabelled(classes) for t, classes in self.top.items()}
        self.samples = list(found.data)
        self.p = self.probabilities(self.images()) if self.samples else torch.empty(0, self.net.num_classes)
        self.p3 = self.p.topk(3).values[:, 2]

    def images(self):
        return torch.stack([sample.image for sample in self.samples])

    def probabilities(self, x):
        with torch.no_grad():
            return torch.cat([self.net(part.to(self.net.device)).softmax(1).cpu() for part in x.split(batch_size)])

    def maps(self, method, contrast, t):
        """Signed maps (N, H, W) for the class t1 or t2 of each image."""
        return saliency_maps(
            self.net, self.data[t], method, signed=True, contrast=contrast, batch_size=batch_size, store=store
        )

    def rows(self, method, metric, values):
        """Values (N,) as rows of an evaluation frame."""
        return pd.DataFrame({
            "network": self.net.name, "dataset": self.all.name, "image": [s.id for s in self.samples],
            "group": [s.group for s in self.samples], "method": method, "metric": metric,
            "value": [float(v) for v in values], "seconds": float("nan"),
        })  # fmt: skip

    def title(self, i, t):
        c = self.top[t][i]
        name = self.all.classes[c] if self.all.classes else f"class {c}"
        tick = " ✓" if c == self.samples[i].target else ""
        return f"$t_{t[1]}$: {name}, {self.p[i, c]:.0%}{tick}".replace("%", " %")


opened = [Hesitant(case) for case in cases]
for one in opened:
    print(
        f"{one.net.name}: {len(one.samples)} of {len(one.all)} images of {one.all.name}; on "
        f"{(one.p3 > third).sum()} a third class is probable"
    )
opened = [one for one in opened if one.samples]
maps = {
    (one.net.name, method, contrast, t): one.maps(method, contrast, t)
    for one in opened for method in METHODS_HERE for contrast in CONTRASTS for t in one.top
}  # fmt: skip

# %% [markdown]
"""
## The four maps side by side

Of each network the image whose third class is the most probable. The original and the mean contrast mark the same,
and for both classes; the two max contrasts are one picture with its colours exchanged.
"""

# %%
for n, one in enumerate(opened):
    method = METHODS_HERE[-1]
    i = int(one.p3.argmax())
    sample = one.samples[i]
    rows = [
        [report.in_colour(sample.image) if t == "t1" else None]
        + [report.overlay(sample.image, maps[one.net.name, method, c, t][i], signed=True) for c in CONTRASTS]
        for t in one.top
    ]
    titles = [one.title(i, t) for t in one.top]
    said = "; ".join(titles).replace("$", "").replace("_", "").replace("✓", "(true)")
    report.show(
        report.grid(rows, ["Image", *(TITLES[contrast] for contrast in CONTRASTS)], titles, signed=True),
        name=f"contrast-four-{n + 1}",
        alt=f"Original, mean, max and weighted contrast of the linear approximation for {said}. The max contrasts of "
        "the two classes are each other's negative.",
        caption=f"{METHODS[method].title}, {one.net.name}; the third class has "
        f"{one.p3[i]:.0%} of the probability.".replace("%", " %"),
    )

# %% [markdown]
"""
## How alike the maps are

Pearson's correlation of the signed maps of each image: of each contrast with the original map of the same class (mean
of both classes), and of the maps of the two classes with each other. Where the head is pooling and one linear layer,
Grad-CAM and the linear approximation are one map but for a factor.
"""

# %%
frames = []
for one in opened:
    for method in METHODS_HERE:
        of = {(c, t): maps[one.net.name, method, c, t] for c in CONTRASTS for t in one.top}
        for contrast in CONTRASTS:
            same = sum(correlation(of[contrast, t], of["none", t]) for t in one.top) / 2
            frames.append(one.rows(label(method, contrast), "correlation_to_original", same))
            between = correlation(of[contrast, "t1"], of[contrast, "t2"])
            frames.append(one.rows(label(method, contrast), "correlation", between))
        for t in one.top:
            to_max = correlation(of["weighted", t], of["max", t])
            frames.append(one.rows(f"{method}_weighted_{t}", "correlation_to_max", to_max))
    frames.append(one.rows("third", "probability", one.p3))
frame = pd.concat(frames, ignore_index=True)


def interval(part, metric, method, digits=2):
    """Mean [95 % interval] of a method."""
    values = report.by_image(part[part["metric"] == metric])[metric, method]
    mean = report.mean_ci(values, values.index.get_level_values("group"))
    bounds = f" [{mean.low:.{digits}f}, {mean.high:.{digits}f}]" if mean.n > 1 else ""
    return f"{mean.mean:.{digits}f}{bounds}".replace("-", "−")


pd.DataFrame({
    (name, METHODS[method].title, TITLES[contrast]): {
        "with the original": interval(part, "correlation_to_original", label(method, contrast)),
        "of the two classes": interval(part, "correlation", label(method, contrast)),
    }
    for name, part in frame.groupby("network", sort=False) for method in METHODS_HERE for contrast in CONTRASTS
}).T  # fmt: skip

# %% [markdown]
r"""
## Where the weighted contrast is not the max contrast

The weighted contrast gives the strongest other class the weight $\alpha_{s^*}$, the max contrast gives it one. Each
image is two points, one for each of its classes.
"""

# %%
report.style()
figure, ax = plt.subplots(figsize=(6.4, 4.6))
for one, marker in zip(opened, "osD^"):
    weight, alike = [], []
    for t, other in (("t1", "t2"), ("t2", "t1")):
        index = torch.arange(len(one.samples))
        own, rival = (one.p[index, torch.tensor(one.top[k])] for k in (t, other))
        weight += (rival / (1 - own)).tolist()
        alike += correlation(*(maps[one.net.name, METHODS_HERE[-1], c, t] for c in ("weighted", "max"))).tolist()
    ax.plot(weight, alike, marker, markersize=6, alpha=0.7, markeredgewidth=0, label=one.net.name)
ax.set(xlabel=r"weight of the strongest other class, $\alpha_{s^*}$", ylabel="correlation with the max contrast")
ax.grid()
ax.legend(loc="lower right")
lowest = frame[frame["metric"] == "correlation_to_max"]["value"].min()
report.show(
    figure,
    name="contrast-weighted-max",
    alt="Correlation of the weighted with the max contrast against the weight of the strongest other class: it rises to "
    f"one as the weight does; the lowest is {lowest:.2f}.".replace("-", "−"),
    caption=f"{METHODS[METHODS_HERE[-1]].title}: where one other class has all the weight, the two contrasts are one map.",
)

# %% [markdown]
"""
Over the images with and without a probable third class:
"""

# %%
rows = {}
for one in opened:
    for title, chosen in (("with a third class", one.p3 > third), ("without", one.p3 <= third)):
        ids = [s.id for s, take in zip(one.samples, chosen.tolist()) if take]
        part = frame[(frame["network"] == one.net.name) & frame["image"].isin(ids)]
        if ids:
            rows[one.net.name, title] = {"images": len(ids)} | {
                f"weighted with max, {t}": interval(part, "correlation_to_max", f"{METHODS_HERE[-1]}_weighted_{t}")
                for t in ("t1", "t2")
            } | {"weighted, of the two classes": interval(part, "correlation", f"{METHODS_HERE[-1]}_weighted")}
pd.DataFrame(rows).T

# %% [markdown]
r"""
## What is left of the class

The paper's blurring experiment: only what is positive is kept, the rest is blurred. First the probability of the class
against its strongest rival, $e^{y_t} / (e^{y_t} + e^{y_s})$, which is what the max contrast explains; then $p_t$ among
all classes, which the weighted contrast explains.
"""

# %%
measured = []
for one in opened:
    for t, images in one.data.items():
        variants = {
            f"{label(m, c)}_{t}": (m, {"contrast": c}) for m in METHODS_HERE for c in CONTRASTS
        }
        kept = {"positive_blur": ("relative_probability", {"keep": "positive"})}
        measured.append(evaluate(one.net, images, variants, kept, batch_size=batch_size, store=store))
        x, classes = one.images(), torch.tensor(one.top[t])[:, None]
        for variant, (method, options) in variants.items():
            S = maps[one.net.name, method, options["contrast"], t]
            p = [
                one.probabilities(replaced(part, hides(s, "positive"), "blur"))
                for part, s in zip(x.split(batch_size), S.split(batch_size))
            ]
            measured.append(one.rows(variant, "probability", torch.cat(p).gather(1, classes)[:, 0]))
measured = pd.concat(measured, ignore_index=True)

rows = {}
for name, part in measured.groupby("network", sort=False):
    for method in METHODS_HERE:
        for contrast in CONTRASTS:
            rows[name, METHODS[method].title, TITLES[contrast]] = {
                f"{title} {t}": interval(part, metric, f"{label(method, contrast)}_{t}")
                for title, metric in (("relative,", "positive_blur"), ("among all,", "probability")) for t in ("t1", "t2")
            }
pd.DataFrame(rows).T

# %% [markdown]
"""
## Do the claims hold?

Paired, image by image.
"""

# %% tags=["nbval-check-output"]
report.claims_table(
    report.claims("contrast", "Comparison with mean and max contrast (main text)"),
    pd.concat([frame, measured], ignore_index=True),
)

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Images and networks.** As on the page of [visualisations](02_visualizations): crops of photographs and drawn birds, with
small networks. The mean contrast subtracts the mean of 999 classes on photographs, and of 23 on birds, three of which
are siblings.

**Alike.** The paper shows that original and mean contrast look alike; here it is a correlation above 0.9 of the signed
maps, and the threshold is ours. Maps that differ by an added constant correlate fully, though zero lies elsewhere in
them: what is kept in the last table depends on it.

**A constant of the class.** The weights of all contrasts are constants in the gradient, as in the paper; for the max
contrast that is the choice of the strongest class.

**Blur.** Kernel 101 and sigma 15, where the paper draws sigma from 10 to 20 anew each time.
```
"""

# %%
report.provenance(
    profile=profile, network=network, weights=weights, layer=layer, dataset=dataset, root=root,
    n_images=n_images, threshold=threshold, third=third, batch_size=batch_size, device=device,
)  # fmt: skip
