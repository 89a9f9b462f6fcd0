import torch
from torch import Tensor

from ..nets import context_of
from ..selectors import select
from .gradients import activation_and_gradient, pairs, weighted_sum


def ablation_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", chunk: int | None = None
) -> Tensor:
    r"""Channels weighted by the relative drop of the score when each one is set to zero.

    $$w_k^c = (y_c - y_c^{\setminus k}) / y_c, \quad S^c = \mathrm{ReLU}(\sum_k w_k^c A^k)$$
    (Desai & Ramaswamy 2020, eq. (3)-(4); LIFT-CAM eq. (9)). Where the score $y_c$ is negative its
    sign turns the map round; the formula is kept as it is printed.

    Only the head runs. An affine head has a closed form: the drop is
    $\sum_{ij} A_{ij}^k \, \partial y_c / \partial A_{ij}^k$, one backward pass for all channels.

    Args:
        selector: the score to ablate; see `SELECTORS`.
        chunk: ablated activations a pass; None for what suits the device. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.
    """
    if net.affine_head and selector == "logit":
        A, g = activation_and_gradient(net, x, target, selector)
        drop = (A * g).sum((2, 3))  # (B, K)
        with torch.no_grad():
            y = select(selector)(net.head(A), target)
    else:
        A, y, drop = _drops(
            net, x, target, selector, 8 * net.batch_hint(x) if chunk is None else chunk
        )
    return weighted_sum(drop / y[:, None], A)


@torch.no_grad()
def _drops(
    net, x: Tensor, target: Tensor, selector: str, chunk: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A, the score y (B,) and its drop (B, K) by each channel; a channel of zeros drops nothing."""
    A, score = net.features(x), select(selector)
    y = score(net.head(A), target)
    alive = (A != 0).any(3).any(2)  # (B, K)
    drop = torch.zeros(alive.shape, device=A.device, dtype=A.dtype)
    for image, channel in pairs(alive, chunk):
        ablated = A[image]  # (n, K, h, w), a copy
        ablated[torch.arange(len(image), device=A.device), channel] = 0
        drop[image, channel] = y[image] - score(
            net.head(ablated, context_of(A, image)), target[image]
        )
    return A, y, drop
