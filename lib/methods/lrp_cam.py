import torch
from torch import Tensor

from ..selectors import select
from .combination import combination
from .lrp import LRP0


@combination
def lrp_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their relevance, propagated layer by layer from the logit.

    $$R_i = \sum_j \frac{a_i w_{ij}}{b_j + \sum_{i'} a_{i'} w_{i'j}} R_j, \quad
      \alpha_k = \sum_{ij} R_{A_k(i,j)}, \quad S^c = \mathrm{ReLU}(\sum_k \alpha_k A_k)$$
    with $a_i$ the inputs of a layer, $w$ and $b$ its weights and biases, $R_j$ the relevances of
    its outputs (Bach et al. 2015, eq. (56), named by LIFT-CAM section 3.1). Biases keep their
    share, so the relevances need not add up to the logit. For a head of affine layers, ReLUs and
    max pooling, the relevance is gradient times activation.

    Args:
        selector: the score to explain; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("lrp_cam", net, x, target=243)
    """
    score = select(selector, contrast)
    with torch.no_grad():
        A, context = net.cut(x)
    with torch.enable_grad():
        A = A.detach().requires_grad_()
        with LRP0():
            y = net.head(A, context)
        (m,) = torch.autograd.grad(score(y, target).sum(), A)
    A = A.detach()
    return (A * m).sum((2, 3)), A
