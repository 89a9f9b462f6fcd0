"""Drawn birds: deterministic, exact parts, and nothing but the look of parts tells the species."""

import dataclasses
import itertools
import pickle
from collections import Counter

import numpy as np
import pytest
import torch

from lib.data import load
from testbeds.birds.anatomy import Bird, draw
from testbeds.birds.species import COLOURS, PATTERNS, SHAPES, attribute
from testbeds.birds import ATTRIBUTES, CLASSES, FAMILIES, PARTS, differing_parts
from testbeds.painting import Canvas

PAIRED = {"eye", "leg", "wing"}


@pytest.fixture(scope="module")
def data():
    return load("birds", limit=72)


@pytest.fixture(scope="module")
def samples(data):
    return list(data)


def kinds(parts):
    """Parts, with the left and the right one of a pair as one."""
    return {part.removeprefix("left_").removeprefix("right_") for part in parts}


# Species ----------------------------------------------------------------------------------------


def test_families_hold_every_species_once():
    assert len(CLASSES) == 24 and len(FAMILIES) == 6
    assert sorted(itertools.chain(*FAMILIES.values())) == sorted(set(CLASSES))


def test_every_part_of_every_species_has_a_known_look():
    assert len(PARTS) == 15 and list(ATTRIBUTES) == list(CLASSES)
    for looks in ATTRIBUTES.values():
        assert tuple(looks) == PARTS
        for part, look in looks.items():
            assert look.colour in COLOURS and look.pattern in ("", *PATTERNS)
            assert (look.second in COLOURS) == bool(look.pattern)
            assert look.shape in ("", *SHAPES.get(part, ()))
            assert attribute(str(look)) == look
        for kind in PAIRED:
            assert looks[f"left_{kind}"] == looks[f"right_{kind}"]


def test_attributes_tell_every_two_species_apart():
    for a, b in itertools.combinations(CLASSES, 2):
        assert differing_parts(a, b) and differing_parts(a, b) == differing_parts(b, a)
    assert differing_parts(CLASSES[0], CLASSES[0]) == ()


def test_species_of_a_family_differ_in_one_to_three_parts():
    counts = Counter(
        len(kinds(differing_parts(a, b)))
        for species in FAMILIES.values()
        for a, b in itertools.combinations(species, 2)
    )
    assert set(counts) == {1, 2, 3} and min(counts.values()) >= 5
    others = (
        len(kinds(differing_parts(a, b)))
        for (_, one), (_, two) in itertools.combinations(FAMILIES.items(), 2)
        for a, b in itertools.product(one, two)
    )
    assert min(others) > 3


# Pictures ---------------------------------------------------------------------------------------


def test_the_manifest_gives_the_splits():
    test, train = load("birds"), load("birds", split="train")
    assert (len(test), len(train)) == (720, 6000)
    assert test.size == (64, 64) and test.classes == train.classes == CLASSES
    assert Counter(test.targets) == dict.fromkeys(range(24), 30)
    assert Counter(train.targets) == dict.fromkeys(range(24), 250)
    assert len(set(test.ids + train.ids)) == 6720
    assert len({record.bird for record in test.records + train.records}) == 6720


def test_it_is_drawn_the_same_again(data, samples):
    again = pickle.loads(pickle.dumps(load("birds", limit=72)))
    assert again == data
    for i in (0, 31, 71):
        a, b = samples[i], again[i]
        assert torch.equal(a.image, b.image) and torch.equal(a.mask, b.mask)
        assert a.parts.keys() == b.parts.keys()


def test_samples_are_well_formed(samples):
    for sample in samples:
        assert sample.image.shape == (3, 64, 64) and sample.image.dtype == torch.float32
        assert 0 <= sample.image.min() < sample.image.max() <= 1
        assert sample.mask.shape == (64, 64) and sample.mask.dtype == torch.bool
        assert sample.group == sample.id and sample.question is None


def test_the_box_is_the_tight_one_of_the_mask(data):
    for sample in data.at((48, 96)).subset(range(0, 72, 6)):
        rows, columns = sample.mask.nonzero().T
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert sample.boxes.tolist() == [[float(edge) for edge in edges]]


