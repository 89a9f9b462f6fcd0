import torch
from torch import Tensor

from .attention import Attention, Transformer


@torch.no_grad()
def raw_attention(net, x: Tensor, target: Tensor, *, row: str = "class") -> Tensor:
    r"""The attention of the class token in the last block, averaged over the heads.

    $$S = \mathbb{E}_h\, A^{(L)}_{\mathrm{cls}}, \quad
      A = \mathrm{softmax}(Q K^\top / \sqrt{d})$$
    with Q and K the queries and keys of a head h, of d entries each, and L the number of blocks
    (Dosovitskiy et al. 2021, eq. (6)-(7) of appendix A; Opti-CAM section 5.3.1). The map does not
    depend on the class: it is the same for every target.

    Args:
        row: the token whose attention is shown: "class", as in the paper; "distillation", for a
            network with such a token; "both", the mean of the two.

    Returns:
        Raw maps (B, h, w) over the patches, not negative.

    Example:
        >>> S = explain("raw_attention", net, x)
    """
    transformer = Transformer(net, row)
    _, A = transformer.run(x, Attention())
    return transformer.map(x, [A[-1].mean(1)])  # (B, N, N) of (B, heads, N, N)
