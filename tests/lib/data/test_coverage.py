"""The share of an image that boxes cover, against counted pixels."""

import pytest
import torch

from lib.data.coverage import covered_share


def test_boxes_that_overlap_count_once():
    boxes = torch.tensor([[0, 0, 4, 2], [2, 0, 6, 2]])
    assert covered_share(boxes, (4, 8)) == 12 / 32
    assert covered_share(boxes[:1], (4, 8)) == 8 / 32


def test_without_boxes_nothing_is_covered():
    assert covered_share(torch.zeros(0, 4), (4, 8)) == 0


def test_what_reaches_out_of_the_image_is_cut():
    assert covered_share(torch.tensor([[-5.0, -5, 4, 4], [90, 90, 99, 99]]), (4, 8)) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_random_boxes_are_as_the_pixels_that_they_paint(seed):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.randint(-3, 30, (6, 2, 2), generator=generator).sort(1).values
    painted = torch.zeros(20, 24, dtype=torch.bool)
    for (x0, y0), (x1, y1) in corners.clamp_min(0).tolist():
        painted[y0:y1, x0:x1] = True
    share = covered_share(corners.flatten(1).float(), (20, 24))
    assert share == pytest.approx(painted.float().mean().item(), abs=1e-6)
