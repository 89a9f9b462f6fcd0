"""Complexity: the mean of the map."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.adcc import Terms, complexity, mean_saliency

from ..networks import affine, images, maps

COMPLEXITY = METRICS["complexity"]


def test_it_is_the_second_term():
    assert complexity(
        Terms(torch.tensor([0.7]), torch.tensor([0.1]), torch.tensor([0.2]))
    ).item() == pytest.approx(0.1)


def test_it_is_the_mean_saliency_of_the_label():
    S = maps()
    got = COMPLEXITY.fn(affine(), images(), 0, S, method="grad_cam")
    assert torch.equal(got, mean_saliency(S))
    assert COMPLEXITY.target == "label" and METRICS["mean_saliency"].target == "predicted"
    assert not COMPLEXITY.higher_is_better
