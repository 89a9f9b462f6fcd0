"""Insertion AUC: the most salient pixels of the image are shown on black."""

import math

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.confidence import probability
from lib.metrics.curves import evenly

from ..networks import affine, brightness, images, maps

AUC = METRICS["insertion_auc"]


def test_forty_one_thresholds():
    assert evenly(1000, 40).tolist() == [25 * i for i in range(41)]
    assert evenly(49, 4).tolist() == [0, 12, 24, 37, 49]  # half to even, as torch rounds
    net, seen = brightness(), []
    net.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    AUC.fn(net, torch.ones(2, 3, 16, 16), 0, maps(2))
    assert sum(seen) == 41 * 2


def test_threshold_by_threshold():
    """The trapezoid rule over 41 images: the image at the most salient pixels, black elsewhere."""
    net, x, S = affine(), images(), maps()
    target = torch.tensor([0, 1, 2, 3])
    p = []
    for i in range(41):
        top = S.flatten(1).argsort(1, descending=True)[:, : round(i / 40 * 256)]
        keep = torch.zeros(4, 256).double().scatter_(1, top, 1.0).view(4, 1, 16, 16)
        p.append(probability(net, x * keep, target))
    want = sum((a + b) / 2 for a, b in zip(p, p[1:])) / 40
    assert torch.allclose(AUC.fn(net, x, target, S), want, atol=1e-3)  # 256 / 40 is not whole
    even = AUC.fn(net, x, target, S, steps=32)
    assert not torch.allclose(even, want, atol=1e-12)


def test_closed_form_on_brightness():
    """A white image gains brightness evenly in any order: the integral of a sigmoid."""
    got = AUC.fn(brightness(4.0, 1.0), torch.ones(2, 3, 16, 16), 0, maps(2), steps=256)
    want = (math.log1p(math.exp(3.0)) - math.log1p(math.exp(-1.0))) / 4.0
    assert got.tolist() == pytest.approx([want] * 2, rel=1e-4)


def test_the_right_order_inserts_fastest():
    x = torch.zeros(2, 3, 16, 16)
    x[..., :8] = 1
    right, wrong = AUC.fn(brightness(), x, 0, torch.stack([x[0, 0], 1 - x[0, 0]])).tolist()
    assert right > wrong + 0.05 and AUC.higher_is_better


def test_at_least_one_step():
    with pytest.raises(ValueError, match="steps is at least 1, got 0"):
        AUC.fn(affine(), images(), 0, maps(), steps=0)
