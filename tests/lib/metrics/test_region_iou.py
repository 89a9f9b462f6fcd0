"""The IoU of the boxes with the region of a map's largest values, a fixed share of the image."""

import pytest
import torch

from lib.metrics import METRICS

from ..networks import affine, images, maps

IOU = METRICS["region_iou"]
BOXES = torch.tensor([[2.0, 3, 6, 7], [10, 10, 16, 16]])  # 16 and 36 of 256 pixels


def value(S, boxes=BOXES, **options):
    return IOU.fn(affine(), images(len(S)), 0, S, boxes=[boxes] * len(S), **options).tolist()


def test_textbook():
    S, area = maps(4), 0.3
    for got, one in zip(value(S, area=area), S):
        pixels = [(one[i, j].item(), i, j) for i in range(16) for j in range(16)]
        ranked = sorted(pixels, reverse=True)
        region = {(i, j) for _, i, j in ranked[: round(area * 256)]}
        union = {
            (i, j)
            for x0, y0, x1, y1 in BOXES.int().tolist()
            for i in range(y0, y1)
            for j in range(x0, x1)
        }
        assert got == pytest.approx(len(region & union) / len(region | union))


def test_a_map_of_the_boxes_is_right_and_one_beside_them_wrong():
    S = torch.zeros(2, 16, 16)
    S[0, 3:7, 2:6] = S[0, 10:, 10:] = 1
    S[1, 7:10] = 1
    assert value(S, area=52 / 256) == [1, 0]


def test_an_object_smaller_than_the_region_has_less_than_one():
    S = maps(1) / 2
    S[0, 3:7, 2:6] = 1
    assert value(S, BOXES[:1], area=0.25) == [16 / 64]


def test_a_map_of_zeros_marks_nothing():
    assert value(torch.zeros(1, 16, 16)) == [0]


def test_what_is_no_share_is_refused():
    with pytest.raises(ValueError, match="above 0 and at most 1, got 0"):
        value(maps(1), area=0)
