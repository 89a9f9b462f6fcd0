# %% [markdown]
r"""
# Mean and max contrast

With which other classes should an explanation compare a class? The weighted contrast {cite:p}`contrast` takes all of
them, each weighted by its probability. Two simpler choices are all others with equal weights (*mean*), or only the
strongest (*max*). A section of the paper's main text compares the three. The main text is not at hand, so this page tests
only what follows from the propositions. For a class $t$, with $s^* = \arg\max_{s \ne t} y_s$, the back-propagated score is

$$
\begin{aligned}
\text{original} &: & & y_t, \\
\text{mean} &: & & y_t - \tfrac{1}{C - 1} \sum_{s \ne t} y_s, \\
\text{max} &: & & y_t - y_{s^*}, \\
\text{weighted} &: & & y_t - \sum_{s \ne t} \alpha_s y_s, \qquad
  \alpha_s = \frac{e^{y_s}}{\sum_{s' \ne t} e^{y_{s'}}} = \frac{p_s}{1 - p_t},
\end{aligned}
$$

with constant $\alpha$. The mean explanation over many classes is nearly constant: it marks what speaks for any class at
all. So the mean contrast should look like the original. Of the two most probable classes, each is the other's $s^*$:

$$
y_{t_1} - y_{t_2} = -\,(y_{t_2} - y_{t_1}).
$$

The gradient, Grad-CAM and the linear approximation are linear in the score. So on every image the max contrasts of the two
classes are each other's negative, and the map of $t_2$ adds nothing to the map of $t_1$. The weighted contrast is the max
contrast where $\alpha_{s^*}$ is one, that is, where only two classes are probable. It differs where a third class is
probable.
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
third: float = 0.05  # from this probability on a third class counts as probable
batch_size: int = 16  # images per pass; changes no number
device: str = "cpu"  # cpu, cuda, cuda:1, mps

# %%
from itertools import cycle, product

import matplotlib.pyplot as plt
import pandas as pd
import torch

from book import Page, report
from book.contested import contested, contrasted, distinct, label
from lib.methods import METHODS
from lib.metrics.relative_probability import hides
from lib.metrics.replacement import replaced
from lib.metrics.similarity import correlation
from lib.selectors import CONTRASTS

page = Page("contrast/05_mean_max_contrast", globals())
TITLES = {"none": "Original", "mean": "Mean", "max": "Max", "weighted": "Weighted"}
page.protocol()

# %% [markdown]
"""
## Which images

As in the paper's other experiments, the page takes the images whose second most probable class has a probability above
the threshold. Where the head is pooling and one linear layer, Grad-CAM and the linear approximation give the same map,
which is computed once.
"""

# %%
found = contested(page, threshold=threshold)
p3 = {one: one.third for one in found}
for one in found:
    print(f"{one.net.name}: a third class is probable on {(p3[one] > third).sum()} of them")
methods = {one: distinct(one.net) for one in found}
maps = {one: one.maps(contrasted(*methods[one], contrasts=CONTRASTS)) for one in found}

# %% [markdown]
"""
## The four maps side by side

For each network, the figure shows the image whose third class has the highest probability. The two max contrasts are the
same picture with the colours exchanged.
"""

# %%
for n, one in enumerate(found):
    i, method = int(p3[one].argmax()), methods[one][0]
    shown = {key: maps[one][key][[i]] for key in product(contrasted(method, contrasts=CONTRASTS), one.both)}
    report.show(
        one.figure([i], shown, TITLES.values()),
        name=f"contrast-four-{n + 1}",
        alt=f"Original, mean, max and weighted contrast of {METHODS[method].title} for {one.spoken([i])}. The "
        "max contrasts of the two classes are each other's negative.",
        caption=f"Four contrasts of {METHODS[method].title}, {one.net.name}. The third class has a probability of "
        f"{p3[one][i]:.0%}.".replace("%", " %"),
    )

# %% [markdown]
"""
## How alike the maps are

The table has Pearson's correlation of signed maps, as a mean over images: between each contrast and the original map of the
same class (mean of both classes), and between the maps of the two classes.
"""

# %%
def alike(one):
    """How alike the maps of a network are: to the original, of the two classes, and to the max contrast."""
    M, values = maps[one], {}
    for method, c in product(methods[one], CONTRASTS):
        name = label(method, c)
        to_original = sum(correlation(M[name, t], M[method, t]) for t in one.both) / 2
        values[name, "correlation_to_original"] = to_original
        values[name, "correlation"] = correlation(M[name, "t1"], M[name, "t2"])
    for method, t in product(methods[one], one.both):
        to_max = correlation(M[f"{method}_weighted", t], M[f"{method}_max", t])
        values[f"{method}_weighted_{t}", "correlation_to_max"] = to_max
    for name in (label(method, "max") for method in methods[one]):
        values[name, "relative_error"] = (M[name, "t1"] + M[name, "t2"]).abs().amax((1, 2))
    return page.rows(one.net, one.data, values)


frame = pd.concat([alike(one) for one in found], ignore_index=True)
COLUMNS = {"correlation_to_original": "with the original", "correlation": "of the two classes"}
means = report.measured(frame).assign(column=lambda rows: rows["metric"].map(COLUMNS))
report.cross(means.dropna(subset="column"), ["network", "title"], "column", decimals=2)

# %% [markdown]
r"""
## Where the weighted contrast is not the max contrast

