"""Gradients of a score with respect to the target layer's activation."""

import torch
from torch import Tensor

from ..nets.activation import Context
from ..selectors import Score, logit


def activation_and_gradient(
    net, x: Tensor, target: Tensor, score: Score = logit
) -> tuple[Tensor, Tensor]:
    """A and the gradient of the score with respect to A, both (B, K, h, w).

    The features run once, without gradients; only the head is differentiated.
    """
    with torch.no_grad():
        A, context = net.cut(x)
    return A, gradient(net, A, context, target, score)


def gradient(net, A: Tensor, context: Context, target: Tensor, score: Score = logit) -> Tensor:
    """The gradient of the score with respect to A, (B, K, h, w)."""
    with torch.enable_grad():
        A = A.detach().requires_grad_()
        (g,) = torch.autograd.grad(score(net.head(A, context), target).sum(), A)
    return g
