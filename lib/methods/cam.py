import torch
from torch import Tensor

from ..selectors import select
from .combination import combination
from .gradients import activation_and_gradient


@combination
def cam(
    net, x: Tensor, target: Tensor, *, selector: str = "logit", contrast: str = "none"
) -> tuple[Tensor, Tensor]:
    r"""The classifier's own weights combine the feature maps it pools.

    $$S^c = \sum_k w_k^c A^k$$ with $w_k^c$ the weight between channel k and class c, for a head that
    is global average pooling and one linear layer (Zhou et al. 2016, eq. (2); Opti-CAM eq. (1)).

    Args:
        selector: the score to differentiate; see `SELECTORS`.
        contrast: of the logit with those of other classes; see `CONTRASTS`.

    Returns:
        Raw maps (B, h, w), signed, on the scale of the logit.

    Raises:
        ValueError: the head is something else, so no such weight exists.
    """
    A, g = activation_and_gradient(net, x, target, select(selector, contrast))
    # Behind pooling and a linear layer every position has the gradient w / hw.
    if not net.affine_head or not torch.allclose(g, g[..., :1, :1].expand_as(g), atol=1e-7):
        raise ValueError(
            f"cam needs a head of global average pooling and one linear layer; after {net.layer!r} "
            f"{net.name} has another: use grad_cam, which equals CAM where both exist"
        )
    return g.sum((2, 3)), A
