import torch
from torch import Tensor

from .combination import combination
from .rescale import Relevance


@combination
def lrp_cam(net, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their relevance, propagated layer by layer from the logit.

    $$R_i = \sum_j \frac{a_i w_{ij}}{b_j + \sum_{i'} a_{i'} w_{i'j}} R_j, \quad
      \alpha_k = \sum_{ij} R_{A_k(i,j)}, \quad S^c = \mathrm{ReLU}(\sum_k \alpha_k A_k)$$
    (Bach et al. 2015, eq. (56), named by LIFT-CAM section 3.1). Biases keep their share, so that the
    relevances need not add up to the logit. Behind ReLUs and max pooling this is gradient times
    activation.

    Returns:
        Raw maps (B, h, w), before the ReLU.
    """
    with torch.no_grad():
        A = net.features(x)
    with torch.enable_grad():
        A = A.detach().requires_grad_()
        with Relevance():
            y = net.head(A).gather(1, target[:, None])
        (m,) = torch.autograd.grad(y.sum(), A)
    A = A.detach()
    return (A * m).sum((2, 3)), A
