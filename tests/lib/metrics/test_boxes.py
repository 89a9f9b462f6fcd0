"""Boxes of objects, and the box that a map predicts."""

import numpy as np
import pytest
import torch

from lib.metrics.boxes import (
    area,
    check_boxes,
    covered,
    iou,
    largest_component,
    marked,
    predicted_boxes,
    tight_box,
    unions,
)

from ..networks import maps


def drawn(*rows: str) -> np.ndarray:
    return np.array([[pixel == "#" for pixel in row] for row in rows])


# ---------------------------------------------------------------------------------- given boxes


def test_a_box_covers_the_pixels_whose_centres_it_holds():
    assert covered(torch.tensor([[0.4, 0.0, 2.6, 1.0]]), (2, 4)).int().tolist() == [
        [1, 1, 1, 0],
        [0, 0, 0, 0],
    ]
    assert covered(torch.tensor([[0.6, 0.0, 2.4, 1.0]]), (2, 4)).int().tolist() == [
        [0, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    assert covered(torch.zeros(0, 4), (2, 4)).sum() == 0


def test_a_union_counts_each_pixel_once_and_each_image_has_its_own():
    first = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3]])
    inside = unions([first, torch.tensor([[3.0, 3, 4, 4]])], torch.zeros(2, 4, 4))
    assert inside.sum((1, 2)).tolist() == [7, 1]


def test_overlaps_by_hand():
    a = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]])
    assert iou(a, a[:2]).flatten().tolist() == pytest.approx([1, 1 / 7, 1 / 7, 1, 0, 0])
    quarter = iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[0.5, 0.5, 2.5, 1.5]]))
    assert quarter.item() == pytest.approx(0.25 / 2.75)


def test_the_protocol_adds_a_pixel_to_each_side():
    a, b = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3]])
    assert iou(a, b, plus=1).item() == pytest.approx(4 / 14)
    assert iou(a, a, plus=1).item() == 1


def test_overlap_is_symmetric_and_does_not_depend_on_the_place():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(2, 6, 4, generator=generator) * 20
    a, b = (torch.cat([c[:, :2], c[:, :2] + 1 + c[:, 2:]], 1) for c in corners)
    assert torch.allclose(iou(a, b), iou(b, a).T)
    assert torch.allclose(iou(a, b), iou(a + 7, b + 7), atol=1e-5)
    assert torch.allclose(iou(a, b), iou(a * 3, b * 3), atol=1e-5)


def test_a_box_without_pixels_overlaps_nothing():
    nothing, corner = torch.zeros(1, 4), torch.tensor([[0.0, 0, 1, 1]])
    assert iou(nothing, corner).item() == iou(nothing, nothing).item() == 0
    assert area(nothing).item() == 0


def test_two_empty_boxes_are_one_in_the_protocol():
    """The protocol's corners are inclusive, so the box 0, 0, 0, 0 has one pixel."""
    nothing, corner = torch.zeros(1, 4), torch.tensor([[0.0, 0, 1, 1]])
    assert iou(nothing, nothing, plus=1).item() == 1
    assert iou(nothing, corner, plus=1).item() == 1 / 4


def test_bad_boxes_are_refused():
    S, box = torch.zeros(2, 4, 4), torch.tensor([[0.0, 0, 2, 2]])
    with pytest.raises(ValueError, match="boxes: 1 for 2 images"):
        check_boxes([box], S)
    with pytest.raises(ValueError, match=r"boxes of image 1 .* are \(n, 4\), got \(4,\)"):
        check_boxes([box, box[0]], S)
    with pytest.raises(ValueError, match="image 0 of the batch has no box: leave it out"):
        check_boxes([torch.zeros(0, 4), box], S)
    with pytest.raises(ValueError, match=r"x0 < x1 and y0 < y1; image 1 .* \[\[2.0, 0.0, 0.0"):
        check_boxes([box, torch.tensor([[2.0, 0, 0, 2]])], S)


# ------------------------------------------------------------------------------- predicted boxes


def test_the_largest_component_corners_connect():
    pixels = drawn("##..#", "...#.", "..#..", "#....")
    assert (largest_component(pixels) == drawn("....#", "...#.", "..#..", ".....")).all()


def test_of_equal_components_the_first_in_raster_order():
    pixels = drawn("...#", "#..#", "#...")
    assert (largest_component(pixels) == drawn("...#", "...#", "....")).all()


def test_the_tight_box():
    assert tight_box(drawn(".....", ".#...", "...#.")) == (1, 1, 4, 3)
    assert tight_box(drawn("##", "##")) == (0, 0, 2, 2)
    assert tight_box(drawn("..", "..")) == (0, 0, 0, 0)
    assert not largest_component(drawn("..", "..")).any()


def test_a_map_predicts_the_box_of_what_is_above_its_mean():
    S = torch.zeros(2, 8, 10)
    S[0, 2:5, 3:9] = 0.4  # the mean is 0.09
    S[0, 7, 0] = 1  # a smaller component
    S[0, 0, :] = 0.05
    S[1, 6:, :2] = 1
    assert predicted_boxes(S).tolist() == [[3, 2, 9, 5], [0, 6, 2, 8]]


def test_a_flat_map_predicts_the_whole_image():
    for value in (0.0, 0.1, 1 / 3, 1.0):
        S = torch.full((1, 5, 7), value)
        assert marked(S).all()
        assert predicted_boxes(S).tolist() == [[0, 0, 7, 5]]


def test_predictions_follow_neither_scale_nor_neighbours():
    S = maps()
    boxes = predicted_boxes(S)
    assert torch.equal(predicted_boxes(S * 0.5), boxes)
    assert torch.equal(predicted_boxes(S[2:3]), boxes[2:3])
    mirrored = predicted_boxes(S.flip(2))
    assert torch.equal(mirrored[:, [0, 2]], 16 - boxes[:, [2, 0]])
