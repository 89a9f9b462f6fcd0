"""Mean saliency."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.adcc import mean_saliency
from lib.saliency import explain

from ..networks import affine, images, maps


def test_by_hand():
    S = torch.tensor([[[0.0, 1.0], [0.5, 0.1]], [[1.0, 1.0], [1.0, 1.0]]])
    assert mean_saliency(S).tolist() == pytest.approx([0.4, 1])


def test_the_network_has_no_say():
    S, fn = maps(), METRICS["mean_saliency"].fn
    assert torch.equal(fn(affine(), images(), 0, S), fn(affine(), images(seed=7), 3, S))
    assert torch.allclose(fn(affine(), images(), 0, S), S.mean((1, 2)))


def test_fake_cam_covers_all_but_a_pixel():
    net, x = affine(), images()
    S = explain("fake_cam", net, x, 0)
    assert METRICS["mean_saliency"].fn(net, x, 0, S).tolist() == pytest.approx([255 / 256] * 4)
