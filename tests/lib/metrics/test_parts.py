"""Part metrics on maps with known regions, and against their definitions in terms of sets."""

import pytest
import torch

from lib.data import Dataset, Part, Sample
from lib.errors import UnknownName
from lib.evaluate import evaluate_maps
from lib.metrics import METRICS
from lib.metrics.parts import regions

from ..networks import SIZE, affine, images, maps

NAMES = ("beak", "crown", "nape", "tail")
POINTS = {"beak": (1.5, 1.0), "crown": (6.0, 1.0), "nape": (9.2, 8.9), "tail": (14.0, 14.0)}
PARTS = {name: Part(point) for name, point in POINTS.items()}
METRIC_NAMES = ["part_precision", "part_recall", "part_f1"]


def marking(*names, size=SIZE):
    """A map with blobs of 3 x 3 pixels around parts (1, H, W)."""
    S = torch.zeros(1, size, size, dtype=torch.float64)
    for name in names:
        x, y = (int(c) for c in POINTS[name])
        S[0, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 1
    return S


def values(S, target=0, *, parts=PARTS, distinguishing={0: ["beak", "crown"]}, **options):
    known = {"parts": [parts] * len(S), "distinguishing": distinguishing, "area": 0.2} | options
    of = {m: METRICS[m].fn(affine(), images(len(S)), target, S, **known) for m in METRIC_NAMES}
    return [of[m].tolist() for m in METRIC_NAMES]


@pytest.mark.parametrize("marked, precision, recall", [
    (["beak"], 1, 1 / 2),
    (["beak", "crown"], 1, 1),
    (["beak", "nape"], 1 / 2, 1 / 2),
    (["beak", "crown", "nape", "tail"], 1 / 2, 1),
    (["nape", "tail"], 0, 0),
    ([], 0, 0),
])  # fmt: skip
def test_precision_recall_and_f1_count_parts(marked, precision, recall):
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
    (P,), (R,), (F,) = values(marking(*marked))
    assert (P, R) == pytest.approx((precision, recall)) and f1 == pytest.approx(F)


def test_parts_that_are_not_seen_do_not_count():
    seen = {name: PARTS[name] for name in ("crown", "nape", "tail")}
    (P,), (R,), _ = values(marking("beak", "crown"), parts=seen)
    assert (P, R) == (1, 1)


@pytest.mark.parametrize("area", [1 / 49, 0.1, 0.37, 1.0])
def test_a_region_is_that_share_of_the_image(area):
    S = maps()
    found = regions(S, area)
    count = round(area * SIZE**2)
    assert found.flatten(1).sum(1).tolist() == [count] * 4
    for one, region in zip(S, found):
        assert count == SIZE**2 or one[region].min() > one[~region].max()


def test_equal_values_lie_in_a_region_together_and_zeros_never_do():
    S = torch.zeros(2, SIZE, SIZE)
    S[1, :4] = 0.5
    assert regions(S, 0.01).flatten(1).sum(1).tolist() == [0, 4 * SIZE]


def test_masks_count_by_the_share_that_is_marked():
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[0:2, 0:6] = True  # the beak's blob covers 2 x 3 of these 12 pixels
    other = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    other[8:10, 8:11] = True  # and the nape's blob covers all of these
    parts = {"beak": Part((9.0, 9.0), mask), "nape": Part((0.0, 0.0), other)}
    (P,), (R,), _ = values(marking("beak", "nape"), parts=parts, by="masks")
    assert (P, R) == pytest.approx((0.5 / 1.5, 0.5))
    (P,), (R,), _ = values(marking("beak"), parts=parts)  # their point lies elsewhere
    assert (P, R) == (0, 0)


def test_masks_of_single_pixels_are_points():
    S, parts = maps(), {}
    for name, (x, y) in POINTS.items():
        mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        mask[int(y), int(x)] = True
        parts[name] = Part((x, y), mask)
    assert values(S, parts=parts) == values(S, parts=parts, by="masks")


# ------------------------------------------------------------------------------------------- PIoU


def iou(S, target, rival, parts=PARTS, **options):
    known = {"parts": [parts] * len(S), "rival": rival, "area": 0.2, "names": NAMES} | options
    return METRICS["part_iou"].fn(affine(), images(len(S)), torch.tensor(target), S, **known)


def test_iou_is_that_of_the_parts_in_both_regions():
    S = torch.cat([marking("beak", "crown"), marking("crown", "nape"), marking("beak", "crown")])
    assert iou(S[:2], [0, 1], {0: 1, 1: 0}).tolist() == pytest.approx([1 / 3, 1 / 3])
    assert iou(S[[0, 2]], [0, 1], {0: 1, 1: 0}).tolist() == [1, 1]


def test_iou_is_a_mean_over_all_counterparts_and_over_no_other_image():
    """The values agree with the definition by sets, pair by pair."""
    chosen = [{"beak", "crown"}, {"crown"}, {"beak"}, {"tail", "nape"}, {"tail"}, set()]
    target, rival = [0, 1, 1, 2, 0, 1], {0: 1, 1: 0, 2: 0}
    S = torch.cat([marking(*names) for names in chosen])
    kept = [i for i in range(6) if i != 3]  # class 2 has no counterpart: 0 is told from 1

    def one(i, j):
        either = chosen[i] | chosen[j]
        return len(chosen[i] & chosen[j]) / len(either) if either else 0

    want = []
    for i in kept:
        others = [j for j in kept if target[j] == rival[target[i]]]
        want.append(sum(one(i, j) for j in others) / len(others))
    assert iou(S[kept], [target[i] for i in kept], rival).tolist() == pytest.approx(want)
    with pytest.raises(
        ValueError, match="class 2 is told from class 0, of which there is no image"
    ):
        iou(S, target, rival)


def test_iou_of_masks_is_of_their_shares():
    half = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    half[0:2, 0:6] = True
    parts = {"beak": Part((0.0, 0.0), half)}
    S = marking("beak").expand(2, -1, -1).clone()
    S[1, 0:2, 0:6] = 1
    assert iou(S, [0, 1], {0: 1, 1: 0}, parts=parts, by="masks").tolist() == [0.5, 0.5]


# ------------------------------------------------------------------------------- through evaluate


class Bird:
    """A record with parts, one of which may not be seen."""

    annotated = frozenset({"parts"})

    def __init__(self, i, target, hidden=()):
        self.i, self.target, self.id, self.hidden = i, target, f"bird_{i}", hidden

    def sample(self, size):
        seen = {name: part for name, part in PARTS.items() if name not in self.hidden}
        return Sample(images(1, size, self.i)[0], self.target, self.id, parts=seen)

    def fingerprint(self):
        return self.id


def test_evaluate_passes_parts_and_leaves_out_what_shows_no_distinguishing_part():
    birds = (Bird(0, 0), Bird(1, 1), Bird(2, 0, ("beak", "crown")))
    data = Dataset("birds", birds, (SIZE, SIZE), tuple("abcde"))
    S = marking("beak", "tail").expand(3, -1, -1)
    options = {"distinguishing": {0: ["beak", "crown"], 1: ["tail"]}, "area": 0.2}
    frame = evaluate_maps(affine(), data, {"mine": S}, {
        "P": ("part_precision", options), "R": ("part_recall", options),
        "PIoU": ("part_iou", {"rival": {0: 1, 1: 0}, "area": 0.2}),
    }).set_index(["metric", "image"])  # fmt: skip
    assert frame["value"]["P"].tolist()[:2] == [0.5, 0.5]
    assert frame["value"]["R"].tolist()[:2] == [0.5, 1]
    assert frame["value"]["PIoU"].tolist() == pytest.approx([1, 0.75, 0.5])
    assert "shows no part that tells class 0 apart" in frame["error"]["P", "bird_2"]


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("options, problem", [
    ({"distinguishing": None}, "need distinguishing="),
    ({"distinguishing": {1: ["beak"]}}, "class 0 has no distinguishing parts"),
    ({"distinguishing": {0: ["wing"]}}, "image 0 of the batch shows no part that tells class 0 apart"),
    ({"area": 0}, "area is a share of the image, above 0 and at most 1, got 0"),
    ({"area": 20}, "above 0 and at most 1, got 20"),
    ({"by": "masks"}, "part 'beak' has a point and no mask"),
])  # fmt: skip
def test_bad_input_is_refused(options, problem):
    with pytest.raises(ValueError, match=problem):
        values(marking("beak"), **options)


def test_an_unknown_way_of_seeing_lists_those_there_are():
    with pytest.raises(UnknownName, match="'boxes'.*points, masks"):
        values(marking("beak"), by="boxes")