def test_each_pixel_of_a_bird_is_of_one_part(samples):
    for sample in samples:
        assert set(sample.parts) <= set(PARTS)
        masks = torch.stack([part.mask for part in sample.parts.values()])  # (n,H,W)
        assert masks.dtype == torch.bool and masks.any((1, 2)).all()
        assert torch.equal(masks.sum(0), sample.mask.long())


def test_points_lie_in_the_middle_of_their_parts(samples):
    for sample in samples:
        for (x, y), mask in sample.parts.values():
            assert mask[int(y), int(x)] and x % 1 == y % 1 == 0.5
            places = mask.nonzero().flip(1) + 0.5  # (n,2)
            away = (places - places.mean(0)).norm(dim=1)
            own = (torch.tensor([x, y]) - places.mean(0)).norm()
            assert own <= away.min() + 1e-4


def test_enough_of_the_bird_is_seen():
    for record in load("birds", limit=96).records:
        whole = Canvas((48, 48))
        draw(whole, dataclasses.replace(record.bird, x=0.5, y=0.5, scale=0.15), record.light)
        area = (whole.labels > 0).sum() * (record.bird.scale / 0.15) ** 2
        assert record.sample((48, 48)).mask.sum() > 0.55 * area


# The bird ---------------------------------------------------------------------------------------


def a_bird(species="plain finch", **pose):
    plain = dict(x=0.5, y=0.5, scale=0.2, right=True, pitch=0.4, yaw=0.0, head_yaw=0.0, nod=0.0)
    build = dict(stretch=0.35, plump=1.0, head=0.52, leg=0.5, tail=0.0, wings=None, crest=1.0)
    return Bird(species, **{**plain, **build, "tint": (0, 0, 0), "phase": 0.2, **pose})


def drawn(bird, size=128, light=(-0.4, -0.7, 0.6)):
    canvas = Canvas((size, size))
    draw(canvas, bird, light)
    return canvas


def seen(bird):
    return {PARTS[label - 1] for label in np.unique(drawn(bird).labels) if label}


@pytest.mark.parametrize(
    ("right", "near", "far"), [(True, "right", "left"), (False, "left", "right")]
)
def test_the_near_side_is_seen_and_the_far_one_when_it_turns(right, near, far):
    still = seen(a_bird(right=right))
    assert {f"{near}_eye", f"{near}_wing", f"{near}_leg", f"{far}_leg"} <= still
    assert not {f"{far}_eye", f"{far}_wing"} & still
    assert {f"{far}_eye", f"{near}_eye"} <= seen(a_bird(right=right, head_yaw=1.3))
    back = seen(a_bird(right=right, head_yaw=3.0))
    assert f"{far}_eye" in back and f"{near}_eye" not in back
    assert {f"{far}_wing", f"{near}_wing"} <= seen(a_bird(right=right, wings=2.0))


def test_a_bird_that_faces_left_is_the_mirror_image():
    right = drawn(a_bird())
    left = drawn(a_bird(right=False), light=(0.4, -0.7, 0.6))
    names = np.array(["", *(part.split("_")[-1] for part in PARTS)])
    assert (names[right.labels] == names[left.labels[:, ::-1]]).mean() > 0.995
    assert np.abs(right.image - left.image[:, :, ::-1]).mean() < 0.003


def test_the_parts_are_where_they_belong():
    labels = drawn(a_bird(pitch=0.2)).labels
    x, y = (
        {
            part: np.nonzero(labels == i + 1)[k].mean()
            for i, part in enumerate(PARTS)
            if (labels == i + 1).any()
        }
        for k in (1, 0)
    )
    assert y["crown"] < y["right_eye"] < y["throat"] < y["breast"] < y["right_leg"]
    assert y["back"] < y["belly"] and x["tail"] < x["right_wing"] < x["breast"]
    assert x["nape"] < x["crown"] < x["forehead"] < x["beak"]


