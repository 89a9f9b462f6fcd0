"""Arithmetic, counted: products, convolutions, forward and backward passes."""

import pytest
import torch
from torch import nn

from book.reference.work import operations, passes
from lib import nets
from lib.saliency import explain


def test_a_product_of_matrices():
    assert operations(lambda: torch.ones(2, 3) @ torch.ones(3, 4)) == 2 * 2 * 3 * 4


def test_a_convolution_and_its_backward_pass():
    x, layer = torch.ones(1, 3, 8, 8, requires_grad=True), nn.Conv2d(3, 4, 3, bias=False)
    layer.requires_grad_(False)
    once = 2 * 4 * 6 * 6 * 3 * 9
    assert operations(lambda: layer(x)) == once
    assert operations(lambda: torch.autograd.grad(layer(x).sum(), x)) == 2 * once


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU()
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
    return nets.wrap(model, mean=(0.5,) * 3, std=(0.5,) * 3, input_size=16)


def test_work_is_told_in_passes(net):
    x = torch.rand(1, 3, 16, 16)
    assert passes(net, lambda: net(x)) == 1
    assert passes(net, lambda: net(x.repeat(7, 1, 1, 1))) == 7
    assert passes(net, lambda: explain("fake_cam", net, x, 0)) == 0
    lime = passes(net, lambda: explain("lime", net, x, 0, n=25))
    assert 25 <= lime < 27  # and the linear model
    score = passes(net, lambda: explain("score_cam", net, x, 0))
    assert 1 < passes(net, lambda: explain("grad_cam", net, x, 0)) < 2 < score


@pytest.mark.parametrize("method", ["grad_cam", "score_cam", "opti_cam"])
def test_what_is_not_computed_counts_the_same(net, method):
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))

    def counted(computed):
        return operations(lambda: explain(method, net, x, 0), computed=computed)

    assert counted(False) == counted(True) > 0


def test_what_is_not_computed_is_made_up():
    made_up = []
    operations(lambda: made_up.append(torch.full((2, 3), 9.0) @ torch.ones(3, 4)), computed=False)
    assert made_up[0].shape == (2, 4) and (made_up[0] < 1).all()
