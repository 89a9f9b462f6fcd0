"""The small AlexNet."""

import pytest
import torch

from lib import nets
from testbeds.architectures.alexnet import AlexNet, Convolution, convolutions


def test_strides_and_pooling_divide_the_grid():
    layers = [Convolution(4, 5, stride=2, pooled=True), Convolution(5, 3), Convolution(6, 3, 2)]
    assert convolutions(layers)(torch.rand(2, 3, 16, 24)).shape == (2, 6, 2, 3)


def test_logits():
    net = AlexNet(7, layers=[Convolution(4, 3, pooled=True)], grid=8, hidden=(5,))
    assert net(torch.rand(2, 3, 16, 16)).shape == (2, 7)


def test_it_is_cut_at_its_last_convolution_before_a_head_that_is_not_affine():
    net = nets.load("birds_alexnet", weights="random")
    assert net.layer == "features.16", "the ReLU of the fifth convolution"
    assert not net.affine_head and not net.needs_context
    x = torch.rand(2, 3, 64, 64)
    A = net.features(x)
    assert A.shape == (2, 64, 8, 8) and (A >= 0).all()
    torch.testing.assert_close(net.head(A), net(x))


def test_another_grid_is_an_error():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        AlexNet(7)(torch.rand(1, 3, 32, 32))
