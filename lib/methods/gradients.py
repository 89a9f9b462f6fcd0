"""Gradients of a score by the target layer's activation."""

import torch
from torch import Tensor

from ..selectors import select


def activation_and_gradient(net, x: Tensor, target: Tensor, selector: str) -> tuple[Tensor, Tensor]:
    """A and the gradient of the selected score by A, both (B, K, h, w).

    The features run once and without gradients; only the head is differentiated.
    """
    with torch.no_grad():
        A = net.features(x)
    with torch.enable_grad():
        A = A.detach().requires_grad_()
        score = select(selector)(net.head(A), target)
        (g,) = torch.autograd.grad(score.sum(), A)
    return A.detach(), g
