"""The target's probability before and after masking."""

import math

import pytest
import torch

from lib.metrics.confidence import deleted, preserved, probability

from ..networks import NETWORKS, affine, brightness, images, maps, normalised

TARGET = torch.tensor([0, 1, 2, 3])


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize("network", NETWORKS)
def test_textbook(network):
    """One image at a time, on the bare network."""
    net, x, S = NETWORKS[network](), images(), maps()
    with torch.no_grad():
        kept, cut = preserved(net, x, TARGET, S), deleted(net, x, TARGET, S)
        for i, c in enumerate(TARGET.tolist()):

            def p(image, c=c):
                return net.model(normalised(net, image[None])).softmax(1)[0, c]

            assert kept.p[i] == pytest.approx(p(x[i]).item()) == cut.p[i]
            assert kept.o[i] == pytest.approx(p(x[i] * S[i]).item())
            assert cut.o[i] == pytest.approx(p(x[i] * (1 - S[i])).item())


def test_closed_form_on_brightness():
    """White under a mask s is as bright as s."""
    net, white = brightness(gain=4, shift=1), torch.ones(3, 3, 16, 16).double()
    S = torch.tensor([0.0, 0.25, 1.0]).double().view(3, 1, 1).expand(3, 16, 16)
    kept, cut = (f(net, white, torch.zeros(3, dtype=torch.long), S) for f in (preserved, deleted))
    assert kept.p.tolist() == pytest.approx([sigmoid(3)] * 3)
    assert kept.o.tolist() == pytest.approx([sigmoid(4 * s - 1) for s in (0, 0.25, 1)])
    assert cut.o.tolist() == pytest.approx([sigmoid(4 * (1 - s) - 1) for s in (0, 0.25, 1)])


def test_cutting_out_is_keeping_the_complement():
    net, x, S = affine(), images(), maps()
    assert torch.equal(deleted(net, x, TARGET, 1 - S).o, preserved(net, x, TARGET, 1 - (1 - S)).o)


def test_masked_is_black_or_the_channel_mean():
    net, x, S = affine(), images(), torch.zeros(4, 16, 16).double()
    black, mean = torch.zeros_like(x), net.mean.expand_as(x)
    assert torch.allclose(preserved(net, x, TARGET, S).o, probability(net, black, TARGET))
    grey = preserved(net, x, TARGET, S, masking="normalized").o
    assert torch.allclose(grey, probability(net, mean, TARGET))
    assert not torch.allclose(grey, probability(net, black, TARGET), atol=1e-3)


def test_a_sure_network_is_measured_in_double_precision():
    """In single precision 1 - p would be 0 here, and a gain 0 or infinite."""
    net = brightness(gain=25, shift=0).float()
    p = probability(net, torch.ones(1, 3, 16, 16), torch.tensor([0]))
    assert p.dtype == torch.float64
    assert 1 - p.item() == pytest.approx(math.exp(-25), rel=1e-3)
