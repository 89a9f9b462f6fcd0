"""Average drop in deletion (ADD)."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.confidence import Confidence, average_drop_in_deletion, probability

from ..networks import CLASSES, affine, images, maps

TARGET = torch.tensor([0, 1, 2, 3])
ADD = METRICS["average_drop_in_deletion"]


def test_by_hand_and_signed():
    confidence = Confidence(torch.tensor([0.8, 0.5, 0.4]), torch.tensor([0.6, 0.5, 0.9]))
    assert average_drop_in_deletion(confidence).tolist() == pytest.approx([0.25, 0, -1.25])


def test_cutting_out_nothing_drops_nothing():
    assert (ADD.fn(affine(), images(), TARGET, torch.zeros(4, 16, 16)) == 0).all()


def test_cutting_out_everything_leaves_a_black_image():
    net, x = affine(), images()
    p, black = probability(net, x, TARGET), probability(net, torch.zeros_like(x), TARGET)
    assert torch.allclose(ADD.fn(net, x, TARGET, torch.ones(4, 16, 16)), (p - black) / p)


def test_it_is_the_drop_of_the_complement_where_that_is_positive():
    net, x, S, target = affine(), images(10), maps(10), torch.arange(10) % CLASSES
    add, drop = ADD.fn(net, x, target, S), METRICS["average_drop"].fn(net, x, target, 1 - S)
    assert torch.allclose(add.relu(), drop)
    assert (add < 0).any() and (add > 0).any(), "the test needs both"
