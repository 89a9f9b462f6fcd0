from torch import Tensor

from ..selectors import select
from .combination import channel_sum
from .gradients import activation_and_gradient


def layer_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> Tensor:
    r"""Activation times positive gradient at each position, summed over channels.

    $$S^c = \mathrm{ReLU}\big(\sum_k \mathrm{ReLU}(\partial y_c / \partial A^k) \odot A^k\big)$$
    with $A^k$ the channels of the target layer and $y_c$ the logit of class c
    (Jiang et al. 2021, eq. (5)-(7)).

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("layer_cam", net, x, target=243)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    return channel_sum(g.relu() * A)
