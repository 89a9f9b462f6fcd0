"""The learning rate by random search on images for validation."""

import math

import numpy as np
import pytest
from torch import nn

from testbeds.wsol.search import MEANT, PRINTED, rates, search


def test_rates_are_even_in_the_logarithm_and_always_the_same():
    found = rates(2000, *MEANT)
    assert found == rates(2000, *MEANT) and found != rates(2000, *MEANT, seed=1)
    assert MEANT[0] < min(found) and max(found) < MEANT[1]
    share = (np.log(found) - math.log(MEANT[0])) / math.log(MEANT[1] / MEANT[0])
    assert np.histogram(share, 4, (0, 1))[0].min() > 430
    assert rates(3, *MEANT) == found[:3]  # more draws go on from fewer


def test_the_printed_range_has_no_rate_of_appendix_c():
    assert not any(PRINTED[0] < rate < PRINTED[1] for rate in (3e-5, 5e-5, 7e-5))
    assert PRINTED == pytest.approx((0.00032, 0.2))


def test_the_best_rate_comes_first(monkeypatch):
    from testbeds.recipe import Recipe
    from testbeds.wsol.recipes import birds_quick

    def trained(recipe, **how):
        assert how == {"root": "here"} and recipe.floor == 0
        network = nn.Linear(1, 1)
        network.rate = recipe.learning_rate
        return network

    monkeypatch.setattr(Recipe, "load", trained)
    found = search(
        birds_quick.cam, lambda net: -abs(math.log(net.rate / 1e-2)), draws=8, root="here"
    )
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert sorted(one.learning_rate for one in found) == sorted(rates(8, *MEANT))
    assert len({one.recipe.name for one in found}) == 8
    assert found[0].recipe.learning_rate == found[0].learning_rate


def test_bad_ranges_are_refused():
    with pytest.raises(ValueError, match="draws is at least 1, got 0"):
        rates(0, *MEANT)
    with pytest.raises(ValueError, match="0 < low < high, got 0.5 and 5e-05"):
        rates(3, 0.5, 5e-5)
