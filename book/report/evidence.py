"""The evidence for a claim: per-image differences to rivals, means against a threshold."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lib.statistics import Interval, column, mean_of, p_value

from .claims import Claim
from .labels import Label, bounds, meaningful, method_title, metric_label, number

_ROUNDING = 1e-4  # as a share of the largest value; in float32, equal formulas differ by 1e-5


class Difference(NamedTuple):
    """A measured difference or mean, neither turned towards the claim nor scaled.

    Attributes:
        metric: its name.
        method, rival: the two methods whose means are compared; without a rival, the mean of a method.
        mean: with its interval; of an identity, with the least and the largest value.
        side: the side of the line that is claimed: "above", "below", or "within" its distance of zero.
        line: zero, or the claim's threshold.
        times: the factor of the claim. It multiplies the mean of the rival if the side is "above", and
            that of the method if it is "below".
    """

    metric: str
    method: str
    rival: str
    mean: Interval
    side: str
    line: float = 0.0
    times: float = 1.0

    @property
    def against(self) -> "Difference":
        """The same for the opposite claim."""
        return self._replace(side={"above": "below", "below": "above"}.get(self.side, self.side))


class Evidence(NamedTuple):
    """A mean turned so that positive values support the claim.

    Attributes:
        claimed: with its interval.
        p: of the test that it is zero, see `p_value`.
        text: the words that pages show.
        of: the difference as it was measured.
        same: whether it is a difference of values that are the same on every image.
    """

    claimed: Interval
    p: float
    text: str
    of: Difference
    same: bool = False

    @property
    def against(self) -> "Evidence":
        """The same as evidence for the opposite."""
        return self._replace(claimed=self.claimed.scaled(-1), of=self.of.against)


def record(item: Evidence, decides: bool) -> dict[str, Any]:
    """Evidence as data, in the printed unit.

    Args:
        decides: whether the verdict rests on it.

    Example:
        >>> record(lead(images, "average_gain", "opti_cam", "grad_cam"), decides=True)["side"]
        'above'
    """
    of, scale = item.of, metric_label(item.of.metric).scale
    mean, low, high = (_rounded(value * scale) for value in of.mean[:3])
    return {
        "metric": of.metric,
        "method": of.method,
        "rival": of.rival,
        "times": of.times,
        "mean": mean,
        "low": low,
        "high": high,
        "n": int(of.mean.n),
        "p": None if of.side == "within" else _rounded(item.p, 3),  # of zero, or of the line
        "side": of.side,
        "line": _rounded(of.line * scale),
        "same": item.same,
        "decides": decides,
    }


def _rounded(value: float, digits: int = 5) -> float | None:
    """Rounded to significant digits; None for NaN and infinity, which JSON does not have."""
    return float(f"{value:.{digits}g}") if np.isfinite(value) else None


def selected(conditions: Sequence[Sequence], images: pd.DataFrame) -> pd.DataFrame:
    """The images of a `by_image` table that meet conditions [method, metric, side, threshold]."""
    for method, metric, side, threshold in conditions:
        values = column(images, metric, method)
        images = images[values > threshold if side == "above" else values < threshold]
    return images


def evidence(claim: Claim, images: pd.DataFrame, rivals: Sequence[str]) -> list[Evidence]:
    """All evidence that a claim needs, from the `by_image` table of one network.

    Args:
        rivals: the rivals of the claim that ran.
    """
    if claim.kind in ("above", "below"):
        sign = 1 if claim.kind == "above" else -1
        return [
            excess(images, claim.method, metric, claim.threshold, sign) for metric in claim.metrics
        ]
    needed = []
    for metric in claim.metrics:
        for rival in rivals:
            needed += _against(claim, images, metric, claim.method, rival)
    return needed


def lead(images: pd.DataFrame, metric: str, method: str, rival: str) -> Evidence:
    """By how much a method is better than a rival, in the sense of the metric."""
    return _difference(images, metric, method, rival, _sign("better", metric_label(metric)))


def excess(images: pd.DataFrame, method: str, metric: str, threshold: float, sign: int) -> Evidence:
    """By how much a mean is above a threshold (sign 1), or below it (sign -1); for an identity, by how
    much all images are below it."""
    values, range_ = column(images, metric, method), metric_label(metric).range
    if metric_label(metric).identity and sign < 0:
        return _largest(values.dropna(), method, metric, threshold)
    mean = mean_of(values, range_)
    p = p_value(values, _groups(values), null=threshold, bounds=range_)
    of = Difference(metric, method, "", mean, "above" if sign > 0 else "below", threshold)
    return Evidence(mean.shifted(-threshold).scaled(sign), p, _show(mean, metric), of)


def _largest(values: pd.Series, method: str, metric: str, threshold: float) -> Evidence:
    """By how much the largest value is below a threshold."""
    low, high, n = values.min(), values.max(), len({*_groups(values)})
    found = Interval(values.mean(), low, high, n)
    text = f"largest {metric_label(metric).symbol} {high:.0e}".replace("-", "−")
    of = Difference(metric, method, "", found, "below", threshold)
    return Evidence(found.shifted(-threshold).scaled(-1), float(low <= threshold), text, of)


def _against(
    claim: Claim, images: pd.DataFrame, metric: str, method: str, rival: str
) -> list[Evidence]:
    if claim.kind == "alike":
        return [
            _difference(images, metric, method, rival, sign, shift=claim.threshold)
            for sign in (1, -1)
        ]
    sign = _sign("better" if claim.kind == "beaten" else claim.kind, metric_label(metric))
    times = (1, claim.factor) if sign > 0 else (claim.factor, 1)
    return [_difference(images, metric, method, rival, sign, times)]


def _difference(
    images: pd.DataFrame,
    metric: str,
    method: str,
    rival: str,
    sign: int,
    times: tuple[float, float] = (1, 1),
    shift: float = 0.0,
) -> Evidence:
    """shift + sign (times[0] ours - times[1] theirs), image by image."""
    ours, theirs = (f * column(images, metric, name) for f, name in zip(times, (method, rival)))
    differences = ours - theirs
    # Exact zeros if they differ by rounding alone on every image.
    same = bool(differences.abs().max() <= _ROUNDING * max(ours.abs().max(), theirs.abs().max()))
    differences = differences * 0 if same else differences
    low, high = metric_label(metric).range
    range_ = (times[0] * low - times[1] * high, times[0] * high - times[1] * low)
    mean = mean_of(differences, range_)
    p = p_value(differences, _groups(differences), null=-sign * shift, bounds=range_)
    multiplied = "" if times[0] == 1 else f" for {times[0]:g} times {method_title(method)}"
    factor = "" if times[1] == 1 else f" {times[1]:g} times"
    text = f"{_show(mean, metric, points=True)}{multiplied} against{factor} {method_title(rival)}"
    side = "within" if shift else "above" if sign > 0 else "below"
    of = Difference(metric, method, rival, mean, side, shift, max(times))
    return Evidence(mean.scaled(sign).shifted(shift), p, text, of, same and not shift)


def _groups(values: pd.Series) -> np.ndarray:
    return values.index.get_level_values("group")


def _sign(kind: str, label: Label) -> int:
    larger = {"larger": True, "smaller": False, "better": label.higher_is_better}
    return 1 if larger.get(kind, not label.higher_is_better) else -1


def leaders(images: pd.DataFrame, metrics: Sequence[str], methods: Sequence[str]) -> str:
    """The method with the best mean in each metric, in words."""
    words = []
    for metric in metrics:
        label, means = metric_label(metric), images[metric][[*methods]].mean()
        best = means.idxmax() if label.higher_is_better else means.idxmin()
        words.append(
            f"best {label.symbol} {number(means[best] * label.scale)} {method_title(best)}"
        )
    return "; ".join(words)


def _show(interval: Interval, metric: str, points: bool = False) -> str:
    label = metric_label(metric)
    shown = interval.scaled(label.scale)
    digits = meaningful(shown, label)
    mean, interval = number(shown.mean, digits), bounds(shown, digits)
    unit = "points" if points and label.unit == "%" else label.unit
    return f"{label.symbol} {mean} {interval} {unit}".rstrip()
