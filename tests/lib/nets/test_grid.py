"""Layouts other than maps (B, K, h, w), on small networks."""

import pytest
import torch

from lib import nets
from lib.nets.activation import context_of
from lib.nets.grid import Grid

from .small import SIZE, ChannelsLast, Tokens, images, output_of, seeded


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 8)])
def test_tokens_become_a_grid(prefix, size):
    model, x = seeded(Tokens, prefix=prefix), images(size=size)
    net = nets.wrap(model, "norm", input_size=32)
    A, (h, w) = net.features(x), (size[0] // 4, size[1] // 4)
    assert A.shape == (2, 6, h, w)
    tokens = output_of(model, "norm", x)[:, prefix:]  # (B, N, 6), raster order
    torch.testing.assert_close(torch.Tensor(A[:, :, 1, 1].detach()).double(), tokens[:, w + 1])
    torch.testing.assert_close(net.head(A), model(x))
    torch.testing.assert_close(net.head(A.detach().clone() * 1, context_of(A)), model(x))


def test_declared_prefix_tokens_are_believed():
    """25 tokens are a square; a network that declares 9 prefix tokens has a grid of 4 x 4."""
    model = seeded(Tokens, prefix=9)
    assert nets.wrap(model, "norm", input_size=16).features(images()).shape == (2, 6, 5, 5)
    model.num_prefix_tokens = 9
    assert nets.wrap(model, "norm", input_size=16).features(images()).shape == (2, 6, 4, 4)


def test_tokens_that_hold_no_grid_are_refused():
    with pytest.raises(ValueError, match="16 tokens are no grid of an image"):
        Grid(torch.Size([2, 16, 6]), (16, 16), 0, "norm").split(torch.zeros(2, 16, 6), (16, 40))


@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_channels_last_become_channels_first(size):
    model, x = seeded(ChannelsLast), images(size=size)
    net = nets.wrap(model, "mix", input_size=SIZE)
    A = net.features(x)
    torch.testing.assert_close(A, output_of(model, "mix", x).permute(0, 3, 1, 2))
    torch.testing.assert_close(net.head(A), model(x))
