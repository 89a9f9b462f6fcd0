"""The small VGG."""

import pytest
import torch

from testbeds.architectures.vgg import VGG, convolutions


def test_every_block_halves_the_grid():
    assert convolutions([(4, 5), (6,)])(torch.rand(2, 3, 16, 12)).shape == (2, 6, 4, 3)


def test_logits():
    assert VGG(7, blocks=[(4,), (6,)], size=16, hidden=(5,))(torch.rand(2, 3, 16, 16)).shape == (
        2,
        7,
    )


def test_too_many_blocks_for_the_image():
    with pytest.raises(ValueError, match="4 blocks need images of 16, got 8"):
        VGG(7, size=8)
