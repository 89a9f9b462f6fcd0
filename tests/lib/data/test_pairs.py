"""Two images side by side: which is where, and where its boxes are."""

import pickle

import pytest
import torch

from lib.data import load
from lib.data.pairs import pairs


@pytest.fixture(scope="module", params=[64, (48, 65)], ids=str)
def both(request):
    data = load("imagenet_embedded", size=request.param)
    return data[:4], data[4:8]


def test_each_has_its_half(both):
    asked, beside = both
    found = pairs(asked, beside)
    assert found.size == asked.size and found.classes == asked.classes and found.name == asked.name
    for i, (record, sample) in enumerate(zip(found.records, found)):
        own = record.half(found.size)
        width = own.stop - own.start
        assert sample.image.shape == (3, *found.size)
        assert (own.start > 0) == (i % 2 == 1) and width in (
            found.size[1] // 2,
            -(-found.size[1] // 2),
        )
        half, whole = sample.image[:, :, own], asked[i].image
        starts = [
            s
            for s in range(whole.shape[2] - width + 1)
            if torch.equal(whole[:, :, s : s + width], half)
        ]
        boxes = asked[i].boxes
        middle = (boxes[:, 0].min() + boxes[:, 2].max()) / 2
        assert (
            starts
            and abs(min(max(middle - width / 2, 0), whole.shape[2] - width) - starts[0]) <= 0.5
        )
        moved = boxes - torch.tensor([starts[0] - own.start, 0] * 2)
        moved[:, 0::2] = moved[:, 0::2].clamp(own.start, own.stop)
        kept = moved[(moved[:, 2:] > moved[:, :2]).all(1)]
        assert torch.equal(sample.boxes, kept)
        other = torch.cat([sample.image[:, :, : own.start], sample.image[:, :, own.stop :]], 2)
        whole = beside[i].image
        assert any(
            torch.equal(whole[:, :, s : s + other.shape[2]], other)
            for s in range(whole.shape[2] - other.shape[2] + 1)
        )


def test_class_and_annotations_are_those_of_the_image_that_is_asked_about(both):
    asked, beside = both
    found = pairs(asked, beside)
    assert found.targets == asked.targets and [s.target for s in found] == [*asked.targets]
    assert found.ids == tuple(f"{a}|{b}" for a, b in zip(asked.ids, beside.ids))
    assert [s.id for s in found] == [*found.ids] and [s.group for s in found] == [*found.groups]
    assert all(record.annotated == {"boxes"} for record in found.records)
    assert found.relabelled([None] * 4)[0].target is None


def test_masks_follow_and_parts_do_not():
    birds = load("birds", limit=6)
    for record, sample in zip(pairs(birds[:3], birds[3:]).records, pairs(birds[:3], birds[3:])):
        own = record.half(birds.size)
        assert sample.parts is None and sample.mask[:, own].any()
        assert not sample.mask[:, : own.start].any() and not sample.mask[:, own.stop :].any()
    assert all(
        record.annotated == {"boxes", "mask"} for record in pairs(birds[:3], birds[3:]).records
    )


def test_fingerprints_are_of_both(both):
    asked, beside = both
    one, two = pairs(asked, beside), pairs(asked, beside[::-1])
    assert pickle.loads(pickle.dumps(one)) == one
    prints = {data.fingerprint(i) for data in (one, two) for i in range(4)}
    assert len(prints) == 8


def test_other_lengths_or_sizes_are_an_error(both):
    asked, beside = both
    with pytest.raises(ValueError, match="pairs are of as many images, of one size"):
        pairs(asked, beside[:3])
    with pytest.raises(ValueError, match="take a subset of one, or .at"):
        pairs(asked, beside.at(32))
