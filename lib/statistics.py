"""Means over images, with intervals that hold even for twenty images, and paired differences."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import beta, binom, t

Bounds = tuple[float, float]
ANY = (-np.inf, np.inf)  # the bounds of unbounded values


class Interval(NamedTuple):
    """A mean with its confidence interval; `n` is the number of independent images or groups."""

    mean: float
    low: float
    high: float
    n: int

    def scaled(self, factor: float) -> "Interval":
        """The interval of the values times `factor`, which may be negative."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(self.mean * factor, low, high, self.n)

    def shifted(self, by: float) -> "Interval":
        """The interval of the values plus `by`."""
        return Interval(self.mean + by, self.low + by, self.high + by, self.n)

    def __str__(self) -> str:
        return format(self, ".1f")

    def __format__(self, spec: str) -> str:
        """Mean and bounds, each in a format such as "+.2f"; missing parts are left out.

        Example:
            >>> f"{Interval(0.5, 0.25, 0.75, 10):.2f}"
            '0.50 [0.25, 0.75]'
        """
        spec = spec or ".1f"
        if self.mean != self.mean:
            return "–"
        bounds = "" if self.low != self.low else f" [{self.low:{spec}}, {self.high:{spec}}]"
        return f"{self.mean:{spec}}{bounds}"


def mean_ci(
    values: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    bounds: Bounds | None = None,
    confidence: float = 0.95,
) -> Interval:
    """The mean with an interval, over images or groups, that also holds for skewed values.

    With m the mean, s its standard error and g the skewness of n values, T = (m - mu) / s does not
    follow Student's t if the values are skewed. The transformed statistic (Hall 1992, On the
    removal of skewness by transformation)

        W = T + a T^2 + a^2 T^3 / 3 + a / 2,   a = g / (3 sqrt(n)),

    is closer to it. T fails where a tail is long, W where few values cause the skewness. The
    interval therefore contains every mu for which T or W lies between the quantiles of Student's t
    with n - 1 degrees of freedom. A proportion, that is, values that are 0 or 1, has the exact
    binomial interval (Clopper and Pearson 1934). If all values are equal, the interval is that of
    the chance of a different value, which is at most as far off as `bounds` allow. Nothing is drawn
    at random, and the order of the values does not matter.

    Args:
        values: (n,), or (n, T) for T means at once; an entry with a NaN is left out.
        groups: (n,) labels of values that were drawn together (such as crops of one photograph):
            the values of a group count as one draw. By default each entry is its own group.
        bounds: the smallest and the largest possible value. Without bounds, or with (0, 1), values
            that are all 0 or 1 count as a proportion.
        confidence: the level of each interval.

    Returns:
        An `Interval` of floats, or of (T,) arrays. The bounds are NaN for a single group, and for
        equal values without bounds.

    Raises:
        ValueError: `groups` has another length than `values`, or a label is missing.

    Example:
        >>> f"{mean_ci([1.0] * 20):.2f}"  # exact: 20 of 20
        '1.00 [0.83, 1.00]'
    """
    sample, bounds = _sample(values, groups, bounds), bounds or ANY
    low, high = _bounds(sample, bounds, (1 - confidence) / 2)
    return Interval(sample.mean, np.clip(low, *bounds), np.clip(high, *bounds), sample.n)


def p_value(
    values: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    null: float = 0.0,
    bounds: Bounds | None = None,
) -> float:
    """The p value of the test that the mean is `null`: the level at which the interval of `mean_ci`
    ends at `null`.

    Returns:
        A two-sided p value; NaN for fewer than two groups.

    Example:
        >>> p_value([0.1, 0.3, 0.2, 0.4]) < 0.05
        True
    """
    sample = _sample(values, groups, bounds)
    if sample.n < 2:
        return np.nan
    if sample.hits is not None:
        sides = binom.cdf(sample.hits, sample.n, null), binom.sf(sample.hits - 1, sample.n, null)
    elif sample.error == 0:
        least, largest = bounds or ANY
        off = sample.mean - null
        reach = sample.mean - least if off > 0 else sample.mean - largest
        sides = (1.0 if off == 0 else (1 - off / reach) ** sample.n,)  # an infinite reach: 1
    else:
        T, a = (sample.mean - null) / sample.error, sample.asymmetry
        W = T + a * T**2 + a**2 * T**3 / 3 + a / 2
        sides = (t.sf(min(np.sign(T) * T, np.sign(T) * W), sample.n - 1),)
    return min(1.0, 2 * float(min(sides)))


