from torch import Tensor

from ..selectors import select
from .combination import channel_sum
from .gradients import activation_and_gradient


def hires_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> Tensor:
    r"""Activation times gradient at each position, summed over channels.

    $$S^c = \mathrm{ReLU}\big(\sum_k A^k \odot \partial y_c / \partial A^k\big)$$
    with $A^k$ the channels of the target layer and $y_c$ the logit of class c
    (Draelos & Carin 2020, eq. (4)).

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("hires_cam", net, x, target=243)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    return channel_sum(A * g)
