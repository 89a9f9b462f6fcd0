import torch
from torch import Tensor

from ..checks import check_count
from ..selectors import select
from .coalition_game import ask_each_game
from .combination import combination
from .gradients import gradient


@combination
def ablation_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", chunk: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by the relative drop of the score when each one is set to zero.

    $$w_k^c = (y_c - y_c^{\setminus k}) / y_c, \quad S^c = \mathrm{ReLU}(\sum_k w_k^c A^k)$$
    with $y_c$ the score of class c, and $y_c^{\setminus k}$ the score without channel $A^k$ of the
    target layer (Desai & Ramaswamy 2020, eq. (3)-(4); LIFT-CAM eq. (9)). A negative $y_c$ reverses
    the sign of the map; the formula is kept as it is printed.

    Only the head runs. For the logit behind an affine head the drop has a closed form,
    $\sum_{ij} A_{ij}^k \, \partial y_c / \partial A_{ij}^k$: one backward pass for all channels.

    Args:
        selector: the score to ablate; see `SELECTORS`.
        chunk: ablated activations per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("ablation_cam", net, x, target=243)
    """
    check_count("chunk", chunk)
    with torch.no_grad():
        A, context = net.cut(x)
        y = select(selector)(net.head(A, context), target)
        if net.affine_head and selector == "logit":
            drop = (A * gradient(net, A, context, target)).sum((2, 3))  # (B, K)
        else:
            options = {"selector": selector, "chunk": chunk}
            drop = ask_each_game(net, A, context, target, lambda game, _: game.drops(), **options)
    return drop / y[:, None], A