def holm(p: ArrayLike) -> np.ndarray:
    """The p values of several tests, adjusted to control the chance of any wrong rejection (Holm
    1979).

    Example:
        >>> holm([0.01, 0.04]).tolist()
        [0.02, 0.04]
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return adjusted


class _Sample(NamedTuple):
    """The statistics that an interval needs, each a float or (T,).

    `asymmetry` is a of Hall's W. `hits` is the number of values that are 1 if all are 0 or 1 and
    independent, and otherwise None.
    """

    mean: float
    error: float
    asymmetry: float
    n: int
    hits: float | None


def _sample(values: ArrayLike, groups: ArrayLike | None, bounds: Bounds | None) -> _Sample:
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(groups)} group labels for {len(values)} values; give one a value")
    if pd.isna(groups).any():
        raise ValueError("a group label is missing; give each value a label, or no groups at all")

    known = ~np.isnan(values.reshape(len(values), values[:1].size)).any(axis=1)
    values, (cluster, labels) = values[known], pd.factorize(groups[known])
    n = len(labels)
    missing = np.full(values.shape[1:], np.nan)[()]
    if n == 0:
        return _Sample(missing, missing, missing, 0, None)
    order = np.argsort(values, axis=0, kind="stable")
    mean = np.take_along_axis(values, order, axis=0).mean(axis=0)  # in any order
    if n == 1:
        return _Sample(mean, missing, missing, 1, None)
    # The contribution of each group to the mean beyond its share, (n,) or (n, T).
    off = np.zeros((n, *values.shape[1:]))
    np.add.at(off, cluster, values - mean)
    off = np.sort(off, axis=0) * (n / len(values))
    rounding = 1e-12 * np.abs(values).max(axis=0)
    variance = (off**2).sum(axis=0) / (n - 1)
    constant = np.abs(off).max(axis=0) <= rounding
    spread = np.where(constant, 1, np.sqrt(variance))
    skewness = (off**3).mean(axis=0) / spread**3
    error = np.where(constant, 0, spread / np.sqrt(n))
    asymmetry = np.where(constant, 0, skewness / (3 * np.sqrt(n)))
    binary = bounds in (None, (0, 1)) and n == len(values) and np.isin(values, (0, 1)).all()
    hits = values.sum(axis=0) if binary else None
    return _Sample(mean, error[()], asymmetry[()], n, hits)


def _bounds(sample: _Sample, bounds: Bounds, tail: float) -> tuple[float, float]:
    """Both ends of the interval, each of which fails with probability `tail`."""
    mean, error, a, n, hits = sample
    if n < 2:
        return sample.error, sample.error  # NaN
    if hits is not None:
        low = np.where(hits > 0, beta.ppf(tail, hits, n - hits + 1), 0)[()]
        high = np.where(hits < n, beta.ppf(1 - tail, hits + 1, n - hits), 1)[()]
        return low, high
    q = t.ppf(1 - tail, n - 1)
    low = mean - error * np.maximum(q, _inverse(q, a))
    high = mean - error * np.minimum(-q, _inverse(-q, a))
    unseen = 1 - tail ** (1 / n)  # the largest chance of a value that none of n have shown
    least, largest = (bound if np.isfinite(bound) else np.nan for bound in bounds)
    equal = error == 0
    low = np.where(equal, mean - unseen * (mean - least), low)[()]
    high = np.where(equal, mean + unseen * (largest - mean), high)[()]
    return low, high


def _inverse(w: float, a: float) -> float:
    """The T whose W is w."""
    straight = np.abs(a) < 1e-6
    curved = np.where(straight, 1, a)
    return np.where(straight, w, (np.cbrt(1 + 3 * a * (w - a / 2)) - 1) / curved)


def by_image(frame: pd.DataFrame) -> pd.DataFrame:
    """An evaluation frame as a table with one row per image and one column per metric and method.

    Failed values are NaN.

    Returns:
        Index (image, group), columns (metric, method).

    Raises:
        ValueError: the frame mixes networks or datasets, or has an image twice.

    Example:
        >>> by_image(frame)["insertion", "score_cam"] > 0.9
    """
    for name in ("network", "dataset"):
        if frame[name].nunique() > 1:
            several = ", ".join(map(str, frame[name].unique()))
            raise ValueError(f"one {name} at a time, got {several}; select the rows of one of them")
    twice = frame.duplicated(["image", "metric", "method"])
    if twice.any():
        image, metric, method = frame.loc[twice, ["image", "metric", "method"]].iloc[0]
        raise ValueError(f"image {image!r} stands twice for {method}, {metric}; keep one row")
    return frame.pivot(index=["image", "group"], columns=["metric", "method"], values="value")


def column(images: pd.DataFrame, metric: str, method: str) -> pd.Series:
    """A column of a `by_image` table; all NaN if the table lacks it."""
    if (metric, method) in images:
        return images[metric, method]
    return pd.Series(np.nan, index=images.index)


def mean_of(values: pd.Series, bounds: Bounds | None = None) -> Interval:
    """The mean of a column of a `by_image` table with its interval, clustered by group."""
    return mean_ci(values, values.index.get_level_values("group"), bounds=bounds)


def paired_difference(
    frame: pd.DataFrame, metric: str, method_a: str, method_b: str, bounds: Bounds = ANY
) -> Interval:
    """The mean per-image difference `method_a - method_b` over the images of both, with its
    interval.

    Args:
        bounds: the bounds of the metric, not of the difference.

    Example:
        >>> paired_difference(frame, "average_gain", "opti_cam", "grad_cam").low > 0
        True
    """
    images = by_image(frame[frame["method"].isin([method_a, method_b])])
    reach = bounds[1] - bounds[0]
    difference = column(images, metric, method_a) - column(images, metric, method_b)
    return mean_of(difference, (-reach, reach))