The weighted contrast gives the strongest other class the weight $\alpha_{s^*}$; the max contrast gives it the weight one.
The figure has two points per image, one for each of its two classes.
"""

# %%
figure, ax = plt.subplots(figsize=(6.4, 4.6))
for one, marker in zip(found, cycle("osD^")):
    p = one.p.gather(1, one.top)  # (N, 2)
    weight = p.flip(1) / (1 - p)  # of the rival among the others
    M, method = maps[one], methods[one][0]
    to_max = torch.cat([correlation(M[f"{method}_weighted", t], M[f"{method}_max", t]) for t in one.both])
    ax.plot(weight.T.flatten(), to_max, marker, markersize=6, alpha=0.7, markeredgewidth=0, label=one.net.name)
ax.set(xlabel=r"weight of the strongest other class, $\alpha_{s^*}$", ylabel="correlation with the max contrast")
ax.grid()
ax.legend(loc="lower right")
lowest = frame[frame["metric"] == "correlation_to_max"]["value"].min()
report.show(
    figure,
    name="contrast-weighted-max",
    alt="Correlation of the weighted with the max contrast against the weight of the strongest other class: it rises to one "
    f"as the weight does; the lowest is {lowest:.2f}.".replace("-", "−"),
    caption="Correlation between the weighted and the max contrast of the linear approximation. Where one other class has all "
    "the weight, the two contrasts are the same map.",
)

# %% [markdown]
"""
The table has the mean correlations over the images with and without a probable third class:
"""

# %%
rows = {}
for one in found:
    weighted = f"{methods[one][0]}_weighted"
    for title, chosen in (("with a third class", p3[one] > third), ("without", p3[one] <= third)):
        ids = one.data.subset(chosen.nonzero().flatten().tolist()).ids
        if ids:
            part = frame[(frame["network"] == one.net.name) & frame["image"].isin(ids)]
            some = report.cross(report.measured(part), "method", "metric", decimals=2)
            rows[one.net.name, title] = {
                "images": len(ids),
                "weighted with max, t1": some.loc[f"{weighted}_t1", "correlation_to_max"],
                "weighted with max, t2": some.loc[f"{weighted}_t2", "correlation_to_max"],
                "weighted, of the two classes": some.loc[weighted, "correlation"],
            }
pd.DataFrame(rows).T

# %% [markdown]
r"""
## What is left of the class

This is the paper's blurring experiment: only the pixels with positive values are kept, and the rest is blurred. The table
has two probabilities of the class. *Relative* is against its strongest rival, $e^{y_t} / (e^{y_t} + e^{y_s})$, which is what
the max contrast explains. *Among all* is $p_t$ among all classes, which the weighted contrast explains.
"""

# %%
def left(one):
    """The probability of the class against its rival, and among all, with all but the positive pixels blurred."""
    x, values = torch.stack([sample.image for sample in one.samples]), {}
    for (name, t), S in maps[one].items():
        p = one.probabilities(replaced(x, hides(S, "positive"), "blur"))
        both = p.gather(1, one.top)  # (N, 2)
        own = both[:, [*one.both].index(t)]
        values[f"{name}_{t}", "probability"] = own
        values[f"{name}_{t}", "positive_blur"] = own / both.sum(1)
    return page.rows(one.net, one.data, values)


measured = pd.concat(map(left, found), ignore_index=True)
means = report.measured(measured)
means[["label", "t"]] = means["method"].str.rsplit("_", n=1, expand=True)
means["title"] = means["label"].map(report.method_title)
means["metric"] = means["metric"].map({"positive_blur": "relative", "probability": "among all"})
report.cross(means, ["network", "title"], ["metric", "t"], decimals=2)

# %% [markdown]
"""
## Does what follows from the propositions hold?

By proposition 3 the max contrast of $t_1$ is the map of $t_1$ minus that of $t_2$. So it is the negative of the max
contrast of $t_2$.
"""

# %% tags=["nbval-check-output"]
page.verdicts(frame, "Proposition 3 for two classes")

# %% [markdown]
"""
```{admonition} Departures
:class: note
**Correlations** get no verdict, since the paper's own comparison is not at hand. Maps that differ by an added constant
correlate fully, though their zeros lie elsewhere. What the last table keeps of the image depends on where the zeros lie.

**Constant weights.** The weights of all contrasts are constants in the gradient, as in the paper. For the max contrast the
choice of the strongest class is constant.

**Blur.** The kernel has 101 pixels and sigma is 15. The paper draws sigma from 10 to 20 anew each time.
```
"""

# %%
page.departures()

# %%
page.provenance()
