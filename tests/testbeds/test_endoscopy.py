"""Drawn endoscopy: deterministic, exact annotations, eight classes as Kvasir has them."""

import dataclasses
import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from lib.data import kvasir, load
from testbeds.endoscopy import views as endoscopy

LANDMARKS = ("normal-cecum", "normal-pylorus", "normal-z-line")


@pytest.fixture(scope="module")
def data():
    return load("endoscopy", limit=48)


@pytest.fixture(scope="module")
def samples(data):
    return list(data)


def test_the_manifest_gives_the_splits():
    test, train = load("endoscopy"), load("endoscopy", split="train")
    assert (len(test), len(train)) == (400, 2400)
    assert test.size == (64, 64) and test.classes == train.classes == kvasir.CLASSES
    assert Counter(test.targets) == dict.fromkeys(range(8), 50)
    assert len(set(test.ids + train.ids)) == 2800


def test_no_two_views_are_alike():
    records = load("endoscopy").records + load("endoscopy", split="train").records
    assert len({record.mucosa for record in records}) == len(records)


def test_it_is_drawn_the_same_again(data, samples):
    again = load("endoscopy", limit=48)
    assert again == data
    for i in (0, 20, 47):
        a, b = samples[i], pickle.loads(pickle.dumps(again))[i]
        assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask)


def test_samples_are_well_formed(samples):
    for sample in samples:
        assert sample.image.shape == (3, 64, 64) and sample.image.dtype == torch.float32
        assert 0 <= sample.image.min() < sample.image.max() <= 1
        assert sample.mask.shape == (64, 64) and sample.mask.dtype == torch.bool
        corners = sample.image[:, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert corners.max() < 0.1, "the view is round"


def test_findings_have_boxes_and_landmarks_have_none(data, samples):
    for record, sample in zip(data.records, samples, strict=True):
        n, name = len(sample.boxes), data.classes[record.target]
        assert (n == 0) == (name in LANDMARKS) == (not sample.mask.any())
        assert n <= 1 or not name.startswith("dyed")
        if n:
            rows, columns = sample.mask.nonzero().T
            edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
            around = (*sample.boxes[:, :2].amin(0), *sample.boxes[:, 2:].amax(0))
            assert [float(e) for e in edges] == [float(e) for e in around]


def test_findings_are_what_the_mask_says(data, samples):
    """Without them, the image changes most inside the mask."""
    for record, sample in zip(data.records, samples, strict=True):
        stains = tuple(f for f in record.findings if f.kind == "stain")
        healthy = dataclasses.replace(record, findings=stains).sample((64, 64))
        change = (sample.image - healthy.image).abs().mean(0)
        if sample.mask.any():
            assert change[sample.mask].mean() > 0.02
            assert change[sample.mask].mean() > 2.5 * change[~sample.mask].mean()
        else:
            assert change.max() == 0


def test_a_finding_is_in_sight_in_every_image_of_its_class():
    for record in load("endoscopy").records:
        if record.target in (2, 6, 7):
            assert record.sample((32, 32)).mask.sum() >= 4


def test_lumen_and_stains_tell_little_of_the_class():
    records = load("endoscopy", split="train").records
    stains = [[] for _ in kvasir.CLASSES]
    for record in records:
        stains[record.target].append(sum(f.kind == "stain" for f in record.findings))
    assert np.ptp([np.mean(counts) for counts in stains]) < 0.25
    places = np.array([(r.lumen.x, r.lumen.y) for r in records])
    assert np.abs(places.mean(0) - 0.5).max() < 0.02 and places.std(0).min() > 0.08


def test_the_same_view_at_another_size(data, samples):
    for i in range(0, 48, 3):
        small, large = samples[i], data.at((128, 256))[i]
        shrunk = torch.nn.functional.avg_pool2d(large.image, (2, 4))
        assert (shrunk - small.image).abs().mean() < 0.04
        share = large.mask.float().mean() - small.mask.float().mean()
        assert abs(share) < 0.01


def test_fingerprints_are_of_the_description(data):
    prints = [data.fingerprint(i) for i in range(48)]
    assert len(set(prints)) == 48
    assert [data.at(128).fingerprint(i) for i in range(48)] == prints
    record = data.records[0]
    brighter = dataclasses.replace(record.scope, light=record.scope.light + 1e-9)
    assert dataclasses.replace(record, scope=brighter).fingerprint() != record.fingerprint()


def test_every_site_and_finding_is_some_classes():
    sites, kinds = zip(*endoscopy.CLASSES.values())
    assert set(sites) == endoscopy._SITES.keys()
    assert {kind for found in kinds for kind in found} == endoscopy._FINDINGS.keys() - {"stain"}


def test_a_root_is_an_error():
    with pytest.raises(ValueError, match="endoscopy is drawn, not read from files; leave out"):
        load("endoscopy", root="x")
