"""Average increase (AI)."""

import torch

from lib.metrics import METRICS
from lib.metrics.confidence import Confidence, average_increase

from ..networks import CLASSES, affine, images, maps


def test_by_hand_with_a_tie():
    confidence = Confidence(torch.tensor([0.6, 0.5, 0.4]), torch.tensor([0.8, 0.5, 0.1]))
    assert average_increase(confidence).tolist() == [1, 0, 0]


def test_a_tie_of_a_real_network_is_no_increase():
    S = torch.ones(4, 16, 16, dtype=torch.float64)
    assert (METRICS["average_increase"].fn(affine(), images(), 0, S) == 0).all()


def test_an_increase_is_a_gain_and_no_drop():
    net, x, S, target = affine(), images(10), maps(10), torch.arange(10) % CLASSES
    names = ("average_drop", "average_gain", "average_increase")
    drop, gain, increase = (METRICS[name].fn(net, x, target, S) for name in names)
    assert torch.equal(increase == 1, gain > 0)
    assert torch.equal(increase == 0, drop > 0)
    assert 0 < increase.mean() < 1, "the test needs both"
