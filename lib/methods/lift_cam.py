import torch
from torch import Tensor

from ..nets.activation import Context
from ..nets.device import full_precision
from ..selectors import Score, logit, select
from .combination import combination
from .deeplift import Reference, Rescale


@combination
def lift_cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their DeepLIFT contributions: SHAP values, estimated in one pass.

    $$\alpha_k^{\mathrm{lift}} = \sum_{ij} C_{\Delta A_k(i,j)\, \Delta F^c}, \quad
      S^c = \mathrm{ReLU}(\sum_k \alpha_k A_k), \quad
      \sum_k \alpha_k^{\mathrm{lift}} = F^c(A) - F^c(0)$$
    with $A_k$ the channels of the target layer and $F^c$ the logit of class c (LIFT-CAM
    eq. (7)-(8)). The contributions C are those of DeepLIFT-Rescale with reference $A = 0$. The
    paper leaves the rules for max pooling and products open; `deeplift` states those used here. For
    an affine head the contributions are the SHAP values themselves.

    Args:
        selector: the score to explain, linearised at the logits; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Raises:
        ValueError: the contributions do not add up, which means that the head has a step that is
            neither affine nor known to `deeplift`, such as attention.

    Example:
        >>> S = explain("lift_cam", net, x, target=243)
    """
    score = select(selector, contrast)
    with torch.no_grad():
        A, context = net.cut(x)
    return contributions(net, A, context, target, score).sum((2, 3)), A


def contributions(net, A: Tensor, context: Context, target: Tensor, score: Score = logit) -> Tensor:
    r"""$C_{\Delta A_k(i,j)\, \Delta F^c}$ (B, K, h, w): what each activation adds to the score.

    Args:
        A, context: the result of `net.cut`.

    Raises:
        ValueError: as `lift_cam` does.
    """
    with torch.no_grad(), full_precision(), Reference() as reference:
        rows = A if context is not None else A[:1]  # one reference serves all images
        y0 = net.head(torch.zeros_like(rows), context)
    with torch.enable_grad(), full_precision():  # a contrast is a small difference of logits
        A = A.detach().requires_grad_()
        with Rescale(reference):
            y = net.head(A, context)
        v, m = torch.autograd.grad(score(y, target).sum(), (y, A))
    C = A.detach() * m
    _check_sum(net, C, (v * y.detach()).sum(1), (v * y0).sum(1))
    return C


def _check_sum(net, C: Tensor, y: Tensor, y0: Tensor) -> None:
    """Checks eq. (8) up to rounding, for contributions C (B, K, h, w) and the scores (B,) of the
    image and of the reference, linear in the logits."""
    error = (C.flatten(1).sum(1) - (y - y0)).abs()
    allowed = torch.finfo(C.dtype).eps ** 0.5 * (C.flatten(1).abs().sum(1) + y.abs() + y0.abs())
    if (error > allowed).any():
        i = int((error - allowed).argmax())
        raise ValueError(
            f"lift_cam: contributions of image {i} add up to {C[i].sum():.4g}, but the score changes "
            f"by {y[i] - y0[i]:.4g}: the head of {net.name} after {net.layer!r} holds a step that "
            "DeepLIFT-Rescale does not know here: take shap_cam, which estimates the same values by "
            "sampling, or grad_cam; or a later layer, where there is one before the pooling"
        )
