"""The logit of one class: what it reads of a head."""

import pytest
import torch
from torch import nn

from lib import nets
from lib.methods.coalition_game import CoalitionGame, coalition_game

from ..networks import CLASSES, HEADS, Affine, affine, headed, images, seeded, untraceable, wrap


@pytest.mark.parametrize("head", HEADS)
def test_it_is_the_logit(head):
    net = headed(head)
    A = net.features(images())
    for c in range(CLASSES):
        one = net.one_logit(c, A[:1])
        assert torch.allclose(one(one.hidden.forward(A.clone())), net.head(A)[:, c], atol=1e-10)


class Fire(Affine):
    """Behind the maps two convolutions beside each other; the classes are channels, with a ReLU."""

    def __init__(self):
        super().__init__()
        width = self.conv.out_channels
        self.left, self.right = nn.Conv2d(width, 4, 1), nn.Conv2d(width, 4, 3, padding=1)
        self.classifier = nn.Conv2d(8, CLASSES, 1)

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        both = torch.cat([self.left(A).relu(), self.right(A).relu()], 1)
        return self.pool(self.classifier(both).relu()).flatten(1)


def test_channels_that_are_not_read_are_not_computed():
    net = wrap(seeded(Fire()))
    A = net.features(images())
    for c in range(CLASSES):
        one = net.one_logit(c, A[:1])
        h = one.hidden.forward(A.clone())
        assert h.shape[1] == 1
        assert torch.allclose(one(h), net.head(A)[:, c], atol=1e-10)


class Functional(Affine):
    """Its classifier is no module: the weights are an input of a function."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(self.conv.out_channels, 6)
        self.weight = nn.Parameter(torch.randn(CLASSES, 6))

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        return nn.functional.linear(self.hidden(self.pool(A).flatten(1)).relu(), self.weight)


def test_a_classifier_that_is_a_function():
    net = wrap(seeded(Functional()))
    A = net.features(images())
    for c in range(CLASSES):
        one = net.one_logit(c, A[:1])
        assert torch.allclose(one(one.hidden.forward(A.clone())), net.head(A)[:, c], atol=1e-10)


def test_branches_begin_additively():
    net, target = wrap(seeded(Fire())), torch.tensor([2])
    A, context = net.cut(images(1))
    fast = coalition_game(net, A, context, target)
    slow = CoalitionGame(net, A, context, target, "logit", None)
    players = len(slow.players)
    orderings = torch.rand(3, players, generator=torch.Generator().manual_seed(0)).argsort(1)
    assert net.one_logit(2, A).additive is not None and net.additive_head is None
    assert torch.allclose(fast.drops(), slow.drops(), atol=1e-10)
    added = [game.marginal_contributions(orderings) for game in (fast, slow)]
    assert torch.allclose(*added, atol=1e-10)


@pytest.mark.parametrize("network", [affine, untraceable])
def test_other_heads_have_none(network):
    net = network()
    assert net.one_logit(0, net.features(images(1))) is None


def test_it_follows_the_network_to_another_dtype():
    net, x = headed("deep"), images()
    net.one_logit(0, net.features(x)[:1])
    net.float()
    A = net.features(x.float())
    one = net.one_logit(0, A[:1])
    assert torch.allclose(one(one.hidden.forward(A.clone())), net.head(A)[:, 0], atol=1e-4)


def test_squeezenet_computes_one_class_of_a_thousand():
    net = nets.load("torchvision:squeezenet1_1", weights="random", layer="features.12")
    A = net.features(torch.rand(1, 3, 227, 227))
    assert net.one_logit(7, A).weight.numel() == 14 * 14


def test_images_of_two_sizes_at_once():
    """What was learnt at one size is not taken for another."""
    net = nets.load("torchvision:squeezenet1_1", weights="random", layer="features.12")
    for side in (227, 96, 227):
        A = net.features(torch.rand(1, 3, side, side))
        one = net.one_logit(7, A)
        assert torch.allclose(one(one.hidden.forward(A.clone())), net.head(A)[:, 7], atol=1e-5)
