import torch
from torch import Tensor

from ..selectors import select
from .combination import combination
from .gradients import activation_and_gradient


@combination
def grad_cam_plus_plus(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their positive gradients, with each position weighted by derivatives.

    $$\alpha_{ij}^{kc} = \frac{g^2}{2 g^2 + g^3 \sum_{ab} A_{ab}^k}, \quad
      w_k^c = \sum_{ij} \alpha_{ij}^{kc} \mathrm{ReLU}(g_{ij}^k), \quad g = \partial y_c / \partial A$$
    with $A^k$ the channels of the target layer and $y_c$ the logit of class c
    (Chattopadhyay et al. 2018, eq. (10)-(11), in the form of eq. (19), whose score is $e^{y_c}$).

    Departures: $\alpha$ is not divided by its sum, a step that only the authors' code adds, and the
    factor $e^{y_c}$ is left out, since it scales the whole map. Where the denominator is zero,
    $\alpha = 0$. Since $\alpha$ depends on the scale of $g$, the map for a probability is not a
    multiple of the map for the weighted contrast.

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("grad_cam_plus_plus", net, x, target=243)
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    denominator = 2 * g**2 + g**3 * A.sum((2, 3), keepdim=True)
    alpha = torch.where(denominator == 0, 0.0, g**2 / denominator)
    return (alpha * g.relu()).sum((2, 3)), A
