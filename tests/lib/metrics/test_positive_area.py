"""Positive area, and its difference from negative area."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.relative_probability import area_imbalance, positive_area

from ..networks import affine, images, maps

AREA, IMBALANCE = METRICS["positive_area"], METRICS["area_imbalance"]


def test_by_hand():
    signs = torch.tensor([[[1.0, -1.0], [0.0, 1.0]], [[-1.0, -1.0], [-1.0, 1.0]]])
    assert positive_area(signs).tolist() == [0.5, 0.25]
    assert area_imbalance(signs).tolist() == [0.25, 0.5]


def test_only_the_sign_counts():
    net, x = affine(), images()
    S = 2 * maps() - 1
    for metric in (AREA, IMBALANCE):
        assert torch.equal(metric.fn(net, x, 0, S), metric.fn(net, x, 3, S.sign()))
    assert torch.equal(IMBALANCE.fn(net, x, 0, S), IMBALANCE.fn(net, x, 0, -S))
    assert torch.allclose(AREA.fn(net, x, 0, S) + AREA.fn(net, x, 0, -S), torch.ones(4).double())


@pytest.mark.parametrize(("value", "area", "imbalance"), [(1.0, 1, 1), (-1.0, 0, 1), (0.0, 0, 0)])
def test_maps_of_one_sign(value, area, imbalance):
    net, x = affine(), images()
    S = torch.full((4, 16, 16), value)
    assert AREA.fn(net, x, 0, S).tolist() == [area] * 4
    assert IMBALANCE.fn(net, x, 0, S).tolist() == [imbalance] * 4
