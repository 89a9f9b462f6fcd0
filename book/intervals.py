"""How often intervals miss the true mean: a simulation on data like the book's."""

import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, t

from lib.statistics import ANY, Bounds, mean_ci

# From x (n, R), one column per repetition, and the bounds of its values: the ends of R 95 % intervals.
Interval = Callable[[np.ndarray, Bounds], tuple[np.ndarray, np.ndarray]]

RESAMPLES = 1000
SIZES = (20, 40, 120)
ALLOWED = 0.07  # share of misses that is allowed for intervals with a nominal 5 %


class Population(NamedTuple):
    """A distribution of values: `draw(rng, shape)`, their mean and their bounds."""

    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    mean: float
    bounds: Bounds = ANY


def _zeros_and_drops(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return rng.beta(1, 2, shape) * (rng.random(shape) < 0.3)


def _differences_of_drops(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    return _zeros_and_drops(rng, shape) - rng.beta(1, 4, shape) * (rng.random(shape) < 0.2)


def _differences_of_hits(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    u = rng.random(shape)
    return (u < 0.3).astype(float) - (u > 0.9)


def _hits(share: float) -> Callable:
    return lambda rng, shape: (rng.random(shape) < share).astype(float)


POPULATIONS: Mapping[str, Population] = {
    "normal": Population(lambda rng, shape: rng.normal(size=shape), 0.0),
    "skewed": Population(lambda rng, shape: rng.exponential(size=shape), 1.0, (0, np.inf)),
    "drops, 70 % of them zero": Population(_zeros_and_drops, 0.1, (0, 1)),
    "differences of drops": Population(_differences_of_drops, 0.06, (-1, 1)),
    "heavy tails": Population(lambda rng, shape: rng.standard_t(3, size=shape), 0.0),
    "differences of hits": Population(_differences_of_hits, 0.2, (-1, 1)),
    "hits, 90 %": Population(_hits(0.9), 0.9, (0, 1)),
}


def chosen(x: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """The interval of this book, `lib.statistics.mean_ci`."""
    return mean_ci(x, bounds=bounds)[1:3]


def student(x: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """Student's t."""
    n = len(x)
    half = t.ppf(0.975, n - 1) * x.std(axis=0, ddof=1) / np.sqrt(n)
    return x.mean(axis=0) - half, x.mean(axis=0) + half


def percentile(
    x: np.ndarray, bounds: Bounds, method: str = "percentile"
) -> tuple[np.ndarray, np.ndarray]:
    """The percentile bootstrap (Efron 1979)."""
    with warnings.catch_warnings():  # of BCa, where all values are equal
        warnings.simplefilter("ignore")
        found = bootstrap(
            (x,), np.mean, axis=0, method=method, n_resamples=RESAMPLES, batch=100, rng=0
        )
    return found.confidence_interval.low, found.confidence_interval.high


def bca(x: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """The bootstrap with bias correction and acceleration (Efron 1987)."""
    return percentile(x, bounds, "BCa")


def bootstrap_t(x: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """The bootstrap of Student's t."""
    n, mean = len(x), x.mean(axis=0)
    share = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES) / n  # (B, n)
    off = share @ (x - mean)  # (B, R)
    spread = np.sqrt(np.maximum(share @ (x - mean) ** 2 - off**2, 0) / (n - 1))
    with np.errstate(all="ignore"):
        T = np.where(spread > 1e-12, off / spread, np.sign(off) * np.inf)
        T = np.where(np.isnan(T), 0, T)
        low, high = np.quantile(T, (0.025, 0.975), axis=0, method="inverted_cdf")
        error = x.std(axis=0, ddof=1) / np.sqrt(n)
        return mean - high * error, mean - low * error


def sign_flip(x: np.ndarray, bounds: Bounds) -> tuple[np.ndarray, np.ndarray]:
    """The means that a test by random sign flips does not reject; the ends are quantiles of the means of
    random subsets (Hartigan 1969)."""
    subset = np.random.default_rng(0).random((RESAMPLES, len(x))) < 0.5
    subset = subset[subset.any(axis=1)]
    means = subset @ x / subset.sum(axis=1, keepdims=True)  # (B, R)
    return tuple(np.quantile(means, (0.025, 0.975), axis=0))


INTERVALS: Mapping[str, Interval] = {
    "here": chosen,
    "percentile bootstrap": percentile,
    "BCa bootstrap": bca,
    "bootstrap-t": bootstrap_t,
    "sign flips": sign_flip,
    "Student's t": student,
}


def missed(
    interval: Interval, population: Population, n: int, repetitions: int, seed: int = 0
) -> tuple[float, float]:
    """How often an interval from n values misses the true mean, and its median width.

    Example:
        >>> missed(chosen, POPULATIONS["skewed"], 20, 1000)[0] < 0.07
        True
    """
    x = population.draw(np.random.default_rng(seed), (n, repetitions))
    low, high = (np.clip(end, *population.bounds) for end in interval(x, population.bounds))
    low, high = np.nan_to_num(low, nan=-np.inf), np.nan_to_num(high, nan=np.inf)
    rounding = 1e-9
    out = (population.mean < low - rounding) | (population.mean > high + rounding)
    return float(out.mean()), float(np.median(high - low))


def coverage(repetitions: int, sizes: tuple[int, ...] = SIZES) -> pd.DataFrame:
    """How often each interval misses on each population, and its width relative to the book's interval.

    Returns:
        Columns interval, population, n, missed (a fraction), width (of the book's, 1).
    """
    rows = []
    for name, population in POPULATIONS.items():
        for n in sizes:
            found = {
                of: missed(interval, population, n, repetitions)
                for of, interval in INTERVALS.items()
            }
            rows += [
                (of, name, n, out, width / found["here"][1]) for of, (out, width) in found.items()
            ]
    return pd.DataFrame(rows, columns=["interval", "population", "n", "missed", "width"])
