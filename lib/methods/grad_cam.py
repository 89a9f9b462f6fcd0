from torch import Tensor

from ..selectors import select
from .combination import combination
from .gradients import activation_and_gradient


@combination
def grad_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their mean gradient.

    $$w_k^c = \mathrm{GAP}(\partial y_c / \partial A^k), \quad S^c = \mathrm{ReLU}(\sum_k w_k^c A^k)$$
    with $A^k$ the channels of the target layer and $y_c$ the logit of class c
    (Selvaraju et al. 2017, eq. (1)-(2); Opti-CAM eq. (2)).

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("grad_cam", net, x, target=243)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    return g.mean((2, 3)), A
