"""Coherency: the map of the masked image against the original map."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.adcc import Terms, coherency

from ..networks import affine, images, maps

COHERENCY = METRICS["coherency"]


def test_it_is_the_first_term():
    assert coherency(
        Terms(torch.tensor([0.7]), torch.tensor([0.1]), torch.tensor([0.2]))
    ).item() == pytest.approx(0.7)


def test_the_same_map_again_is_coherent_and_its_opposite_is_not():
    net, x, S = affine(), images(), maps()
    same = COHERENCY.fn(net, x, 0, S, method=lambda x, target: S)
    opposite = COHERENCY.fn(net, x, 0, S, method=lambda x, target: 1 - S)
    other = COHERENCY.fn(net, x, 0, S, method=lambda x, target: maps(seed=9))
    assert same.tolist() == pytest.approx([1] * 4)
    assert opposite.tolist() == pytest.approx([0] * 4, abs=1e-12)
    assert ((0.4 < other) & (other < 0.6)).all()
    assert COHERENCY.higher_is_better


def test_it_shares_the_passes_of_adcc():
    assert COHERENCY.measure is METRICS["adcc"].measure
    assert COHERENCY.given == {"method": True, "logits": False}
