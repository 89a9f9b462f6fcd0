import torch
from torch import Tensor

from .attention import Attention, Transformer, with_identity


@torch.no_grad()
def rollout(net, x: Tensor, target: Tensor, *, row: str = "class") -> Tensor:
    r"""Attention followed from the class token through all blocks down to the patches.

    $$\hat A^{(l)} = \mathrm{rows}\big(\mathbb{E}_h A^{(l)} + I\big), \quad
      S = \big(\hat A^{(L)} \cdots \hat A^{(1)}\big)_{\mathrm{cls}}$$
    with $A^{(l)}$ the attention of the heads h of block l (Abnar & Zuidema 2020, eq. (1); Opti-CAM
    section 5.3.1), where rows(.) scales each row to the sum 1. The map does not depend on the
    class: it is the same for every target.

    Args:
        row: the token whose attention is followed: "class", as in the paper; "distillation", for a
            network with such a token; "both", the mean of the two.

    Returns:
        Raw maps (B, h, w) over the patches, not negative.

    Example:
        >>> S = explain("rollout", net, x)
    """
    transformer = Transformer(net, row)
    _, A = transformer.run(x, Attention())
    blocks = [with_identity(a.mean(1)) for a in A]
    return transformer.map(x, [M / M.sum(2, keepdim=True) for M in blocks])
