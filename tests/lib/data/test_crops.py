"""Crops of a dataset's images, as groups."""

import pickle
from dataclasses import dataclass, replace

import pytest
import torch
from PIL import Image

from lib.data import Part, Sample, load
from lib.data.crops import PLACES, crops
from lib.data.dataset import Dataset

H, W = 20, 30  # of a whole image, whose crops of half its side are (10, 15)


@dataclass(frozen=True)
class Ramp:
    """Red is x and green is y, in pixels; a box, a mask and two parts in frame (20, 30)."""

    id: str = "ramp"
    target: int | None = 1
    annotated = frozenset({"boxes", "mask", "parts"})

    def sample(self, size):
        assert size == (H, W)
        x, y = torch.arange(W) / W, torch.arange(H) / H
        image = torch.stack([x.expand(H, W), y[:, None].expand(H, W), torch.zeros(H, W)])
        boxes = torch.tensor([[1.0, 2, 20, 8], [24, 15, 29, 19]])
        mask = torch.zeros(H, W, dtype=torch.bool)
        mask[2:8, 1:20] = True
        parts = {"beak": Part((4.5, 3.5), mask), "tail": Part((26.5, 16.5))}
        return Sample(image, self.target, self.id, boxes, mask, parts, group="flock")

    def fingerprint(self):
        return f"{self.id}{self.target}"


def ramp() -> Dataset:
    return Dataset("ramps", (Ramp(),), (H // 2, W // 2), ("zero", "one"))


def at(place: str) -> Sample:
    data = crops(ramp(), side=0.5)
    return data[data.ids.index(f"ramp:{place}")]


def test_each_image_whole_then_its_crops_in_one_group():
    photographs = load("imagenet_embedded", limit=2, size=32)
    data = crops(photographs)
    assert len(data) == 2 * (1 + len(PLACES)) and data.size == (32, 32)
    assert data.ids[:2] == ("imagenet_00_243", "imagenet_00_243:centre")
    assert len(set(data.ids)) == len(data) and data.classes == photographs.classes
    assert data.targets == (243,) * 6 + (photographs.targets[1],) * 6
    assert [s.group for s in data] == [photographs.ids[0]] * 6 + [photographs.ids[1]] * 6
    assert torch.equal(data[0].image, photographs[0].image)
    assert all(sample.image.shape == (3, 32, 32) for sample in data)


@pytest.mark.parametrize(
    ("place", "left", "top"),
    [
        ("top_left", 0, 0),
        ("top_right", 15, 0),
        ("bottom_left", 0, 10),
        ("bottom_right", 15, 10),
        ("centre", 8, 5),  # of 7.5
    ],
)
def test_a_crop_is_cut_out_of_the_larger_image(place, left, top):
    whole, crop = Ramp().sample((H, W)), at(place)
    assert torch.equal(crop.image, whole.image[:, top : top + 10, left : left + 15])
    assert torch.equal(crop.mask, whole.mask[top : top + 10, left : left + 15])
    assert crop.group == "flock" and crop.target == 1


def test_annotations_follow_and_what_lies_outside_is_left_out():
    assert at("top_left").boxes.tolist() == [[1, 2, 15, 8]], "the other begins beyond"
    assert at("bottom_right").boxes.tolist() == [[9, 5, 14, 9]]
    assert at("bottom_left").boxes.shape == (0, 4)
    assert {name: part.point for name, part in at("top_left").parts.items()} == {"beak": (4.5, 3.5)}
    assert at("top_left").parts["beak"].mask.shape == (10, 15)
    assert at("bottom_right").parts == {"tail": Part((11.5, 6.5))}
    assert at("bottom_left").parts == {}


def test_what_is_not_annotated_stays_so(tmp_path):
    sample = crops(load("mnist", limit=1, size=20))[1]
    assert (sample.mask, sample.parts) == (None, None)
    pictures = Image.new("RGB", (8, 8)).save(tmp_path / "one.png") or load("folder", root=tmp_path, size=8)
    assert crops(pictures)[1].boxes is None


def test_the_fingerprint_tells_crops_apart():
    one, two = crops(ramp()), crops(ramp(), side=0.5)
    prints = [data.fingerprint(i) for data in (one, two) for i in range(1, 6)]
    assert len(set(prints)) == 10
    other = replace(one, records=tuple(replace(one.records[1], target=0) for _ in one.records))
    assert other.fingerprint(1) != one.fingerprint(1)
    assert crops(ramp()).fingerprint(1) == one.fingerprint(1)


def test_crops_are_like_any_samples():
    data = pickle.loads(pickle.dumps(crops(load("imagenet_embedded", limit=1, size=16))))
    again = data.relabelled([7] * len(data)).at(24)
    assert again.targets == (7,) * 6 and [s.target for s in again] == [7] * 6
    assert again[1].image.shape == (3, 24, 24)


def test_crops_are_annotated_as_their_image_is():
    assert all(record.annotated == Ramp.annotated for record in crops(ramp()).records)
    assert len(crops(ramp()).having("parts")) == 6 and len(crops(ramp()).having("question")) == 0


@pytest.mark.parametrize("side", [0, 1, 1.5])
def test_the_side_is_a_fraction(side):
    with pytest.raises(ValueError, match=f"side is a fraction between 0 and 1, got {side}"):
        crops(ramp(), side=side)
