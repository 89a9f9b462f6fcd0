"""What is known of a traced head."""

import torch
from torch import nn

from lib import nets


def test_a_head_that_ends_a_normalisation_in_an_activation_is_not_affine():
    from timm.layers import BatchNormAct2d

    def network(act):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=act), nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 5))

    assert not nets.wrap(network(nn.ReLU), "0", input_size=16).affine_head
    assert nets.wrap(network(nn.Identity), "0", input_size=16).affine_head
