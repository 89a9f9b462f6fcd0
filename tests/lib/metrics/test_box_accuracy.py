"""Box accuracy at the best threshold for a whole data set."""

import numpy as np
import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.box_accuracy import box_accuracy, boxes_above, overlaps
from lib.metrics.boxes import iou, largest_component, tight_box

from ..networks import affine, images, maps

BA = METRICS["box_accuracy"]
SQUARE = torch.tensor([[4.0, 4, 12, 12]])


def smooth(n: int, size: tuple[int, int], seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(n, 1, 4, 5, generator=torch.Generator().manual_seed(seed))
    S = torch.nn.functional.interpolate(coarse, size, mode="bilinear")[:, 0]
    return (S - S.amin((1, 2), keepdim=True)) / 1.01


@pytest.mark.parametrize(
    "size, thresholds", [((1, 9), 4), ((9, 1), 4), ((7, 6), 3), ((24, 17), 60)]
)
@pytest.mark.parametrize("make", [maps, smooth])
def test_textbook_one_labelling_a_threshold(make, size, thresholds):
    for S in make(6, size):
        levels = (S[..., None] > torch.arange(thresholds) / thresholds).sum(-1).numpy()
        slow = [tight_box(largest_component(levels > k)) for k in range(thresholds)]
        assert boxes_above(levels, thresholds).tolist() == [list(map(float, box)) for box in slow]


@pytest.mark.parametrize("level", [0, 2, 5])
def test_a_flat_map_is_one_component_or_none(level):
    boxes = boxes_above(np.full((3, 4), level), 5).tolist()
    assert boxes == [[0, 0, 4, 3]] * level + [[0, 0, 0, 0]] * (5 - level)


def test_corners_connect_and_of_equal_components_the_first_counts():
    levels = np.array([[1, 0, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [2, 2, 0, 0]])
    assert boxes_above(levels, 2).tolist() == [[0, 0, 2, 2], [3, 0, 4, 2]]


def test_a_pixel_at_a_threshold_is_not_above_it():
    S = torch.zeros(1, 16, 16)
    S[:, 4:12, 4:12] = 0.5
    got = overlaps(None, None, None, S, boxes=[SQUARE], thresholds=4)[0]
    assert got.tolist() == [1, 1, 0, 0]  # above 0 and 0.25, not above 0.5


def test_overlaps_are_with_the_best_box_by_the_protocol():
    S, other = maps(1), torch.tensor([[0.0, 0, 16, 16]])
    got = overlaps(None, None, None, S, boxes=[torch.cat([SQUARE, other])], thresholds=8)[0]
    for k in range(8):
        box = torch.tensor([tight_box(largest_component((S[0] > k / 8).numpy()))])
        want = max(iou(box, SQUARE, plus=1).item(), iou(box, other, plus=1).item())
        assert got[k].item() == pytest.approx(want)


def test_textbook_best_threshold_of_the_data_set():
    generator = torch.Generator().manual_seed(0)
    overlap = torch.rand(9, 12, generator=generator)
    scores = [
        max(np.mean([overlap[i, k] >= delta for i in range(9)]) for k in range(12))
        for delta in (0.3, 0.5, 0.7)
    ]
    values = box_accuracy(overlap)
    assert values.shape == (9,) and values.mean().item() == pytest.approx(np.mean(scores))
    assert set((values * 3).round().tolist()) <= {0, 1, 2, 3}


def test_the_threshold_is_the_data_sets_not_the_images():
    """Each image has its own perfect threshold, but one threshold serves only half of them."""
    overlap = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert box_accuracy(overlap).tolist() == [1, 0]
    assert box_accuracy(overlap[1:]).tolist() == [1]


def test_perfect_maps_and_hopeless_ones():
    S = torch.zeros(2, 16, 16)
    S[0, 4:12, 4:12] = 1
    S[1, :2, :2] = 1
    accuracy = BA.accumulator()
    accuracy.update(S[:1], [SQUARE])
    assert accuracy.compute() == 1
    accuracy.update(S[1:], [SQUARE])
    assert accuracy.compute() == 0.5 and accuracy.values().tolist() == [1, 0]


def test_a_map_of_zeros_has_no_box():
    assert BA.fn(affine(), images(1), 0, torch.zeros(1, 16, 16), boxes=[SQUARE]).tolist() == [0]


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="thresholds is at least 1, got 0"):
        BA.accumulator(thresholds=0).update(maps(1), [SQUARE])
    with pytest.raises(ValueError, match="boxes: 1 for 2 images"):
        BA.accumulator().update(maps(2), [SQUARE])
