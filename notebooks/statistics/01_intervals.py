# %% [markdown]
"""
# Which interval keeps its word?

Every mean in this book has a 95 % confidence interval. Such an interval promises to miss the true mean in at most
5 of 100 experiments. Many kinds of interval break this promise when images are few and their values are skewed, as
those of AD are: most images lose nothing when they are masked, and some lose nearly all probability.

This page measures how well each kind keeps the promise. It draws values from populations that resemble the values
in this book and whose mean is known, and counts how often each interval misses that mean.
"""

# %% tags=["parameters"]
profile: str = "smoke"  # smoke: few repetitions; embedded: what the book shows; paper: the same
repetitions: int = 0  # experiments of each kind; 0: the profile's choice

# %%
import matplotlib.pyplot as plt
import numpy as np

from book import Page, intervals, report

page = Page("statistics/01_intervals", globals())
found = intervals.coverage(page.setting("repetitions"))
worst = found.groupby("interval", sort=False)["missed"].max()
kept = [name for name, share in worst.items() if share <= intervals.ALLOWED]
print(f"{page.setting('repetitions'):,} experiments of each kind, with {', '.join(map(str, intervals.SIZES))} values")
print(f"intervals that never miss more than {intervals.ALLOWED:.0%}: {', '.join(kept) or 'none'}")

# %% [markdown]
r"""
## The interval here

With $m$ the mean of $n$ values, $s$ its standard error and $\mu$ the true mean, $T = (m - \mu) / s$ follows
Student's $t$ if the values are normal. If the values are skewed, one side of the interval by $T$ is too short. A cubic
transformation removes the effect of the skewness $g$ {cite:p}`hall`:

$$
W = T + a T^2 + \tfrac13 a^2 T^3 + \tfrac12 a, \qquad a = \frac{g}{3 \sqrt n} .
$$

Each of the two alone misses too often on some data: $T$ where one tail is long, $W$ where a few values cause the
skewness. The interval of this book contains every $\mu$ for which $T$ or $W$ lies between the quantiles of $t$ with
$n - 1$ degrees of freedom. There are two exceptions. Values that are all 0 or 1 are a proportion, and get an exact
interval {cite:p}`clopper`. Values that are all equal do not show how much values vary. They only bound the share of
values that differ, and the interval is as wide as such values, at the limits of the metric, could make it.

Crops of one photograph are not independent images: their sum counts as one value. Nothing is drawn at random, so that
the same values always give the same interval.
"""

# %%
print(f"The interval of 1 on 20 of 20 images: {100 * report.mean_ci([1.0] * 20).low:.0f} to 100 %")
print("Intervals that miss the true mean (%):")
missed = found.pivot_table("missed", ["population", "n"], "interval", sort=False)
missed.mul(100).round(1).rename_axis(columns=None)

# %%
print("Width of each interval relative to the one here, mean over populations:")
widths = found.pivot_table("width", "n", "interval", sort=False)
widths.round(2).rename_axis(columns=None, index="values")

# %%
names = list(intervals.POPULATIONS)
figure, panels = plt.subplots(len(intervals.SIZES), 1, sharex=True, sharey=True, figsize=(6.4, 8.4))
looks = dict(zip(intervals.INTERVALS, zip(report.MARKERS, report.COLOURS)))
for panel, n in zip(panels, intervals.SIZES):
    for k, (name, (marker, colour)) in enumerate(looks.items()):
        share = found.query("interval == @name and n == @n").set_index("population")["missed"][names]
        places = np.arange(len(names)) + (k - len(looks) / 2) * 0.1
        size = 9 if name == "here" else 5
        panel.plot(places, 100 * share, marker, color=colour, markersize=size, label=name)
    panel.axhline(5, color="0.4", linewidth=1)
    panel.axhline(100 * intervals.ALLOWED, color="0.4", linestyle=":")
    panel.set(title=f"{n} values", ylabel="missed (%)")
panels[-1].set_xticks(range(len(names)), [name.replace(", ", ",\n") for name in names], rotation=30, ha="right")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
report.show(
    figure,
    name="statistics-coverage",
    alt="How often each interval misses the true mean, by population and number of values. The largest share of each: "
    + ", ".join(f"{name} {share:.1%}" for name, share in worst.items()).replace("%", " %") + ".",
    caption=f"How often 95 % intervals miss the true mean. The solid line is the promise, 5 %; the dotted line is the "
    f"limit of this book, {intervals.ALLOWED:.0%}. The interval of this book misses in at most "
    f"{100 * worst['here']:.1f} % of the experiments, the percentile bootstrap in up to "
    f"{100 * worst['percentile bootstrap']:.1f} %.",
)

# %% [markdown]
"""
## How verdicts use the intervals

A claim that a method is better than all others holds if the interval of each difference lies on the claimed side of
zero. This needs no correction: the more rivals, the harder the claim is to meet. The claim fails if one difference
lies on the other side. With many rivals, one difference may do so by chance, so that Holm's correction is applied
first {cite:p}`holm`. [How to read a verdict](#verdicts) has the whole rule.

```{admonition} Departures
:class: note
**Independence.** The intervals treat the images as independent draws from a population. Twenty photographs that one
person chose are not a random sample of ImageNet, and no interval accounts for this.

**Populations.** The seven populations are a choice. They are meant to resemble the values in this book: drops that
are mostly zero, differences of drops, shares of images, and values with skewed or heavy tails.
```
"""

# %%
page.provenance()
