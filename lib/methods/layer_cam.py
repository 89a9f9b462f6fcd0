from torch import Tensor

from ..selectors import Score
from .contrastive import contrastive
from .gradients import activation_and_gradient


@contrastive
def layer_cam(net, x: Tensor, target: Tensor, score: Score) -> Tensor:
    r"""Activation times positive gradient at each position, summed over channels.

    $$S^c = \mathrm{ReLU}\big(\sum_k \mathrm{ReLU}(\partial y_c / \partial A^k) \odot A^k\big)$$
    (Jiang et al. 2021, eq. (5)-(7)).

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: of the logit with those of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.
    """
    A, g = activation_and_gradient(net, x, target, score)
    return (g.relu() * A).sum(1)
