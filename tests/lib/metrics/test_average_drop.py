"""Average drop (AD)."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.confidence import Confidence, average_drop

from ..networks import affine, images


def test_by_hand():
    confidence = Confidence(torch.tensor([0.8, 0.5, 0.4, 0.2]), torch.tensor([0.6, 0.5, 0.9, 0.0]))
    assert average_drop(confidence).tolist() == pytest.approx([0.25, 0, 0, 1])


def test_nothing_is_lost_where_nothing_is_masked():
    S = torch.ones(4, 16, 16, dtype=torch.float64)
    assert (METRICS["average_drop"].fn(affine(), images(), 0, S) == 0).all()


def test_a_probability_of_zero_has_nothing_to_lose():
    zero = torch.zeros(2, dtype=torch.float64)
    assert average_drop(Confidence(zero, zero + torch.tensor([0.0, 0.5]))).tolist() == [0, 0]
