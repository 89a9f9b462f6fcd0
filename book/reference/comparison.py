"""The comparison of all methods on the same images: every pair, every metric, with intervals."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import combinations
from math import isnan, nan
from typing import Any, NamedTuple

import pandas as pd

from lib.statistics import Interval, by_image, column, holm, mean_of

from ..report.evidence import Evidence, lead
from ..report.labels import bounds, meaningful, method_title, metric_label, number
from ..report.published import rests_on
from ..report.verdicts import LEVEL, MIN_IMAGES, MIN_REPETITIONS

COMPARED_MIME = "application/vnd.cams.compared"  # JSON as text: a notebook would write each number of a list on its own line
DIGITS = 4  # of a number in the file

Found = list[float | int | None] | None


class Cost(NamedTuple):
    """The cost of a map per image: seconds with their interval, and work in forward passes."""

    seconds: Interval | None
    passes: float


@dataclass(frozen=True)
class Comparison:
    """The comparison of all methods, as a notebook shows it: a table of all methods against one.

    Attributes:
        data: the data that a page offers as a file; see `compared`.
        baseline: the method that the tables compare with.
    """

    data: dict[str, Any]
    baseline: str

    def __repr__(self) -> str:
        return "\n".join(
            f"{net['network']}: {len(net['methods'])} methods, {len(net['leads'])} pairs"
            for net in self.data["networks"]
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        data = self.data | {"baseline": self.baseline}
        return {
            "text/html": against_one(data),
            "text/plain": repr(self),
            COMPARED_MIME: as_text(data),
        }


def as_text(data: Mapping[str, Any]) -> str:
    """The data as JSON in one line."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def compared(
    frame: pd.DataFrame,
    groups: Mapping[str, Sequence[str]],
    costs: Mapping[str, Mapping[str, Cost]] = {},
    metric_passes: Mapping[str, float] = {},
) -> dict[str, Any]:
    """The means of all methods and the per-image differences of all pairs, as data.

    The sign of a difference is such that a positive one favours the first method. Its p value is
    corrected by Holm over the metrics of the pair. All values are in the units of the book's tables.
    Everything with an order is a list, since a notebook sorts keys.

    Args:
        frame: the frame of `evaluate`, for several networks.
        groups: metrics by the title of their group, in the order of the page.
        costs: by network and method.
        metric_passes: the cost of each metric for one map, in forward passes.

    Example:
        >>> compared(frame, {"order of pixels": ["insertion", "deletion"]})["groups"]
        [{'title': 'order of pixels', 'metrics': ['insertion', 'deletion']}]
    """
    metrics = [metric for group in groups.values() for metric in group]
    labels = [metric_label(metric) for metric in metrics]
    return {
        "groups": [{"title": title, "metrics": list(of)} for title, of in groups.items()],
        "metrics": [
            {"name": metric, "heading": label.heading, "unit": label.unit}
            for metric, label in zip(metrics, labels)
        ],
        "metric_passes": {metric: _short(work) for metric, work in metric_passes.items()},
        "networks": [
            _network(name, of, metrics, costs.get(name, {}))
            for name, of in frame.groupby("network", sort=False)
        ],
    }  # fmt: skip


def _network(
    name: str, frame: pd.DataFrame, metrics: Sequence[str], costs: Mapping[str, Cost]
) -> dict[str, Any]:
    images, dataset = by_image(frame), frame["dataset"].iloc[0]
    methods = list(frame["method"].unique())
    return {
        "network": name,
        "dataset": dataset,
        "rests_on": rests_on(name, dataset),
        "methods": [{"name": method, "title": method_title(method)} for method in methods],
        "means": {m: [_mean(images, metric, m) for metric in metrics] for m in methods},
        "leads": {f"{a} {b}": _leads(images, metrics, a, b) for a, b in combinations(methods, 2)},
        "costs": {
            method: {
                "seconds": None if cost.seconds is None else [*map(_short, cost.seconds)],
                "passes": _short(cost.passes),
            }
            for method, cost in costs.items()
        },
    }


def _mean(images: pd.DataFrame, metric: str, method: str) -> Found:
    label, values = metric_label(metric), column(images, metric, method)
    if values.notna().sum() == 0:
        return None
    return [*map(_short, mean_of(values, label.range).scaled(label.scale))]


