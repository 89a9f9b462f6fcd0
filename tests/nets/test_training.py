"""Training itself: seeded, traceless, and its options."""

from dataclasses import replace

import pytest
import torch

from lib import data
from lib.errors import UnknownName
from lib.nets import training

from . import tiny


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)


def fit(recipe=tiny.PLAIN, **changes) -> training.Trained:
    train, test = (data.load(recipe.dataset, split=split) for split in ("train", "test"))
    return training.fit(replace(recipe, **changes), train, test, "cpu")


def same(one: training.Trained, two: training.Trained) -> bool:
    return all(torch.equal(one.state_dict[key], two.state_dict[key]) for key in one.state_dict)


def test_it_is_seeded_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = fit()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert same(one, fit()) and not same(one, fit(seed=1))


@pytest.mark.parametrize("recipe", [tiny.PLAIN, tiny.ASKING], ids=lambda recipe: recipe.name)
def test_images_decoded_in_every_epoch_serve_as_well(recipe):
    assert fit(recipe, in_memory=False).accuracy >= recipe.floor


def test_every_option_takes_part():
    base = fit()
    options = [{"shift": 0}, {"flip": False}, {"label_smoothing": 0.1}, {"weight_decay": 0.5}]
    options += [{"warmup": 0.5}, {"mean": (0.1, 0.2, 0.3)}, {"optimizer": "sgd"}]
    assert not any(same(base, fit(**option)) for option in options)


def test_frozen_submodules_stay_as_they_begin():
    found = fit(frozen=("features",), floor=0)
    begin = training.start(tiny.PLAIN, found.arguments).state_dict()
    kept = {key for key in begin if torch.equal(begin[key], found.state_dict[key])}
    assert {key for key in begin if key.startswith("features")} <= kept < begin.keys()


def test_pretrained_submodules_begin_with_the_manifests_weights():
    """As EfficientNet-Lite0 whole, and in part, without its classifier."""
    import timm

    whole = training.load_weights(
        training.build("tf_efficientnet_lite0"), "tf_efficientnet_lite0", None
    )
    recipe = replace(
        tiny.PLAIN,
        build=lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0),
        pretrained=(("", "tf_efficientnet_lite0"),),
    )
    part, whole = training.start(recipe, {}).state_dict(), whole.state_dict()
    assert "classifier.weight" not in part and all(
        torch.equal(part[key], whole[key]) for key in part
    )


def test_an_image_is_drawn_once_for_all_its_questions(monkeypatch):
    drawn, sample = [], tiny.Patch.sample
    monkeypatch.setattr(tiny.Patch, "sample", lambda *a: drawn.append(a[0].seed) or sample(*a))
    fit(tiny.ASKING)
    assert sorted(drawn) == list(range(90))


def test_shifted_images_hold_the_same_picture():
    x = torch.zeros(20, 3, 9, 9)
    x[:, :, 4, 4] = 1
    torch.manual_seed(0)
    moved = training._augmented(replace(tiny.PLAIN, shift=2, flip=False), x)
    assert (moved.sum((1, 2, 3)) == 3).all() and moved.shape == x.shape
    rows = moved[:, 0].amax(2).argmax(1)
    assert set(rows.tolist()) == {2, 3, 4, 5, 6}


def test_an_unknown_optimizer_lists_those_that_there_are():
    with pytest.raises(UnknownName, match="unknown optimizer 'adam' .*valid: adamw, sgd"):
        fit(optimizer="adam")
