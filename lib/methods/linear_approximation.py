from torch import Tensor

from ..selectors import select
from .combination import channel_sum
from .gradients import activation_and_gradient


def linear_approximation(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> Tensor:
    r"""The signed contribution of each position to a score linearised in the activation.

    $$\phi_t = \sum_k A_k \odot \partial y_t / \partial A_k$$
    with $A_k$ the channels of the target layer and $y_t$ the logit of class t (Wang & Wang 2022,
    section "Back-Propagation till the Activation Space"). HiRes-CAM is the positive part of it.

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), signed.

    Example:
        >>> S = explain("linear_approximation", net, x, 243, contrast="weighted", signed=True)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    return channel_sum(A * g)
