"""Drawn chest radiographs: deterministic, exact annotations, lesions only inside the lungs."""

import dataclasses
import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from lib.data import load
from testbeds.radiographs import films as radiographs

ILL = {"radiographs": "pneumonia", "pneumothorax": "pneumothorax"}  # by dataset


@pytest.fixture(scope="module", params=ILL)
def data(request):
    return load(request.param, limit=40)


@pytest.fixture(scope="module")
def samples(data):
    return list(data)


@pytest.mark.parametrize("name", ILL)
def test_the_manifest_gives_the_splits(name):
    test, train = load(name), load(name, split="train")
    assert (len(test), len(train)) == (400, 2000)
    assert test.size == (64, 64) and test.classes == ("normal", ILL[name])
    assert Counter(test.targets) == {0: 200, 1: 200} and Counter(train.targets) == {
        0: 1000,
        1: 1000,
    }
    assert len(set(test.ids + train.ids)) == 2400


def test_no_two_films_are_alike():
    records = load("radiographs").records + load("radiographs", split="train").records
    assert len({record.chest for record in records}) == len(records)


def test_it_is_drawn_the_same_again(data, samples):
    again = load(data.name, limit=40)
    assert again == data
    for i in (0, 39):
        a, b = samples[i], pickle.loads(pickle.dumps(again))[i]
        assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask)


def test_samples_are_well_formed(samples):
    for sample in samples:
        assert sample.image.shape == (3, 64, 64) and sample.image.dtype == torch.float32
        assert 0 <= sample.image.min() < sample.image.max() <= 1
        assert torch.equal(sample.image[0], sample.image[1])
        assert sample.mask.shape == (64, 64) and sample.mask.dtype == torch.bool


def test_there_is_a_box_for_each_lesion_and_none_on_a_normal_film(data, samples):
    for record, sample in zip(data.records, samples, strict=True):
        n = len(record.lesions)
        assert sample.boxes.shape == (n, 4)
        assert (n == 0) == (record.target == 0) == (not sample.mask.any())
        if n:
            rows, columns = sample.mask.nonzero().T
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            around = (*sample.boxes[:, :2].amin(0), *sample.boxes[:, 2:].amax(0))
            assert [float(e) for e in edges] == [float(e) for e in around]


def test_lesions_are_what_the_mask_says(data):
    """Without them, the film changes inside the mask, hardly outside, and gets darker or brighter."""
    sign = 1 if data.name == "radiographs" else -1
    for record in data.at(128).records[20:30]:
        clear = dataclasses.replace(record, lesions=())
        with_, without = record.sample((128, 128)), clear.sample((128, 128))
        change = sign * (with_.image - without.image)[0]
        assert change[with_.mask].mean() > 0.01 and change[with_.mask].mean() > 4 * abs(
            change[~with_.mask].mean()
        )
        if sign > 0:
            assert change.min() >= 0 and change[with_.mask].mean() > 0.05


def test_opacities_lie_in_the_lungs():
    for record in load("radiographs").records:
        for opacity in record.lesions:
            u, v = np.array(opacity.u), np.array(opacity.v)
            cage = radiographs._cage(v)
            assert radiographs._lungs(record.chest, u, v, abs(u), cage, u > 0) > 0.1


def test_a_pneumothorax_lies_along_the_ribs_of_one_lung_and_hides_its_vessels():
    data = load("pneumothorax").at(128)
    for record in data.records[200::40]:
        [lesion] = record.lesions
        view = radiographs._View(record.chest, (128, 128))
        mask = record.sample((128, 128)).mask.numpy()
        assert (view.lungs[mask] > 0).all()
        assert (view.right[mask] == (lesion.side == radiographs.RIGHT)).all()
        assert (0.93 * view.cage - view.q)[mask].max() <= lesion.width
        assert view.v[mask].max() <= lesion.base
        with_ = dataclasses.replace(record.chest, vessels=0.3)
        films = [
            dataclasses.replace(record, chest=c)
            for c in (with_, dataclasses.replace(with_, vessels=0))
        ]
        vessels = (films[0].sample((128, 128)).image - films[1].sample((128, 128)).image)[0]
        assert vessels.abs().max() > 0.05 and vessels[mask].abs().mean() < 0.02


def test_both_diseases_are_of_the_same_people():
    for split in ("test", "train"):
        one, two = (load(name, split=split).records for name in ILL)
        assert [(r.id, r.target, r.chest, r.exposure) for r in one] == [
            (r.id, r.target, r.chest, r.exposure) for r in two
        ]


def test_the_letter_tells_nothing_of_the_class():
    records = load("radiographs").records
    corners = Counter((record.target, record.exposure.marker) for record in records)
    assert len(corners) == 4 and max(corners.values()) < 130


def test_the_same_film_at_another_size(data, samples):
    for i in range(0, 40, 5):
        small, large = samples[i], data.at((128, 256))[i]
        assert torch.allclose(large.boxes / torch.tensor([4, 2, 4, 2]), small.boxes, atol=2)
        shrunk = torch.nn.functional.avg_pool2d(large.image, (2, 4))
        assert (shrunk - small.image).abs().mean() < 0.04


def test_fingerprints_are_of_the_description(data):
    prints = [data.fingerprint(i) for i in range(40)]
    assert len(set(prints)) == 40
    assert [data.at(128).fingerprint(i) for i in range(40)] == prints
    record = data.records[39]
    brighter = dataclasses.replace(record.exposure, gamma=record.exposure.gamma + 1e-9)
    assert dataclasses.replace(record, exposure=brighter).fingerprint() != record.fingerprint()


def test_a_root_is_an_error():
    with pytest.raises(ValueError, match="radiographs is drawn, not read from files; leave out"):
        load("radiographs", root="x")
