r"""Layer-wise relevance propagation through a transformer (Chefer et al. 2021, section 3).

In the backward pass each step propagates relevance instead of derivatives. A step that combines
inputs divides its relevance R among them in proportion to their contributions to the output. Steps
that act on each entry separately, and normalisations, pass R unchanged, and reshaping moves it with
the entries. Biases and other constants get no relevance, so the sum is conserved: a relevance of
one at the logit of a class is a total of one over the tokens.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from .attention import Attention
from .propagation import RESHAPING, Rule, free, unchanged

Share = Callable[..., tuple[Tensor, ...]]  # of R and the inputs of a step: the relevance of each


class Relevance(Attention):
    """Replaces the derivatives of what runs inside it by relevances.

    `torch.autograd.grad` of the logits, from a one-hot vector, then gives the relevance of every
    activation.

    Raises:
        ValueError: a step after the first attention has no rule; the message names it.
    """

    def __init__(self) -> None:
        super().__init__(
            RULES,
            "relevance has no rule for {!r}, which this network uses: take relevance='attention', "
            "which needs none",
        )


class Shared(Function):
    """A step whose relevance is divided among its inputs by `share`."""

    @staticmethod
    def forward(ctx, step: Callable[..., Tensor], share: Share, *inputs: Tensor) -> Tensor:
        ctx.share = share
        ctx.save_for_backward(*inputs)
        return step(*inputs)

    @staticmethod
    def backward(ctx, R: Tensor):
        return None, None, *ctx.share(R, *ctx.saved_tensors)


# ---------------------------------------------------------------------- the share of each input


def of_linear(R: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, None]:
    r"""$R_j = \sum_i \frac{x_j w_{ji}}{\sum_{j'} x_{j'} w_{j'i}} R_i$ over the pairs with
    $x_j w_{ji} > 0$ (section 3.1), without the bias. An output without such pairs passes on
    nothing.
    """
    up, down = x.clamp(min=0), x.clamp(max=0)
    w_up, w_down = w.clamp(min=0), w.clamp(max=0)
    s = ratio(R, F.linear(up, w_up) + F.linear(down, w_down))
    return up * (s @ w_up) + down * (s @ w_down), None


def of_one(R: Tensor, t: Tensor) -> tuple[Tensor]:
    """R, unchanged."""
    return (R,)


def of_sum(R: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    r"""A skip connection $z = u + v$: $R^u = u R / z$, $R^v = v R / z$, balanced."""
    s = ratio(R, u + v)
    return balanced(u * s, v * s, R)


def of_gate(R: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    r"""Gating $z = u v$, entry by entry: $R^u = R^v = R$, balanced."""
    return balanced(R, R, R)


def of_product(R: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    r"""A matrix product $z = u v$: $R^u = u \odot (R / z) v^\top$, $R^v = v \odot u^\top (R / z)$,
    balanced, since each of them alone sums to R."""
    s = ratio(R, u @ v)
    return balanced(u * (s @ v.transpose(-2, -1)), v * (u.transpose(-2, -1) @ s), R)


def balanced(Ru: Tensor, Rv: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
    r"""Both relevances, scaled in each image so that they add up to R and both sums stay in
    $[0, \sum R]$:

    $$\bar R^u = R^u \frac{|\Sigma R^u|}{|\Sigma R^u| + |\Sigma R^v|} \frac{\Sigma R}{\Sigma R^u}$$
    (section 3.2, lemma 2), and likewise for v.
    """
    u, v, whole = (t.flatten(1).sum(1).view(-1, *(1,) * (t.ndim - 1)) for t in (Ru, Rv, R))
    scale = ratio(whole, u.abs() + v.abs())
    return Ru * (u.sign() * scale), Rv * (v.sign() * scale)


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and zero where b is zero: an input that contributed nothing gets nothing."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))


# ------------------------------------------------------------------------------------- the rules


def _linear(func: Callable, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return Shared.apply(lambda x, w: func(x, w, bias), of_linear, x, weight)


def _pass(func: Callable, t: Tensor, *args, **kwargs):
    step = lambda t: func(t, *args, **kwargs)  # noqa: E731
    return Shared.apply(step, of_one, t) if free((t,)) else NotImplemented


def _combine(step: Callable | None, share: Share | None, constants: bool = True) -> Rule:
    """The rule of a step with two inputs: two activations share R, and a constant gets none."""

    def rule(func: Callable, a, b, **kwargs):
        given = free((a, b))
        if constants and len(given) == 1:
            of_a, of_b = lambda t: func(t, b, **kwargs), lambda t: func(a, t, **kwargs)
            return Shared.apply(of_a if given[0] is a else of_b, of_one, *given)
        known = step is not None and len(given) == 2 and not kwargs
        return Shared.apply(step, share, a, b) if known else NotImplemented

    return rule


_PASSING = (  # one activation in, one of the same shape out
    "gelu", "relu", "silu", "sigmoid", "tanh", "hardswish", "softmax", "layer_norm", "rms_norm",
    "neg", "to", "float", "double", "type", "type_as",
)  # fmt: skip
RULES: dict[str, Rule] = {
    "linear": _linear,
    **dict.fromkeys(_PASSING, _pass),
    **dict.fromkeys(("add", "radd", "iadd"), _combine(torch.add, of_sum)),
    **dict.fromkeys(("mul", "rmul", "imul", "multiply"), _combine(torch.mul, of_gate)),
    **dict.fromkeys(("div", "truediv", "itruediv"), _combine(None, None)),
    **dict.fromkeys(("matmul", "bmm"), _combine(torch.matmul, of_product, constants=False)),
    **dict.fromkeys(RESHAPING, unchanged),
}
