r"""Equation (1) of LIFT-CAM, the form of every CAM with one coefficient per channel."""

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor

from ..maps import without_noise


def weighted_sum(alpha: Tensor, A: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    r"""$\sum_k \alpha_k A_k$ of coefficients (B, K) and activations (B, K, h, w): maps (B, h, w).

    Channels that cancel leave exactly zero, without rounding noise; `dtype` as in `without_noise`.
    """
    M, size = (torch.einsum("bk,bkhw->bhw", *of) for of in ((alpha, A), (alpha.abs(), A.abs())))
    return without_noise(M, size, dtype)


def channel_sum(C: Tensor) -> Tensor:
    r"""$\sum_k C_k$ of each channel's contributions (B, K, h, w), without noise as above."""
    return without_noise(C.sum(1), C.abs().sum(1))


def combination(coefficients: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., Tensor]:
    r"""A method $\sum_k \alpha_k A_k$ from the function that gives $\alpha$ (B, K) and A.

    The method keeps that function as its attribute `coefficients`.
    """

    @wraps(coefficients)
    def method(net, x: Tensor, target: Tensor, **options) -> Tensor:
        return weighted_sum(*coefficients(net, x, target, **options))

    method.coefficients = coefficients
    return method
