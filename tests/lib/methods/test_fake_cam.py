"""Fake-CAM: a map of ones with one zero."""

import pytest
import torch

from lib.metrics import METRICS
from lib.saliency import explain

from ..networks import NETWORKS, affine, images


def ones_with_a_zero(n, size):
    S = torch.ones(n, *size, dtype=torch.float64)
    S[:, 0, 0] = 0
    return S


@pytest.mark.parametrize("network", NETWORKS)
def test_it_is_ones_with_the_top_left_pixel_zero(network):
    assert torch.equal(
        explain("fake_cam", NETWORKS[network](), images(), 0), ones_with_a_zero(4, (16, 16))
    )


def test_it_is_as_large_as_the_image():
    assert torch.equal(
        explain("fake_cam", affine(), images(2, (12, 20)), 0), ones_with_a_zero(2, (12, 20))
    )


def test_it_knows_neither_image_nor_class():
    net = affine()
    S = explain("fake_cam", net, images(3, seed=5), torch.tensor([0, 1, 2]))
    assert torch.equal(S, explain("fake_cam", net, images(3, seed=6), torch.tensor([4, 3, 2])))


def test_metrics_cannot_tell_it_from_the_whole_image():
    net, x = affine(), images(4, (128, 128))
    target = net(x).argmax(1)
    S = explain("fake_cam", net, x, target)
    assert METRICS["average_drop"].fn(net, x, target, S).max() < 1e-3
    assert METRICS["average_gain"].fn(net, x, target, S).max() < 1e-3
