"""Average gain (AG)."""

import math

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.confidence import Confidence, average_gain

from ..networks import affine, brightness, images


def test_by_hand():
    confidence = Confidence(torch.tensor([0.6, 0.5, 0.4, 0.2]), torch.tensor([0.8, 0.5, 0.1, 1.0]))
    assert average_gain(confidence).tolist() == pytest.approx([0.5, 0, 0, 1])


def test_nothing_is_gained_where_nothing_is_masked():
    S = torch.ones(4, 16, 16, dtype=torch.float64)
    assert (METRICS["average_gain"].fn(affine(), images(), 0, S) == 0).all()


def test_certainty_has_nothing_to_gain():
    one = torch.ones(1, dtype=torch.float64)
    assert average_gain(Confidence(one, one)).tolist() == [0]


def test_a_network_almost_sure_can_still_gain():
    """A black image raises the logit from 20 to 25; in float32 both probabilities are 1."""
    net, white = brightness(gain=-5, shift=-25).float(), torch.ones(1, 3, 16, 16)
    got = METRICS["average_gain"].fn(net, white, 0, torch.zeros(1, 16, 16))
    assert got.item() == pytest.approx(1 - math.exp(-5), rel=1e-3)
