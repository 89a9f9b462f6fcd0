"""Linear approximation: activation times gradient, with its sign."""

import pytest
import torch

from lib.methods.hires_cam import hires_cam
from lib.methods.linear_approximation import linear_approximation
from lib.saliency import explain, upsample

from ..networks import NETWORKS, affine, images, non_linear, signed

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("network", NETWORKS)
def test_before_the_relu_it_is_hires_cam(network):
    net, x = NETWORKS[network](), images()
    assert torch.equal(linear_approximation(net, x, TARGET), hires_cam(net, x, TARGET))


def test_after_it_it_keeps_its_sign():
    net, x = non_linear(), images()
    M = upsample(linear_approximation(net, x, TARGET), (16, 16))
    assert (M < 0).any() and (M > 0).any(), "the test needs both signs"
    S = explain("linear_approximation", net, x, TARGET)
    low, high = M.amin((1, 2), keepdim=True), M.amax((1, 2), keepdim=True)
    assert torch.allclose(S, (M - low) / (high - low))
    assert not torch.allclose(S, explain("hires_cam", net, x, TARGET), atol=1e-2)
    shown = explain("linear_approximation", net, x, TARGET, signed=True)
    assert torch.equal(shown.sign(), M.sign())


@pytest.mark.parametrize("network", [affine, signed])
def test_of_a_head_that_is_linear_it_is_no_approximation(network):
    """The sum of the map is the gain of the logit over an activation of zero."""
    net, x = network(), images()
    y, y0 = net(x), net.head(torch.zeros_like(net.features(x)))
    gained = (y - y0).gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(linear_approximation(net, x, TARGET).sum((1, 2)), gained, atol=1e-10)
