"""Random search for the learning rate, the protocol's only choice (CALM supplement, appendix E)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from torch import nn

from lib.checks import check_count
from lib.seeding import stream

from ..recipe import Recipe

PRINTED = (5.0**-5, 5.0**-1)  # the range as appendix E prints it
MEANT = (5e-5, 5e-1)  # the range as it makes sense: the rates of appendix C are of its order


class Tried(NamedTuple):
    """A learning rate, the recipe with it, and its score on images for validation."""

    learning_rate: float
    recipe: Recipe
    score: float


def rates(draws: int, low: float, high: float, seed: int = 0) -> list[float]:
    """Learning rates from a log-uniform distribution.

    Raises:
        ValueError: 0 < low < high does not hold.

    Example:
        >>> len(rates(30, *MEANT))
        30
    """
    check_count("draws", draws)
    if not 0 < low < high:
        raise ValueError(f"a log-uniform distribution has 0 < low < high, got {low} and {high}")
    drawn = stream(seed, "learning rates").uniform(math.log(low), math.log(high), draws)
    return [math.exp(one) for one in drawn]


def search(
    recipe: Recipe,
    score: Callable[[nn.Module], float],
    *,
    draws: int = 30,
    low: float = MEANT[0],
    high: float = MEANT[1],
    seed: int = 0,
    **how,
) -> list[Tried]:
    """The recipe at random learning rates, the best first; each network is trained once and stored.

    Args:
        score: a function that scores a trained network on images for validation, never on test
            images; higher is better.
        how: further arguments of `Recipe.load`, such as the dataset's root.

    Example:
        >>> best = search(nets.recipe("birds_calm_em"), on_validation)[0].recipe
    """
    found = []
    for rate in rates(draws, low, high, seed):
        tried = replace(recipe, name=f"{recipe.name}_{rate:.4g}", learning_rate=rate, floor=0.0)
        found.append(Tried(rate, tried, score(tried.load(**how).eval())))
    return sorted(found, key=lambda one: -one.score)
