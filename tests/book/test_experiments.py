"""A network with the images that a page shows it."""

import pytest
import torch

from lib import data
from book.experiments import (
    COSINE_25,
    COSINE_40,
    Case,
    affordable,
    boxed,
    by_cost,
    contested,
    heads,
    pairs,
    settings,
)
from lib.errors import UnknownName
from lib.methods import METHODS
from book.parameters import PROFILES

PARAMETERS = {"network": "", "layer": "", "dataset": "", "n_images": 0, "published": 1000}


def test_a_case_opens_under_its_title_at_the_networks_size():
    net, images = Case("tf_efficientnet_lite0", "imagenet_embedded", "blocks.6", 3, "inside").open(
        weights="random"
    )
    assert (net.name, net.layer) == ("inside", "blocks.6")
    assert len(images) == 3 and images.size == (224, 224)


def test_an_untitled_case_is_called_by_its_network():
    assert (
        Case("scenes_vgg_quick", "scenes", n=1).open(weights="random")[0].name == "scenes_vgg_quick"
    )


def test_a_network_of_ones_own_is_the_only_case():
    one = PARAMETERS | {"network": "mine", "layer": "act", "dataset": "folder", "n_images": 7}
    for profile in ("smoke", "embedded", "paper"):
        assert heads(profile, **one) == [Case("mine", "folder", "act", 7)]


def test_the_profiles_choose():
    assert [case.n for case in heads("smoke", **PARAMETERS)] == [2, 2]
    assert [case.n for case in heads("embedded", **PARAMETERS)] == [10, 20, 10]
    assert [case.n for case in heads("paper", **PARAMETERS)] == [1000]
    assert {case.n for case in heads("embedded", **PARAMETERS | {"n_images": 4})} == {4}
    with pytest.raises(UnknownName, match="profile 'full'"):
        heads("full", **PARAMETERS)


def test_score_cam_is_spared_behind_an_affine_head():
    methods = ["grad_cam", "score_cam"]
    affine = Case("tf_efficientnet_lite0", "imagenet_embedded").open(weights="random")[0]
    other = Case("scenes_vgg_quick", "scenes", n=1).open(weights="random")[0]
    assert affordable(methods, affine, "embedded") == ["grad_cam"]
    assert affordable(methods, affine, "paper") == affordable(methods, other, "smoke") == methods


def test_boxed_images_are_photographs_and_scenes():
    given = {name: value for name, value in PARAMETERS.items() if name != "published"}
    for profile, counts in {"smoke": [2, 2], "embedded": [10, 30], "paper": [None, None]}.items():
        assert [case.n for case in boxed(profile, **given)] == counts
    for case in boxed("smoke", **given):
        images = case.open(weights="random")[1]
        assert all(sample.boxes.shape[1] == 4 and len(sample.boxes) for sample in images)
    assert boxed("paper", **given | {"network": "mine"}) == [Case("mine", "imagenet")]


def test_methods_of_many_passes_see_every_second_photograph():
    images = data.load("imagenet_embedded")
    methods = {m: (m, {}) for m in ("grad_cam", "score_cam", "lime")}
    (light, all_of_them), (dear, some) = by_cost(methods, images, "embedded")
    assert light.keys() == {"grad_cam"} and dear.keys() == {"score_cam", "lime"}
    assert all_of_them is images and some.ids == images.ids[::2]
    assert some.ids == data.load("imagenet_embedded", limit=10).ids  # so that pages share maps
    assert by_cost(methods, images, "paper") == [(methods, images)]
    assert by_cost({"a": ("cam", {})}, images, "embedded") == [({"a": ("cam", {})}, images)]


def test_pairs_are_crops_of_photographs_and_birds():
    given = {name: value for name, value in PARAMETERS.items() if name != "published"}
    assert [case.n for case in pairs("embedded", **given)] == [None, 160, 160]
    assert len(pairs("paper", **given)) == 2 * 5 and not any(
        c.cropped for c in pairs("paper", **given)
    )
    photographs, birds = pairs("smoke", **given)
    images = photographs.open(weights="random")[1]
    assert (len(images), len({sample.group for sample in images})) == (12, 2)
    assert birds.open(weights="random")[1].name == "birds"


def test_a_network_of_this_project_comes_with_its_dataset():
    given = {"layer": "", "dataset": "", "n_images": 3}
    [case] = pairs("paper", network="birds_vgg", **given)
    assert case == Case("birds_vgg", "birds", n=3)
    assert pairs("paper", network="resnet18", **given) == [Case("resnet18", "imagenet", n=3)]
    with pytest.raises(ValueError, match="birds is drawn, not read from files"):
        case.open(weights="random", root="/elsewhere")


@pytest.fixture(scope="module")
def birds():
    return Case("birds_alexnet", "birds", n=24).open(weights="random")


def test_contested_images_have_a_second_class_above_the_threshold(birds):
    net, images = birds
    p = net(torch.stack([sample.image for sample in images])).softmax(1).topk(2)
    threshold = between(p.values[:, 1])
    found = contested(net, images, threshold=threshold)
    chosen = (p.values[:, 1] > threshold).nonzero().flatten().tolist()
    assert 0 < len(chosen) < 24 and found.data.ids == images.subset(chosen).ids
    assert [list(two) for two in zip(found.first, found.second)] == p.indices[chosen].tolist()


def test_contested_images_do_not_depend_on_the_batch(birds):
    net, images = birds
    threshold = between(net(torch.stack([s.image for s in images])).softmax(1).topk(2).values[:, 1])
    one, two = (contested(net, images, threshold=threshold, batch_size=b) for b in (5, 24))
    assert (one.data.ids, one.first, one.second) == (two.data.ids, two.first, two.second)


def between(p) -> float:
    """A threshold in the middle of these probabilities, and none of them."""
    return p.sort().values[len(p) // 2 - 1 :][:2].mean().item()


def test_none_is_contested_above_one_half(birds):
    assert contested(*birds, threshold=0.5) == (birds[1].subset([]), (), ())


def test_settings_name_options_that_the_methods_have():
    for profile in PROFILES:
        for method, options in settings(profile).items():
            assert options.keys() <= METHODS[method].options.keys()
    for schedule in (COSINE_25, COSINE_40):
        assert schedule.keys() <= METHODS["opti_cam"].options.keys()
        assert schedule["iterations"] < settings("embedded")["opti_cam"]["iterations"]
        for profile in PROFILES:
            brief = {"opti_cam": schedule} if profile == "embedded" else {}
            assert settings(profile, schedule=schedule) == settings(profile) | brief
