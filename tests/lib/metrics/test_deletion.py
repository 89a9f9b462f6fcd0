"""Deletion: the area under the curve while salient pixels are removed."""

import math

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.curves import Curve, deletion

from ..networks import brightness, maps

D = METRICS["deletion"]


def test_by_hand():
    curve = Curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([[1.0, 0.5, 0.0], [0.3, 0.3, 0.3]]))
    assert deletion(curve).tolist() == pytest.approx([0.5, 0.3])


@pytest.mark.parametrize("gain, shift", [(4.0, 1.0), (-3.0, 0.0)])
def test_closed_form_on_brightness(gain, shift):
    """A white image loses brightness evenly in any order: the integral of a sigmoid."""
    white = torch.ones(2, 3, 16, 16)
    got = D.fn(brightness(gain, shift), white, 0, maps(2), step=1)
    want = (math.log1p(math.exp(gain - shift)) - math.log1p(math.exp(-shift))) / gain
    assert got.tolist() == pytest.approx([want] * 2, rel=1e-4)


def test_the_right_order_deletes_fastest():
    """Half of the image is bright; a map that ranks this half first is better."""
    x = torch.zeros(2, 3, 16, 16)
    x[..., :8] = 1
    S = torch.stack([x[0, 0], 1 - x[0, 0]])
    right, wrong = D.fn(brightness(), x, 0, S, step=16).tolist()
    assert right < wrong - 0.05
    assert not D.higher_is_better


def test_the_number_of_steps():
    assert D.options["step"] == 224
    net, seen = brightness(), []
    net.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    D.fn(net, torch.ones(1, 3, 48, 48), 0, maps(1, (48, 48)))
    assert sum(seen) == math.ceil(48 * 48 / 224) + 1
