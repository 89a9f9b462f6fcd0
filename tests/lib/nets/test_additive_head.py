"""A head in additive form: columns of channels."""

import pytest
import torch
from torch import nn

from lib import nets
from lib.methods import METHODS

from ..networks import (
    CHANNELS, HEADS, Affine, Headed, affine, headed, images, residual, seeded,
    untraceable, wrap,
)  # fmt: skip

ADDITIVE = [head for head in HEADS if head != "gated"]


@pytest.mark.parametrize("head", ADDITIVE)
def test_columns_are_what_each_channel_alone_adds(head):
    net = headed(head)
    A, parts = net.features(images(1)), net.additive_head
    nothing = parts.lead(torch.zeros_like(A))
    alone = torch.diag_embed(torch.ones(CHANNELS).double())[..., None, None] * A  # (K, K, h, w)
    want = parts.lead(alone) - nothing
    assert torch.allclose(parts.columns(A, torch.arange(CHANNELS)), want, atol=1e-12)
    some = torch.tensor([4, 1])
    assert torch.allclose(parts.columns(A, some), want[some], atol=1e-12)
    assert torch.allclose(nothing + want.sum(0), parts.lead(A), atol=1e-12)


@pytest.mark.parametrize("head", ADDITIVE)
def test_its_parts_make_the_head(head):
    net, x = headed(head), images()
    A, parts = net.features(x), net.additive_head
    z = parts.lead(A)
    h = parts.middle(z.clone())
    assert torch.allclose(parts.end(h), net.head(A), atol=1e-12)


class Around(Affine):
    """A branch goes round the first convolution of the head, so that it alone decides nothing."""

    def __init__(self):
        super().__init__()
        self.branch = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        return self.classifier(self.pool((self.branch(A) + A).relu()).flatten(1))


class TwoPoolings(Headed):
    """The maximum and the mean of each channel, one behind the other, before a linear layer."""

    def __init__(self):
        super().__init__("hidden")
        self.mean, self.largest = nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1)
        self.hidden = nn.Linear(2 * CHANNELS, 12)
        self.classifier = nn.Linear(12, self.classifier.out_features)

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        pooled = torch.cat([self.largest(A), self.mean(A)], 1).flatten(1)
        return self.classifier(self.hidden(pooled).relu())


def test_poolings_side_by_side_are_no_columns():
    net, x = wrap(seeded(TwoPoolings())), images(1)
    assert net.additive_head is None
    A, target = net.features(x), torch.tensor([1])
    delta = net.head(A)[:, 1] - torch.cat(
        [net.head(A * (torch.arange(CHANNELS) != k).view(-1, 1, 1))[:, 1] for k in range(CHANNELS)]
    )
    alpha = METHODS["ablation_cam"].coefficients(net, x, target)[0][0]
    torch.testing.assert_close(alpha / alpha.abs().max(), delta / delta.abs().max())


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
    assert network().additive_head is None


def test_it_follows_the_network_to_another_dtype():
    net, x = headed("deep"), images()
    assert net.additive_head.lead(net.features(x)).dtype == torch.float64
    net.float()
    A = net.features(x.float())
    assert torch.allclose(
        net.additive_head.end(net.additive_head.middle(net.additive_head.lead(A))),
        net.head(A),
        atol=1e-4,
    )


def test_the_last_block_of_an_efficientnet_begins_additively():
    net = nets.load("tf_efficientnet_lite0", weights="random", layer="blocks.6")
    A = net.features(torch.rand(1, 3, 224, 224))
    z = net.additive_head.lead(A)
    columns = net.additive_head.columns(A, torch.arange(A.shape[1]))
    assert columns.shape == (320, 1280, 7, 7)
    error = (
        net.additive_head.lead(torch.zeros_like(A)) + columns.sum(0) - z
    ).abs().max() / z.abs().max()
    assert error < 1e-5
