"""Drawn pictures with what is hidden of their objects."""

import pickle

import pytest
import torch

from lib import nets
from lib.data import load
from lib.evaluate import evaluate_maps
from testbeds.drawing import render


@pytest.mark.parametrize("name", ["birds", "scenes"])
def test_they_are_the_pictures_of_the_other_dataset(name):
    located, plain = load(f"wsol_{name}", limit=20), load(name, limit=20)
    assert located.ids == plain.ids and located.targets == plain.targets
    assert located.classes == plain.classes
    for one, other in zip(located, plain):
        assert torch.equal(one.image, other.image) and torch.equal(one.mask, other.mask)
        assert torch.equal(one.boxes, other.boxes)
    assert located.fingerprint(0) != plain.fingerprint(0)
    assert pickle.loads(pickle.dumps(located)).fingerprint(3) == located.fingerprint(3)
    assert located.relabelled([1] * 20)[0].target == 1


@pytest.mark.parametrize("name", ["wsol_birds", "wsol_scenes"])
def test_what_is_hidden_lies_beside_what_is_seen(name):
    samples = list(load(name, limit=60))
    assert not any((s.mask & s.ignore).any() for s in samples)
    hidden = [s.ignore.sum().item() for s in samples]
    assert 5 < sum(n > 0 for n in hidden) < 60  # of some objects all is seen


def test_a_scene_with_its_object_in_front_hides_nothing_of_it():
    data = load("wsol_scenes", limit=60)
    for record, sample in zip(data.records, data):
        scene, main = record.picture.scene, record.picture.main
        if main == len(scene.objects) - 1:
            assert not sample.ignore.any()
        before = render(scene, data.size)[1][main + 1 :]
        assert (
            not sample.ignore.any() or (sample.ignore & before.any(0)).sum() == sample.ignore.sum()
        )


@pytest.mark.parametrize("name", ["wsol_birds", "wsol_scenes"])
def test_no_two_splits_share_a_picture(name):
    ids = [set(load(name, split=split, limit=50).ids) for split in ("train", "val", "test")]
    assert len(set.union(*ids)) == sum(map(len, ids))


@pytest.mark.parametrize("name", ["birds", "scenes"])
def test_what_is_ignored_reaches_the_metric(name):
    data, net = load(f"wsol_{name}", limit=24), nets.load(f"{name}_vgg", weights="random")
    samples = list(data)
    S = torch.stack([(sample.mask | sample.ignore).float() for sample in samples])
    frame = evaluate_maps(net, data, {"with what is hidden": S}, ["pxap"])
    assert frame["value"].mean() == pytest.approx(1)
    plain = evaluate_maps(net, load(name, limit=24), {"with what is hidden": S}, ["pxap"])
    assert plain["value"].mean() < 1