def _leads(images: pd.DataFrame, metrics: Sequence[str], one: str, other: str) -> list[Found]:
    """For each metric mean, low, high, n and p. p is None where the values are the same on every image.
    None in place of all for a metric that one of the two methods does not have."""
    found = {metric: lead(images, metric, one, other) for metric in metrics}
    tested = [metric for metric in metrics if found[metric].claimed.n > 1]
    adjusted = dict(zip(tested, holm([found[metric].p for metric in tested])))
    return [_lead(found[m], metric_label(m).scale, adjusted.get(m, 1.0)) for m in metrics]


def _lead(found: Evidence, scale: float, p: float) -> Found:
    if found.claimed.n == 0:
        return None
    return [*map(_short, found.claimed.scaled(scale)), None if found.same else float(f"{p:.2g}")]


def _short(value: float | None) -> float | int | None:
    """A number for a file, rounded to `DIGITS` digits; a count is not rounded."""
    if value is None or isnan(value):
        return None
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


# Pages ------------------------------------------------------------------------------------------


def enough(metric: str) -> int:
    """How many images, or repetitions, an answer needs."""
    return MIN_REPETITIONS if metric == "seconds" else MIN_IMAGES


def answer(metric: str, found: Found) -> str:
    """Whether the first of two methods is "better" or "worse" in a metric, "equal", "undecided", or there
    are too "few" images.

    Example:
        >>> answer("insertion", [3.0, 1.0, 5.0, 40, 0.01])
        'better'
    """
    mean, _, _, n, p = found
    if n < enough(metric):
        return "few"
    if p is None:
        return "equal"
    return "undecided" if p > LEVEL else "better" if mean > 0 else "worse"


SIGNS = {"better": "▲", "worse": "▼", "equal": "=", "undecided": "?", "few": "…"}


def interval_of(found: Found) -> Interval:
    """A mean or a difference in the data, as an interval; a missing bound is NaN."""
    mean, low, high, n = found[:4]
    return Interval(mean, *(nan if bound is None else bound for bound in (low, high)), n)


def lead_of(net: Mapping[str, Any], one: str, other: str) -> list[Found] | None:
    """The leads of one method over another; the data may have the pair in either order."""
    if f"{one} {other}" in net["leads"]:
        return net["leads"][f"{one} {other}"]
    turned = net["leads"].get(f"{other} {one}")
    return turned and [found and _turned(found) for found in turned]


def _turned(found: Found) -> Found:
    """The same lead for the other method; a missing bound stays missing."""
    mean, low, high, n, p = found
    return [-mean, None if high is None else -high, None if low is None else -low, n, p]


def against_one(data: Mapping[str, Any]) -> str:
    """The tables of all methods against the baseline, one per network and group of metrics."""
    parts = []
    for net in data["networks"]:
        tables = [_table(net, group, data) for group in data["groups"]]
        name = f"<code>{escape(net['network'])}</code>"
        parts.append(
            f'<details class="compare-tables"><summary>All methods against '
            f"{escape(method_title(data['baseline']))} on {name}</summary>{''.join(tables)}</details>"
        )
    return "".join(parts)


def places(data: Mapping[str, Any]) -> dict[str, int]:
    """The index of each metric in the lists of a network."""
    return {metric["name"]: i for i, metric in enumerate(data["metrics"])}


def _table(net: Mapping, group: Mapping, data: Mapping) -> str:
    base, rows = data["baseline"], []
    chosen = [(metric, places(data)[metric]) for metric in group["metrics"]]
    heads = "".join(
        f'<th scope="col">{escape(metric_label(metric).heading)}</th>' for metric, _ in chosen
    )
    for method in net["methods"]:
        leads = lead_of(net, method["name"], base)
        if leads is None or not any(leads[i] for _, i in chosen):
            continue
        cells = "".join(f"<td>{_said(metric, leads[i])}</td>" for metric, i in chosen)
        rows.append(f'<tr><th scope="row">{escape(method["title"])}</th>{cells}</tr>')
    if not rows:
        return ""
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams compared"><caption>{escape(group["title"])}: '
        f"lead over {escape(method_title(base))}, ▲ better, ▼ worse</caption><thead><tr>"
        f'<th scope="col">method</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _said(metric: str, found: Found) -> str:
    if not found:
        return "–"
    if answer(metric, found) == "equal":
        return f"{SIGNS['equal']} the same"
    interval = interval_of(found)
    digits = meaningful(interval, metric_label(metric))
    return (
        f"{SIGNS[answer(metric, found)]} {number(interval.mean, digits)} "
        f"<small>{bounds(interval, digits)}</small>"
    )
