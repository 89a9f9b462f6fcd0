"""A head in stages: columns of channels, and the row of a class."""

import pytest
import torch
from torch import nn

from lib import nets

from ..networks import (
    CHANNELS, CLASSES, HEADS, Affine, Headed, affine, headed, images, residual, seeded,
    untraceable, wrap,
)  # fmt: skip

ADDITIVE = [head for head in HEADS if head != "gated"]


@pytest.mark.parametrize("head", ADDITIVE)
def test_columns_are_what_each_channel_alone_adds(head):
    net = headed(head)
    A, stages = net.features(images(1)), net.stages
    nothing = stages.lead(torch.zeros_like(A))
    alone = torch.diag_embed(torch.ones(CHANNELS).double())[..., None, None] * A  # (K, K, h, w)
    want = stages.lead(alone) - nothing
    assert torch.allclose(stages.columns(A, torch.arange(CHANNELS)), want, atol=1e-12)
    some = torch.tensor([4, 1])
    assert torch.allclose(stages.columns(A, some), want[some], atol=1e-12)
    assert torch.allclose(nothing + want.sum(0), stages.lead(A), atol=1e-12)


@pytest.mark.parametrize("head", ADDITIVE)
def test_the_stages_make_the_head(head):
    net, x = headed(head), images()
    A, stages = net.features(x), net.stages
    z = stages.lead(A)
    h = stages.middle(z.clone())
    assert torch.allclose(stages.end(h), net.head(A), atol=1e-12)
    for c in range(CLASSES):
        weight, bias = stages.row(z, c)
        assert torch.allclose((h * weight).flatten(1).sum(1) + bias, net.head(A)[:, c], atol=1e-10)


class Around(Affine):
    """A branch goes round the first convolution of the head, so that it alone decides nothing."""

    def __init__(self):
        super().__init__()
        self.branch = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        return self.classifier(self.pool((self.branch(A) + A).relu()).flatten(1))


class Mixed(Headed):
    """Channels meet in a product before the first linear layer."""

    def __init__(self):
        super().__init__("hidden")
        self.middle.insert(0, nn.Softmax(dim=1))


@pytest.mark.parametrize(
    "network",
    [affine, residual, untraceable, lambda: headed("gated"), lambda: wrap(seeded(Around())),
     lambda: wrap(seeded(Mixed()))],
)  # fmt: skip
def test_other_heads_have_none(network):
    assert network().stages is None


def test_stages_follow_the_network_to_another_dtype():
    net, x = headed("deep"), images()
    assert net.stages.lead(net.features(x)).dtype == torch.float64
    net.float()
    A = net.features(x.float())
    assert torch.allclose(
        net.stages.end(net.stages.middle(net.stages.lead(A))), net.head(A), atol=1e-4
    )


def test_the_last_block_of_an_efficientnet_begins_additively():
    net = nets.load("tf_efficientnet_lite0", weights="random", layer="blocks.6")
    A = net.features(torch.rand(1, 3, 224, 224))
    z = net.stages.lead(A)
    columns = net.stages.columns(A, torch.arange(A.shape[1]))
    assert columns.shape == (320, 1280, 7, 7)
    error = (net.stages.lead(torch.zeros_like(A)) + columns.sum(0) - z).abs().max() / z.abs().max()
    assert error < 1e-5
