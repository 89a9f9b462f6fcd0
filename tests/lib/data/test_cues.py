"""The parts that tell two classes apart, as masks."""

import pytest
import torch

from lib.data import Dataset, Part, Sample, load
from lib.data.cues import cues, part_mask
from lib.evaluate import evaluate_maps
from testbeds.birds import differing, differing_parts

from ..networks import affine

NAMES = "plain finch", "red-capped finch"


def test_of_drawn_birds_they_are_exact():
    birds = load("birds", limit=48)
    found = cues(birds, {0: differing_parts(*NAMES), 1: differing_parts(*NAMES)})
    assert set(found.targets) == {0, 1} and len(found) == 4
    assert found.ids == birds.ids[:4]
    for one, plain in zip(found, birds):
        assert torch.equal(one.mask, differing(plain, *NAMES))
        assert torch.equal(one.image, plain.image) and one.ignore is None
    assert found.fingerprint(0) != birds.fingerprint(0)
    other = cues(birds, {0: ("tail",)})
    assert other.fingerprint(0) != found.fingerprint(0)
    assert found.relabelled([3] * 4)[0].target == 3


def points_only(mask=True):
    parts = {"crown": Part((2.5, 1.5)), "tail": Part((6.5, 5.5)), "belly": Part((6.5, 1.5))}
    silhouette = torch.zeros(8, 8, dtype=torch.bool)
    silhouette[1:7, 1:7] = True
    return Sample(torch.zeros(3, 8, 8), 0, "one", mask=silhouette if mask else None, parts=parts)


def test_of_points_they_are_the_nearest_pixels_of_the_object():
    sample = points_only()
    got = part_mask(sample, ["crown", "belly", "beak"])
    for y in range(8):
        for x in range(8):
            away = {
                name: (x + 0.5 - part.point[0]) ** 2 + (y + 0.5 - part.point[1]) ** 2
                for name, part in sample.parts.items()
            }
            nearest = min(away, key=away.get)
            assert got[y, x] == (sample.mask[y, x] and nearest != "tail")
    assert not part_mask(sample, ["beak"]).any()


def test_points_without_a_mask_are_refused():
    with pytest.raises(ValueError, match="one has points of parts and no mask of the object"):
        part_mask(points_only(mask=False), ["crown"])


def test_an_image_that_shows_no_cue_is_named_and_left_out():
    class Shown:
        id, target, annotated = "shown", 0, frozenset({"parts"})

        def sample(self, size):
            part = Part((3.0, 3.0), torch.ones(16, 16, dtype=torch.bool).triu())
            return Sample(torch.zeros(3, 16, 16), 0, self.id, parts={self.part: part})

        def fingerprint(self):
            return self.id

    class Other(Shown):
        id = "other"

    Shown.part, Other.part = "crown", "tail"
    data = cues(Dataset("drawn", (Shown(), Other()), (16, 16)), {0: ["crown"]})
    frame = evaluate_maps(affine(), data, {"mine": torch.rand(2, 16, 16)}, ["cue_pxap"])
    assert frame["error"].isna().tolist() == [True, False]
    assert "needs mask, and this image has none" in frame["error"][1]
