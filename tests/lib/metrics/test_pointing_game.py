"""The standard pointing game: does the maximum lie in a box?"""

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS

from ..networks import affine, images, maps

SP = METRICS["pointing_game"]
BOXES = torch.tensor([[2.0, 3, 6, 7], [10, 10, 16, 16]])


def value(S, **options):
    return SP.fn(affine(), images(len(S)), 0, S, boxes=[BOXES] * len(S), **options).tolist()


def peak(*pixels: tuple[int, int]) -> torch.Tensor:
    S = maps(1) / 2
    for row, column in pixels:
        S[0, row, column] = 1
    return S


def test_the_maximum_lies_in_one_of_the_boxes():
    cases = [(3, 2), (6, 5), (15, 15), (2, 2), (7, 5), (3, 6), (9, 12)]
    assert value(torch.cat([peak(case) for case in cases])) == [1, 1, 1, 0, 0, 0, 0]


def test_of_equal_maxima_the_first_in_raster_order_or_any():
    S = torch.cat([peak((0, 15), (3, 2)), peak((4, 4), (8, 0)), peak((0, 0), (1, 1))])
    assert value(S) == [0, 1, 0]
    assert value(S, ties="any") == [1, 1, 0]


def test_without_ties_the_rule_changes_nothing():
    S = maps(4)
    assert value(S) == value(S, ties="any")


def test_a_flat_map_points_at_its_first_pixel_or_everywhere():
    assert value(torch.zeros(1, 16, 16)) == [0]
    assert value(torch.zeros(1, 16, 16), ties="any") == [1]


def test_an_unknown_rule_lists_those_there_are():
    with pytest.raises(UnknownName, match="unknown ties 'last'; valid: first, any"):
        value(maps(1), ties="last")
