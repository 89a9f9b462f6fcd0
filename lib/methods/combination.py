r"""Equation (1) of LIFT-CAM, which every CAM with one coefficient a channel shares."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor


def weighted_sum(alpha: Tensor, A: Tensor) -> Tensor:
    r"""$\sum_k \alpha_k A_k$ of coefficients (B, K) and activations (B, K, h, w): maps (B, h, w)."""
    return torch.einsum("bk,bkhw->bhw", alpha, A)


def combination(coefficients: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    r"""A method $\sum_k \alpha_k A_k$ from the function that gives $\alpha$ (B, K) and A.

    The method keeps that function as its attribute `coefficients`.
    """

    @wraps(coefficients)
    def method(net, x: Tensor, target: Tensor, **options) -> Tensor:
        return weighted_sum(*coefficients(net, x, target, **options))

    method.coefficients = coefficients
    return method
