"""Drawn scenes for classification: deterministic, exact annotations, no shortcut by colour."""

import colorsys
import dataclasses
import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from lib.data import load
from testbeds.scenes import pictures as scenes


@pytest.fixture(scope="module")
def data():
    return load("scenes", limit=60)


def test_the_manifest_gives_the_splits():
    test, train = load("scenes"), load("scenes", split="train")
    assert (len(test), len(train)) == (600, 6000)
    assert test.size == (64, 64) and test.classes == train.classes == scenes.CLASSES
    assert len(set(test.classes)) == 10
    assert Counter(test.targets) == dict.fromkeys(range(10), 60)
    assert Counter(train.targets) == dict.fromkeys(range(10), 600)
    assert len(set(test.ids + train.ids)) == 6600


def test_no_two_scenes_are_alike():
    records = load("scenes").records + load("scenes", split="train").records
    assert len({record.scene for record in records}) == len(records)


def test_a_limit_spreads_over_the_classes():
    assert Counter(load("scenes", limit=20).targets) == dict.fromkeys(range(10), 2)


def test_it_is_drawn_the_same_again(data):
    again = load("scenes", limit=60)
    assert again == data
    for i in (0, 31, 59):
        a, b = data[i], pickle.loads(pickle.dumps(again))[i]
        assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask)


def test_samples_are_well_formed(data):
    for sample in data:
        assert sample.image.shape == (3, 64, 64) and sample.image.dtype == torch.float32
        assert 0 <= sample.image.min() < sample.image.max() <= 1
        assert sample.mask.shape == (64, 64) and sample.mask.dtype == torch.bool
        assert sample.group == sample.id and sample.question is None


def test_the_box_is_the_tight_one_of_the_mask(data):
    for sample in data.at((48, 96)):
        rows, columns = sample.mask.nonzero().T
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert sample.boxes.tolist() == [[float(edge) for edge in edges]]


def test_the_target_is_the_shape_of_the_largest_object(data):
    for record in data.records:
        objects = record.scene.objects
        assert 2 <= len(objects) <= 5
        assert data.classes[record.target] == objects[record.main].shape
        others = [item for i, item in enumerate(objects) if i != record.main]
        assert all(item.shape != objects[record.main].shape for item in others)
        assert max(item.radius for item in others) < 0.6 * objects[record.main].radius


def test_enough_of_the_main_object_is_seen():
    for record in load("scenes").records:
        alone = dataclasses.replace(record, main=0, scene=_alone(record))
        seen = record.sample((32, 32)).mask.sum() / alone.sample((32, 32)).mask.sum()
        assert seen > 0.6


def _alone(record):
    return dataclasses.replace(record.scene, objects=(record.scene.objects[record.main],))


def test_the_main_object_is_anywhere():
    mains = [record.scene.objects[record.main] for record in load("scenes").records]
    places = np.array([(item.x, item.y) for item in mains])
    assert np.abs(places.mean(0) - 0.5).max() < 0.03
    assert places.std(0).min() > 0.15


def test_colour_and_background_tell_nothing_of_the_class():
    records = load("scenes").records
    hues = [[] for _ in scenes.CLASSES]
    for record in records:
        hues[record.target].append(
            colorsys.rgb_to_hsv(*record.scene.objects[record.main].colour)[0]
        )
    # On the circle of hues no class has a direction of its own.
    assert max(abs(np.exp(2j * np.pi * np.array(hue)).mean()) for hue in hues) < 0.4
    textures = Counter((record.target, record.scene.background.texture) for record in records)
    assert len(textures) == 40 and max(textures.values()) < 32


def test_the_same_scene_at_another_size(data):
    for small, large in zip(data, data.at((128, 256)), strict=True):
        assert torch.allclose(large.boxes / torch.tensor([4, 2, 4, 2]), small.boxes, atol=2)
        share = large.mask.float().mean() / small.mask.float().mean()
        assert abs(share - 1) < 0.1
        shrunk = torch.nn.functional.avg_pool2d(large.image, (2, 4))
        assert (shrunk - small.image).abs().mean() < 0.03


def test_fingerprints_are_of_the_description(data):
    prints = [data.fingerprint(i) for i in range(60)]
    assert len(set(prints)) == 60
    assert [data.at(128).fingerprint(i) for i in range(60)] == prints
    record = data.records[0]
    brighter = dataclasses.replace(record.scene, light=record.scene.light + 1e-9)
    assert dataclasses.replace(record, scene=brighter).fingerprint() != record.fingerprint()


def test_fingerprints_are_of_the_code(data, monkeypatch):
    before = data.fingerprint(0)
    followed = []
    monkeypatch.setattr("testbeds.drawing.code_key", lambda *modules, **_: followed.extend(modules))
    assert data.fingerprint(0) != before and followed == [scenes.__name__]


def test_a_root_is_an_error():
    with pytest.raises(ValueError, match="scenes is drawn, not read from files; leave out root=x"):
        load("scenes", root="x")
