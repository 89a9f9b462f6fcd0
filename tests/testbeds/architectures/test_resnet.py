"""The small residual network."""

import pytest
import torch

from lib import nets
from testbeds.architectures.resnet import Block, ResNet


@pytest.mark.parametrize(("before", "stride"), [(4, 1), (4, 2), (3, 1)])
def test_a_block_adds_to_what_it_is_given(before, stride):
    block, x = Block(before, 4, stride).eval(), torch.rand(2, before, 8, 6)
    with torch.no_grad():
        block.convolutions[-1].weight.zero_()
        out = block(x)
        assert torch.equal(out, block.shortcut(x).relu())
    assert out.shape == (2, 4, 8 // stride, 6 // stride)
    assert isinstance(block.shortcut, torch.nn.Identity) == ((before, stride) == (4, 1))


def test_logits():
    assert ResNet(7, widths=(4, 6))(torch.rand(2, 3, 16, 16)).shape == (2, 7)


@pytest.mark.parametrize("name", ["radiographs_resnet", "endoscopy_resnet"])
def test_it_is_cut_at_its_last_activation_before_an_affine_head(name):
    net = nets.load(name, weights="random")
    A = net.features(torch.rand(2, 3, 64, 64))
    assert A.shape == (2, 96, 8, 8) and A.min() == 0
    assert net.affine_head
