"""Pixel-wise F1: how well a map covers the boxes, and only them."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.boxes import unions

from ..networks import affine, images, maps

F1, EP = METRICS["pixel_f1"], METRICS["energy_pointing_game"]
BOXES = [torch.tensor([[2.0, 3, 12, 14]]), torch.tensor([[0.0, 0, 8, 8], [4, 4, 16, 10]])]


def value(S, boxes=BOXES):
    return F1.fn(affine(), images(len(S)), 0, S, boxes=boxes)


def test_textbook():
    S = maps(2)
    for i, inside in enumerate(unions(BOXES, S)):
        P, R = S[i][inside].sum() / S[i].sum(), S[i][inside].mean()
        assert value(S)[i] == pytest.approx((2 * P * R / (P + R)).item())
        assert EP.fn(affine(), images(2), 0, S, boxes=BOXES)[i] == pytest.approx(P.item())


def test_the_boxes_themselves_are_perfect_and_their_complement_worthless():
    inside = unions(BOXES, maps(2)).double()
    assert value(inside).tolist() == [1, 1]
    assert value(1 - inside).tolist() == [0, 0]


def test_a_map_of_ones_has_the_precision_of_the_boxes_area():
    share = 110 / 256
    assert value(torch.ones(1, 16, 16), BOXES[:1]).item() == pytest.approx(2 * share / (1 + share))


def test_a_pale_map_has_less_recall():
    inside = unions(BOXES[:1], maps(1)).double()
    assert value(inside / 2, BOXES[:1]).item() == pytest.approx(2 * 0.5 / 1.5)


def test_a_map_of_zeros_scores_zero():
    assert value(torch.zeros(1, 16, 16), BOXES[:1]).tolist() == [0]
