import torch
from torch import Tensor

from ..checks import check_choice
from .attention import Attention, Transformer, with_identity
from .relevance import Relevance

RELEVANCES = ("lrp", "attention")


def tibav(net, x: Tensor, target: Tensor, *, relevance: str = "lrp", row: str = "class") -> Tensor:
    r"""Attention weighted by gradient and relevance, followed from the class token to the patches.

    $$\bar A^{(l)} = I + \mathbb{E}_h \big(\nabla A^{(l)} \odot R^{(l)}\big)^+, \quad
      S^c = \big(\bar A^{(L)} \cdots \bar A^{(1)}\big)_{\mathrm{cls}}$$
    with $A^{(l)}$ the attention of the heads h of block l and $y_c$ the logit of class c
    (Chefer et al. 2021, eq. (13)-(14)). $\nabla A = \partial y_c / \partial A$, and R is the
    relevance of A for class c, propagated from the logit through every layer; see `Relevance`.
    Blocks are counted from the image, which is how the authors' code reads the paper's product.

    Args:
        relevance: R: "lrp" as above; "attention", $R = A$, the authors' later simplification
            (Chefer et al. 2021, "Generic attention-model explainability", eq. (5)).
        row: the token whose attention is followed: "class", as in the paper; "distillation", for a
            network with such a token; "both", the mean of the two.

    Returns:
        Raw maps (B, h, w) over the patches, not negative.

    Example:
        >>> S = explain("tibav", net, x, target=243)
    """
    check_choice("relevance", relevance, RELEVANCES)
    net.need_classes()
    transformer = Transformer(net, row)
    with torch.enable_grad():
        x = x.detach().requires_grad_()  # gives every A a gradient although parameters are frozen
        y, A = transformer.run(x, Attention())
        one_hot = torch.zeros_like(y).scatter(1, target[:, None], 1.0)  # (B, C)
        g = torch.autograd.grad(y, A, one_hot, materialize_grads=True)
        R = A
        if relevance == "lrp":
            y, A = transformer.run(x, Relevance())
            R = torch.autograd.grad(y, A, one_hot, materialize_grads=True)
    positive = [(gradient * r.detach()).relu() for gradient, r in zip(g, R)]
    return transformer.map(x.detach(), [with_identity(P.mean(1)) for P in positive])
