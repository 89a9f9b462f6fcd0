"""What CAM methods share: gradients by the target layer, and perturbed activations in chunks."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..checks import check_count
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


def weighted_sum(w: Tensor, A: Tensor) -> Tensor:
    r"""$\sum_k w_k A^k$ of weights (B, K) and activations (B, K, h, w): maps (B, h, w)."""
    return torch.einsum("bk,bkhw->bhw", w, A)


def pairs(alive: Tensor, chunk: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The (image, channel) pairs of a mask (B, K), `chunk` at a time: a chunk mixes images."""
    check_count("chunk", chunk)
    for index in alive.nonzero().split(chunk):
        yield index[:, 0], index[:, 1]
