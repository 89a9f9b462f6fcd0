"""A network without a classifier: its features are there, its logits are refused."""

import copy
import pickle

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lib import nets, saliency
from lib.methods import METHODS
from lib.nets.replay_cut import ReplayCut

SIZE = 16


@pytest.fixture
def net():
    torch.manual_seed(0)
    options = dict(img_size=SIZE, patch_size=4, embed_dim=8, depth=2, num_heads=2)
    return nets.wrap(VisionTransformer(num_classes=0, **options), input_size=SIZE, name="backbone")


@pytest.fixture
def x():
    return torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def test_it_has_features_and_no_classes(net, x):
    assert (net.num_classes, net.layer, net.affine_head) == (0, "blocks.1.norm1", False)
    assert net.additive_head is None and net.classes is None
    assert net.features(x).shape == (2, 8, 4, 4)


@pytest.mark.parametrize("untraceable", [False, True])
def test_a_backbone_of_convolutions_is_cut_after_the_last(untraceable):
    """That convolution has as many channels as there are pooled features, but makes no classes."""
    branch = Branch() if untraceable else nn.Identity()
    body = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU()
    model = nn.Sequential(*body, branch, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.num_classes = 0
    net = nets.wrap(model, input_size=SIZE)
    assert isinstance(net._cut, ReplayCut) == untraceable
    assert (net.layer, net.num_classes) == ("3", 0)


class Branch(nn.Identity):
    """The identity, with control flow that depends on the data."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > -1e9 else -x

    __module__ = "elsewhere"  # so that tracing enters it


def test_logits_are_refused(net, x):
    for ask in (lambda: net(x), lambda: net.head(net.features(x))):
        with pytest.raises(ValueError, match="backbone has no classifier.*raw_attention"):
            ask()


KNOW_NO_CLASS = {"fake_cam", "raw_attention", "rollout", "diff_cam"}
HAS_ITS_OWN_HEAD = {"calm"}


@pytest.mark.parametrize("name", sorted(METHODS.keys() - KNOW_NO_CLASS - HAS_ITS_OWN_HEAD))
def test_methods_that_need_a_class_are_refused(net, x, name):
    with pytest.raises(ValueError, match="backbone has no classifier"):
        saliency.explain(name, net, x)


@pytest.mark.parametrize("name", sorted(KNOW_NO_CLASS))
def test_methods_that_know_no_class_run(net, x, name):
    options = {"reference": torch.rand(5, net.features(x).shape[1])} if name == "diff_cam" else {}
    S = saliency.explain(name, net, x, **options)
    assert S.shape == (2, *x.shape[2:])
    assert torch.equal(saliency.explain(name, net, x, 7, **options), S)  # whatever class is named


def test_it_is_told_from_another_and_survives_copying(net):
    other = copy.deepcopy(net.model)
    other.blocks[1].mlp.fc2.weight[0, 0] += 1
    assert net.like(other).fingerprint != net.fingerprint
    again = pickle.loads(pickle.dumps(net))
    assert again.num_classes == 0 and again.fingerprint == net.fingerprint
