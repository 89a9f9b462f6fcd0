"""Curves with bands, and means with intervals over the paper's values."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from lib.statistics import mean_ci

from .labels import metric_label
from .style import COLOURS, LINES, MARKERS, WIDTH, array, style

_LEGEND = 54  # letters that fit into two legends side by side


def curves(
    x: ArrayLike,
    series: Mapping[str, ArrayLike],
    *,
    xlabel: str,
    ylabel: str,
    emphasis: str | None = None,
    groups: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean curves over images, with the bands of their 95 % intervals.

    Args:
        x: (T,).
        series: by title, (n, T) values, one row per image.
        emphasis: the title of one series that is drawn thicker; then it alone has a band.
        groups: (n,) labels for the intervals, see `mean_ci`.
        ax: where to draw; by default in a new figure.

    Example:
        >>> ax = curves(x, {"Opti-CAM": p}, xlabel="Fraction inserted", ylabel="Probability")
        >>> show(ax.figure, alt="...")
    """
    if ax is None:
        style()
        ax = plt.subplots(figsize=(WIDTH, 4.4))[1]
    looks = dict(zip(sorted(series, key=lambda title: title != emphasis), cycle(LINES)))
    for title, values in series.items():
        strong, look = title == emphasis, looks[title]
        mean = mean_ci(array(values), groups)
        width = 3.2 if strong else 1.6
        ax.plot(x, mean.mean, label=title, linewidth=width, zorder=3 + strong, **look)
        if strong or emphasis is None:
            ax.fill_between(x, mean.low, mean.high, color=look["color"], alpha=0.18, linewidth=0)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.grid(axis="y")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, columnspacing=1.2)
    return ax


def forest(
    comparison: pd.DataFrame,
    *,
    leave_out: Sequence[str] = ("seconds",),
    line: float | None = None,
) -> Figure:
    """Our means with their intervals over the paper's values: one panel per metric, one row per method.

    Args:
        comparison: the frame of a `comparison` table.
        leave_out: metrics that get no panel.
        line: a value that is marked in all panels, such as zero for differences.

    Example:
        >>> show(forest(comparison("opticam", 1, frame).frame), alt="...")
    """
    shown = comparison[~comparison["metric"].isin(leave_out)]
    known = (shown["n"] > 0) | shown["paper"].map(bool)
    shown = shown[shown["method"].isin(shown.loc[known, "method"])]
    metrics = list(shown["metric"].unique())
    titles = dict(zip(shown["method"], shown["title"]))
    rows = {method: i for i, method in enumerate(titles)}
    style()
    size = (WIDTH, 1.5 + 0.42 * len(rows))
    figure, axes = plt.subplots(1, len(metrics), sharey=True, squeeze=False, figsize=size)
    for ax, metric in zip(axes[0], metrics):
        cells = shown[shown["metric"] == metric]
        theirs, ours = _draw_paper(ax, cells, rows), _draw_ours(ax, cells, rows)
        ax.set_title(metric_label(metric).heading)
        ax.margins(x=0.08)
        if len(metrics) > 2:  # else the last number of a panel touches the first of the next
            ax.xaxis.set_major_locator(MaxNLocator(3 if len(metrics) < 4 else 2))
        if line is not None:
            ax.axvline(line, color="#3c3c46", linewidth=1, zorder=1)
        ax.grid(axis="y")
        ax.tick_params(axis="y", length=0)
    axes[0, 0].set_yticks(range(len(rows)), titles.values())
    axes[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    _legends(figure, {f"{name}, paper": handle for name, handle in theirs.items()}, ours)
    return figure


def _legends(figure: Figure, theirs: dict, ours: dict) -> None:
    """The paper's networks on the left and ours on the right; in one column where they are too long."""
    widest = sum(max(map(len, names), default=0) for names in (theirs, ours))
    if widest > _LEGEND:
        both = theirs | ours
        figure.legend(both.values(), both.keys(), loc="outside lower left")
        return
    for handles, side in ((theirs, "left"), (ours, "right")):
        if handles:
            figure.legend(handles.values(), handles.keys(), loc=f"outside lower {side}")


def _draw_paper(ax: Axes, cells: pd.DataFrame, rows: dict[str, int]) -> dict:
    """A hollow marker for each of the paper's networks."""
    handles = {}
    networks = dict.fromkeys(name for paper in cells["paper"] for name in paper)
    for marker, name in zip(cycle(MARKERS), networks):
        printed = cells[[name in paper for paper in cells["paper"]]]
        values = [float(paper[name]) for paper in printed["paper"]]
        look = {"mfc": "white", "mec": "#6d6d78", "ms": 7, "mew": 1.3}
        (handles[name],) = ax.plot(values, printed["method"].map(rows), marker, **look)
    return handles


def _draw_ours(ax: Axes, cells: pd.DataFrame, rows: dict[str, int]) -> dict:
    """A filled marker with its interval for each of our networks, one above the other."""
    handles = {}
    networks = [name for name in cells["network"].unique() if name]
    offsets = np.linspace(-0.22, 0.22, len(networks)) if len(networks) > 1 else [0.0]
    for name, offset, marker, colour in zip(networks, offsets, cycle(MARKERS), cycle(COLOURS)):
        run = cells[(cells["network"] == name) & (cells["n"] > 0)]
        y = run["method"].map(rows) + offset
        reach = [run["mean"] - run["low"], run["high"] - run["mean"]]  # (2, methods)
        reach = np.nan_to_num(reach).clip(0)  # no interval; or a bound rounded past the mean
        look = {"fmt": marker, "color": colour, "ms": 5, "lw": 1.8}
        handles[name] = ax.errorbar(run["mean"], y, xerr=reach, **look)
    return handles
