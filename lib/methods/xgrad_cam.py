import torch
from torch import Tensor

from ..selectors import select
from .combination import combination
from .gradients import activation_and_gradient


@combination
def xgrad_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their gradient, averaged with their activation as weights.

    $$w_k^c = \sum_{ij} \frac{A_{ij}^k}{\sum_{ab} A_{ab}^k} \frac{\partial y_c}{\partial A_{ij}^k}$$
    with $A^k$ the channels of the target layer and $y_c$ the logit of class c
    (Fu et al. 2020, eq. (8)).

    Departure: the denominator sums |A|. After a ReLU this makes no difference; for layers that can
    be negative it keeps the denominator away from zero. A dead channel has weight zero.

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("xgrad_cam", net, x, target=243)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    total = A.abs().sum((2, 3))  # (B, K)
    return torch.where(total == 0, 0.0, (A * g).sum((2, 3)) / total), A