@pytest.mark.parametrize(
    ("a", "b"),
    [pair for species in FAMILIES.values() for pair in itertools.combinations(species, 2)],
    ids=str,
)
def test_two_species_differ_in_those_parts_and_nowhere_else(a, b):
    for pose in ({}, {"wings": 2.2, "head_yaw": 0.5, "right": False}):
        one, two = drawn(a_bird(a, **pose)), drawn(a_bird(b, **pose))
        parts = {PARTS.index(part) + 1 for part in differing_parts(a, b)}
        there = np.isin(one.labels, list(parts)) | np.isin(two.labels, list(parts))
        changed = np.abs(one.image - two.image).max(0) > 0.1
        assert (changed & there).sum() > 15
        # Soft edges reach over by a pixel or two.
        near = torch.nn.functional.max_pool2d(torch.from_numpy(there)[None].float(), 7, 1, 3)[0] > 0
        assert not (changed & ~near.numpy()).any()


# Shortcuts --------------------------------------------------------------------------------------


def test_pose_and_place_tell_nothing_of_the_species():
    records = load("birds", split="train").records
    targets = np.array([record.target for record in records])
    numbers = ("x", "y", "scale", "right", "pitch", "yaw", "head_yaw", "plump", "head", "leg")
    values = np.array([[getattr(record.bird, name) for name in numbers] for record in records])
    values = (values - values.mean(0)) / values.std(0)
    means = np.array([values[targets == c].mean(0) for c in range(24)])
    assert np.abs(means).max() < 4.5 / np.sqrt(250)
    assert np.sqrt((means**2).mean()) < 1.3 / np.sqrt(250)


def test_habitats_tell_nothing_of_the_species():
    records = load("birds", split="train").records
    for name, n in (("kind", 5), ("perch", 4)):
        counts = Counter((getattr(record.habitat, name), record.target) for record in records)
        table = np.array(list(counts.values())).reshape(-1)
        assert len(counts) == 24 * n and table.min() > 10
        total = Counter(getattr(record.habitat, name) for record in records)
        expected = np.array([total[kind] / 24 for kind, _ in counts])
        assert ((table - expected) ** 2 / expected).sum() < 24 * n + 4 * np.sqrt(48 * n)


def test_the_mean_colour_tells_little_of_the_species():
    """A linear classifier on the mean colour of image, and its spread; chance is 4 %."""
    found = []
    for split, n in (("train", 480), ("test", 192)):
        data = load("birds", split=split, limit=n, size=16)
        images = torch.stack([sample.image for sample in data])
        features = torch.cat([images.mean((2, 3)), images.std((2, 3)), torch.ones(n, 1)], dim=1)
        found.append((features, torch.tensor(data.targets)))
    (x, y), (x_test, y_test) = found
    weights = torch.linalg.lstsq(x, torch.nn.functional.one_hot(y).float()).solution
    assert ((x_test @ weights).argmax(1) == y_test).float().mean() < 0.15


# As other drawn datasets ------------------------------------------------------------------------


def test_the_same_scene_at_another_size(data, samples):
    for small, large in zip(samples[::6], data.at((128, 256)).subset(range(0, 72, 6)), strict=True):
        assert torch.allclose(large.boxes / torch.tensor([4, 2, 4, 2]), small.boxes, atol=2)
        assert abs(large.mask.float().mean() / small.mask.float().mean() - 1) < 0.1
        shrunk = torch.nn.functional.avg_pool2d(large.image, (2, 4))
        assert (shrunk - small.image).abs().mean() < 0.03


def test_fingerprints_are_of_the_description_and_the_code(data, monkeypatch):
    prints = [data.fingerprint(i) for i in range(72)]
    assert len(set(prints)) == 72
    assert [data.at(128).fingerprint(i) for i in range(72)] == prints
    record = data.records[0]
    moved = dataclasses.replace(record.bird, x=record.bird.x + 1e-9)
    assert dataclasses.replace(record, bird=moved).fingerprint() != prints[0]
    monkeypatch.setattr("testbeds.drawing.code_key", lambda *modules, **options: "changed")
    assert data.fingerprint(0) != prints[0]


def test_a_root_is_an_error():
    with pytest.raises(ValueError, match="birds is drawn, not read from files; leave out root=x"):
        load("birds", root="x")
