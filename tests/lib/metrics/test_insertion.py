"""Insertion: the area under the curve while salient pixels are shown."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.curves import Curve, insertion

from ..networks import affine, brightness, images, maps

INSERTION = METRICS["insertion"]


def test_by_hand():
    curve = Curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([[0.0, 0.5, 1.0], [0.3, 0.3, 0.3]]))
    assert insertion(curve).tolist() == pytest.approx([0.5, 0.3])


def test_closed_form_where_the_blur_changes_nothing():
    """An image of the channel means equals its own blur, so the curve is flat at p."""
    net = affine()
    x = net.mean.expand(2, 3, 16, 16)
    p = net(x).softmax(1)[:, 1]
    assert torch.allclose(INSERTION.fn(net, x, 1, maps(2)), p)


def test_the_right_order_inserts_fastest():
    """Bright dots on black are blurred over the border; the right map restores them first."""
    x = torch.zeros(2, 3, 16, 16)
    x[..., :2, :2] = x[..., -2:, -2:] = 1
    S = torch.stack([x[0, 0], 1 - x[0, 0]])
    right, wrong = INSERTION.fn(brightness(gain=40), x, 0, S, step=4).tolist()
    assert right > wrong + 0.01
    assert INSERTION.higher_is_better


def test_the_two_blurs_differ():
    net, x, S = affine(), images(), maps()
    assert INSERTION.options["blur"] == "rise" and INSERTION.options["step"] == 224
    box, gaussian = (
        INSERTION.fn(net, x, 1, S, step=32, blur=blur) for blur in ("rise", "gaussian")
    )
    assert not torch.allclose(box, gaussian, atol=1e-6)
