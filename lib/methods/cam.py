import torch
from torch import Tensor

from ..checks import check_choice
from ..maps import NORMALISATIONS
from ..selectors import select
from ..superset import Superset, members
from .combination import combination
from .gradients import activation_and_gradient


@combination
def cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    selector: str = "logit",
    contrast: str = "none",
    normalisation: str = "range",
    superset: Superset | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by the classifier's own weights for the class.

    $$S^c = \sum_k w_k^c A^k$$ with $w_k^c$ the weight between channel $A^k$ of the target layer and
    class c, for a head that is global average pooling and one linear layer (Zhou et al. 2016,
    eq. (2); Opti-CAM eq. (1); CALM supplement, eq. (d)).

    For a superset of classes, the maps of its classes are added up, each divided by its range, as
    the authors of CALM do. The minimum that min-max scaling subtracts from each map is left out:
    it shifts all positions alike.

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: a contrast with the logits of other classes; see `CONTRASTS`.
        normalisation: how `explain` scales the map: "range" is min-max; "max" divides the positive
            part by its maximum (CALM supplement, eq. (e)).
        superset: the classes whose maps are added up, the same for all images or one set for each
            class; see `superset.members`.

    Returns:
        Raw maps (B, h, w), signed, in units of the logit; for a superset, in units of the ranges.

    Raises:
        ValueError: the head has another form, so that no such weights exist; or a superset is
            combined with a selector or contrast.

    Example:
        >>> S = explain("cam", net, x, target=243)
    """
    check_choice("normalisation", normalisation, NORMALISATIONS)
    score = select(selector, contrast)
    A, g = activation_and_gradient(net, x, target, score)
    # Behind pooling and a linear layer every position has the gradient w / hw.
    if not net.affine_head or not torch.allclose(g, g[..., :1, :1].expand_as(g), atol=1e-7):
        raise ValueError(
            f"cam needs a head of global average pooling and one linear layer; after {net.layer!r} "
            f"{net.name} has another: use grad_cam, which equals CAM where both exist"
        )
    if superset is None:
        return g.sum((2, 3)), A
    if (selector, contrast) != ("logit", "none"):
        raise ValueError(
            "a superset adds up maps of logits: leave selector and contrast as they are"
        )
    return _added_up(class_weights(net, A), A, members(superset, target, net.num_classes)), A


def class_weights(net, A: Tensor) -> Tensor:
    """The weights (C, K) of a head of average pooling and one linear layer."""
    nothing = A.new_zeros(1, *A.shape[1:])
    alone = torch.eye(A.shape[1]).to(A)[:, :, None, None].expand(-1, -1, *A.shape[2:])
    with torch.no_grad():
        return (net.head(alone) - net.head(nothing)).T


def _added_up(W: Tensor, A: Tensor, among: Tensor) -> Tensor:
    """The coefficients (B, K) of the sum of the classes' maps, each divided by its range.

    `among` (B, C) says which classes are summed for each image.
    """
    used = among.any(0).nonzero()[:, 0]  # (U,)
    f = torch.einsum("uk,bkhw->buhw", W[used], A).flatten(2)  # (B, U, hw)
    span = f.amax(2) - f.amin(2)
    share = torch.where(span > 0, among[:, used] / torch.where(span > 0, span, 1.0), 0.0)
    return share.to(W) @ W[used]
