"""What speaks for a claim: paired differences to rivals, a mean against a threshold."""

from collections.abc import Callable
from itertools import combinations
from typing import NamedTuple

import pandas as pd

from lib.statistics import Interval, column, mean_of

from .claims import Claim
from .labels import Label, bounds, method_title, metric_label, number

_ROUNDING = 1e-4  # of the largest value; float32 leaves 1e-5 between formulas that are one


class Evidence(NamedTuple):
    """An interval turned so that positive values speak for the claim, and how to print it."""

    claimed: Interval
    text: str


def evidence(claim: Claim, images: pd.DataFrame) -> list[Evidence]:
    """All that the claim needs, from one network's `by_image` table."""
    for method, metric, side, threshold in claim.where:
        values = column(images, metric, method)
        images = images[values > threshold if side == "above" else values < threshold]
    return _KINDS[claim.kind](claim, images)


def _against_rivals(claim: Claim, images: pd.DataFrame) -> list[Evidence]:
    needed = []
    for metric in claim.metrics:
        sign = _sign(claim.kind, metric_label(metric))
        for rival in _rivals(claim, images, metric):
            ours, theirs = (column(images, metric, name) for name in (claim.method, rival))
            difference = mean_of(_differences(ours, theirs))
            text = f"{_show(difference, metric, points=True)} against {method_title(rival)}"
            needed.append(Evidence(difference.scaled(sign), text))
    return needed


def _differences(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Image by image; exact zeros if they differ by rounding alone on every image."""
    differences = ours - theirs
    largest = max(ours.abs().max(), theirs.abs().max())
    same = differences.abs().max() <= _ROUNDING * largest
    return differences * 0 if same else differences


def _sign(kind: str, label: Label) -> int:
    larger = {"larger": True, "smaller": False, "better": label.higher_is_better}
    return 1 if larger.get(kind, not label.higher_is_better) else -1


def _rivals(claim: Claim, images: pd.DataFrame, metric: str) -> list[str]:
    if claim.rivals != "others":
        return claim.rivals
    return sorted(_methods(images, metric) - {claim.method, *claim.excluding})


def _methods(images: pd.DataFrame, metric: str) -> set[str]:
    return {method for name, method in images.dropna(axis="columns", how="all") if name == metric}


def _against_threshold(claim: Claim, images: pd.DataFrame) -> list[Evidence]:
    needed = []
    for metric in claim.metrics:
        mean = mean_of(column(images, metric, claim.method))
        excess = Interval(*(value - claim.threshold for value in mean[:3]), mean.n)
        sign = 1 if claim.kind == "above" else -1
        needed.append(Evidence(excess.scaled(sign), _show(mean, metric)))
    return needed


def _no_winner(claim: Claim, images: pd.DataFrame) -> list[Evidence]:
    """For each method, how far it is behind where it is furthest behind."""
    measured = [_methods(images, metric) for metric in claim.metrics]
    methods = sorted(set.intersection(*measured) - set(claim.excluding))
    behind: dict[str, list[Interval]] = {method: [] for method in methods}
    for metric in claim.metrics:
        sign = _sign("better", metric_label(metric))
        for method, rival in combinations(methods, 2):
            lead = mean_of(images[metric, method] - images[metric, rival]).scaled(sign)
            behind[rival].append(lead)
            behind[method].append(lead.scaled(-1))
    leaders = [_leader(images[metric][methods], metric) for metric in claim.metrics if methods]
    text = "; ".join(leaders)
    return [Evidence(_furthest(intervals), text) for intervals in behind.values() if intervals]


def _furthest(intervals: list[Interval]) -> Interval:
    """Above zero if one of the intervals is, below zero if all are."""
    mean, low, high = (max(interval[i] for interval in intervals) for i in range(3))
    return Interval(mean, low, high, min(interval.n for interval in intervals))


def _leader(values: pd.DataFrame, metric: str) -> str:
    label = metric_label(metric)
    means = values.mean()
    best = means.idxmax() if label.higher_is_better else means.idxmin()
    return f"best {label.symbol} {number(means[best] * label.scale)} {method_title(best)}"


def _show(interval: Interval, metric: str, points: bool = False) -> str:
    label = metric_label(metric)
    shown = interval.scaled(label.scale)
    mean, interval = number(shown.mean, label.decimals), bounds(shown, label.decimals)
    unit = "points" if points and label.unit == "%" else label.unit
    return f"{label.symbol} {mean} {interval} {unit}".rstrip()


_KINDS: dict[str, Callable[[Claim, pd.DataFrame], list[Evidence]]] = {
    "better": _against_rivals,
    "worse": _against_rivals,
    "larger": _against_rivals,
    "smaller": _against_rivals,
    "above": _against_threshold,
    "below": _against_threshold,
    "no_winner": _no_winner,
}
