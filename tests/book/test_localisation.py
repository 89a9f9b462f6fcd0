"""Maps for localisation, by the network's kind."""

import pytest
import torch

from book import Page
from book.localisation import localising_maps
from lib import data, nets
from lib.saliency import explain


@pytest.fixture
def page(tmp_path, monkeypatch):
    found = Page("calm/04_wsol", {"profile": "smoke"})
    monkeypatch.setattr(found, "store", tmp_path)
    return found


def test_of_a_network_that_pools_they_are_cams(page):
    photographs = data.load("imagenet_embedded", limit=2, size=64)
    net = nets.load("resnet18", weights="random")
    maps = localising_maps(page, net, photographs)
    assert list(maps) == ["cam", "cam_superset"]
    x = torch.stack([sample.image for sample in photographs])
    assert torch.allclose(
        maps["cam"], explain("cam", net, x, torch.tensor(photographs.targets)), atol=1e-4
    )
    assert all(S.shape == (2, 64, 64) and 0 <= S.min() and S.max() <= 1 for S in maps.values())


def test_of_a_layer_with_a_channel_a_class_they_are_its_channels(page):
    photographs = data.load("imagenet_embedded", limit=2, size=64)
    net = nets.load("torchvision:squeezenet1_1", weights="random", layer="classifier.1")
    maps = localising_maps(page, net, photographs, "mine")
    assert list(maps) == ["mine", "mine_superset"]
    assert not torch.equal(maps["mine"], maps["mine_superset"])


def test_of_a_calm_they_are_its_joint_probability(page):
    birds = data.load("wsol_birds", limit=3)
    net = nets.load("birds_calm_em_quick", weights="random")
    maps = localising_maps(page, net, birds, "calm_em")
    x = torch.stack([sample.image for sample in birds])
    target = torch.tensor(birds.targets)
    assert torch.allclose(maps["calm_em"], explain("calm", net, x, target), atol=1e-5)
    every = explain("calm", net, x, target, superset=range(24))
    assert torch.allclose(maps["calm_em_superset"], every, atol=1e-5)


def test_a_network_that_makes_maps_in_training_gives_those(page):
    birds = data.load("wsol_birds", limit=3)
    net = nets.load("birds_acol_quick", weights="random")
    maps = localising_maps(page, net, birds, "acol")
    assert list(maps) == ["acol"] and maps["acol"].shape == (3, 64, 64)
