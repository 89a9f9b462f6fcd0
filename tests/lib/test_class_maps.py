"""Class maps of networks, and their sums."""

import pytest
import torch

from lib import nets
from lib.class_maps import class_maps, over_supersets
from lib.saliency import explain, finish

from .networks import CLASSES, affine, images, non_linear


def test_they_are_those_of_cam():
    net, x = affine(), images()
    f = class_maps(net, x)
    for c in range(CLASSES):
        assert torch.allclose(finish("cam", f[:, c], (16, 16)), explain("cam", net, x, c))


def test_their_sums_are_those_of_cam_over_a_superset():
    net, x = affine(), images()
    some, all_ = [1, 3], range(CLASSES)
    members = torch.zeros(2, CLASSES, dtype=torch.bool)
    members[0, some] = members[1] = True
    found = over_supersets(class_maps(net, x), members)
    for maps, superset in zip(found.unbind(1), (some, all_)):
        want = explain("cam", net, x, 3, superset=superset)
        assert torch.allclose(finish("cam", maps, (16, 16)), want, atol=1e-9)
    assert torch.allclose(over_supersets(class_maps(net, x), members.expand(4, 2, -1)), found)


def test_a_flat_map_adds_nothing():
    f = torch.tensor([[[[1.0, 1.0]], [[0.0, 2.0]]]])
    assert over_supersets(f, torch.ones(1, 2)).tolist() == [[[[0, 1]]]]


def test_a_layer_with_a_channel_a_class():
    x = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    net = nets.load("torchvision:squeezenet1_1", weights="random", layer="classifier.1")
    f = class_maps(net, x)
    assert f.shape[:2] == (2, 1000)
    assert torch.allclose(f.relu().mean((2, 3)), net(x), atol=1e-5)


def test_other_heads_are_refused():
    with pytest.raises(
        ValueError, match="class maps need a head that pools and has one linear layer"
    ):
        class_maps(non_linear(), images())
