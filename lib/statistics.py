"""Means over images with bootstrap intervals, and paired differences between methods."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

_BATCH = 10_000_000  # numbers resampled at once, so that 50,000 images fit in memory


class Interval(NamedTuple):
    """A mean with its confidence interval; `n` counts what was resampled: images or groups."""

    mean: float
    low: float
    high: float
    n: int

    def scaled(self, factor: float) -> "Interval":
        """The interval of the values times `factor`, which may be negative."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(self.mean * factor, low, high, self.n)

    def __str__(self) -> str:
        return format(self, ".1f")

    def __format__(self, spec: str) -> str:
        """Mean and bounds, each by a format such as "+.2f"; what is missing is left out.

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
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """The mean with its percentile bootstrap interval, resampling groups (Efron 1979).

    Args:
        values: (n,), or (n, T) for T means at once; an entry with a NaN is left out.
        groups: (n,) labels of what was drawn together (crops of one photograph), which is also
            resampled together; by default each entry is its own group.

    Returns:
        An `Interval` of floats, or of (T,) arrays. One group alone has no interval: its bounds
        are NaN.

    Raises:
        ValueError: `groups` has another length than `values`, or a missing label.

    Example:
        >>> mean_ci([0.1, 0.2, 0.3]).mean
        0.2
    """
    values = np.asarray(values, dtype=float)
    groups = np.arange(len(values)) if groups is None else np.asarray(groups)
    if len(groups) != len(values):
        raise ValueError(f"{len(groups)} group labels for {len(values)} values; give one a value")
    if pd.isna(groups).any():
        raise ValueError("a group label is missing; give each value a label, or no groups at all")

    known = ~np.isnan(values.reshape(len(values), values[:1].size)).any(axis=1)
    cluster, labels = pd.factorize(groups[known])
    sums = np.zeros((len(labels), *values.shape[1:]))  # (clusters,) or (clusters, T)
    np.add.at(sums, cluster, values[known])
    counts = np.zeros_like(sums)
    np.add.at(counts, cluster, 1)

    missing = np.full(values.shape[1:], np.nan)[()]
    if len(labels) == 0:
        return Interval(missing, missing, missing, 0)
    mean = _ratio(sums, counts, axis=0)
    if len(labels) == 1:
        return Interval(mean, missing, missing, 1)
    bounds = bootstrap(
        (sums, counts),
        _ratio,
        paired=True,
        vectorized=True,
        axis=0,
        method="percentile",
        confidence_level=confidence,
        n_resamples=n_resamples,
        batch=max(1, _BATCH // sums.size),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(mean, bounds.low, bounds.high, len(labels))


def _ratio(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis) / counts.sum(axis)


def by_image(frame: pd.DataFrame) -> pd.DataFrame:
    """An evaluation frame as a table with a row an image and a column a metric and method.

    The metric "seconds" is the time of the map itself. What failed is NaN.

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
    # The time stands on the row of each metric.
    times = frame.dropna(subset="seconds").drop_duplicates(["image", "method"])
    long = pd.concat([frame, times.assign(metric="seconds", value=times["seconds"])])
    twice = long.duplicated(["image", "metric", "method"])
    if twice.any():
        image, metric, method = long.loc[twice, ["image", "metric", "method"]].iloc[0]
        raise ValueError(f"image {image!r} stands twice for {method}, {metric}; keep one row")
    return long.pivot(index=["image", "group"], columns=["metric", "method"], values="value")


def column(images: pd.DataFrame, metric: str, method: str) -> pd.Series:
    """A column of a `by_image` table; NaN throughout if it is not there."""
    if (metric, method) in images:
        return images[metric, method]
    return pd.Series(np.nan, index=images.index)


def mean_of(values: pd.Series) -> Interval:
    """The mean of a column of a `by_image` table with its interval, clustered by group."""
    return mean_ci(values, values.index.get_level_values("group"))


def paired_difference(frame: pd.DataFrame, metric: str, method_a: str, method_b: str) -> Interval:
    """The mean of `method_a - method_b` over the images that both have, with its interval.

    Example:
        >>> paired_difference(frame, "average_gain", "opti_cam", "grad_cam").low > 0
        True
    """
    images = by_image(frame[frame["method"].isin([method_a, method_b])])
    return mean_of(column(images, metric, method_a) - column(images, metric, method_b))
