"""Cosine similarity of coefficients."""

import numpy as np
import torch
from scipy.spatial.distance import cosine

from lib.metrics.similarity import cosine_similarity


def test_as_scipy():
    a, b = torch.randn(5, 7), torch.randn(5, 7)
    want = [1 - cosine(x, y) for x, y in zip(a.double().numpy(), b.double().numpy())]
    assert np.allclose(cosine_similarity(a, b), want)


def test_scale_does_not_count_and_sign_does():
    a = torch.tensor([[1.0, 2.0], [1.0, 2.0], [2.0, -1.0]])
    got = cosine_similarity(a, torch.tensor([[3.0, 6.0], [-1.0, -2.0], [1.0, 2.0]]))
    assert torch.allclose(got, torch.tensor([1.0, -1.0, 0.0]).double(), atol=1e-12)


def test_nothing_is_similar_to_nothing():
    assert cosine_similarity(torch.zeros(1, 3), torch.ones(1, 3)).tolist() == [0]
