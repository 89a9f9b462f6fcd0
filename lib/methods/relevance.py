r"""Layer-wise relevance propagation through a transformer (Chefer et al. 2021, section 3).

Backward, each step hands on relevance in place of derivatives. A step that combines inputs shares
out its relevance R in proportion to what each contributed to the output; steps that act on every
entry alone, and normalisations, pass it unchanged; reshaping takes it along. Biases and other
constants get none, so that the sum stays as it is: relevance one at the logit of a class is one in
all at the tokens.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F

from .attention import Attention
from .propagation import RESHAPING, Rule, free, unchanged


class Relevance(Attention):
    """What runs inside has relevances for derivatives: `torch.autograd.grad` of the logits, from a
    one-hot vector, gives the relevance of every activation.

    Raises:
        ValueError: after the first attention, a step without a rule; names it.
    """

    def __init__(self) -> None:
        super().__init__(RULES)

    def unknown(self, name: str) -> None:
        if self.found:
            raise ValueError(
                f"relevance has no rule for {name!r}, which this network uses: take "
                "relevance='attention', which needs none"
            )


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and zero where b is: what contributed nothing gets nothing."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))


class _Linear(Function):
    r"""$R_j = \sum_i \frac{x_j w_{ji}}{\sum_{j'} x_{j'} w_{j'i}} R_i$ over the pairs with
    $x_j w_{ji} > 0$ (section 3.1), without the bias. An output that has none hands nothing on."""

    @staticmethod
    def forward(ctx, x, weight, bias=None):
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight, bias)

    @staticmethod
    def backward(ctx, R):
        x, w = ctx.saved_tensors
        up, down = x.clamp(min=0), x.clamp(max=0)
        w_up, w_down = w.clamp(min=0), w.clamp(max=0)
        s = ratio(R, F.linear(up, w_up) + F.linear(down, w_down))
        return up * (s @ w_up) + down * (s @ w_down), None, None


class _Pass(Function):
    """R, unchanged."""

    @staticmethod
    def forward(ctx, t: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        return step(t)

    @staticmethod
    def backward(ctx, R):
        return R, None


class _Sum(Function):
    r"""A skip connection $z = u + v$: $R^u = u R / z$, $R^v = v R / z$, balanced."""

    @staticmethod
    def forward(ctx, u, v):
        ctx.save_for_backward(u, v)
        return u + v

    @staticmethod
    def backward(ctx, R):
        u, v = ctx.saved_tensors
        s = ratio(R, u + v)
        return balanced(u * s, v * s, R)


class _Product(Function):
    r"""Gating $z = u v$, entry by entry: both factors claim R, balanced."""

    @staticmethod
    def forward(ctx, u, v):
        return u * v

    @staticmethod
    def backward(ctx, R):
        return balanced(R, R, R)


class _MatMul(Function):
    r"""$z = u v$ of two activations: $R^u = u \odot (R / z) v^\top$, $R^v = v \odot u^\top (R / z)$
    balanced, since each of them sums to R."""

    @staticmethod
    def forward(ctx, u, v):
        ctx.save_for_backward(u, v)
        return u @ v

    @staticmethod
    def backward(ctx, R):
        u, v = ctx.saved_tensors
        s = ratio(R, u @ v)
        return balanced(u * (s @ v.transpose(-2, -1)), v * (u.transpose(-2, -1) @ s), R)


def balanced(Ru: Tensor, Rv: Tensor, R: Tensor) -> tuple[Tensor, Tensor]:
    r"""Both relevances scaled so that, in each image, they add up to R and neither sum leaves
    $[0, \sum R]$:

    $$\bar R^u = R^u \frac{|\Sigma R^u|}{|\Sigma R^u| + |\Sigma R^v|} \frac{\Sigma R}{\Sigma R^u}$$
    (section 3.2, lemma 2), and likewise for v.
    """
    sums = [_sum(t) for t in (Ru, Rv)]
    scale = ratio(_sum(R), sums[0].abs() + sums[1].abs())
    return tuple(t * _like(total.sign() * scale, t) for t, total in zip((Ru, Rv), sums))


def _sum(t: Tensor) -> Tensor:
    """The sum (B,) over all but the images."""
    return t.flatten(1).sum(1)


def _like(factor: Tensor, t: Tensor) -> Tensor:
    return factor.view(-1, *(1,) * (t.ndim - 1))


# ------------------------------------------------------------------------------------- the rules


def _share_out(func: Callable, *args, **kwargs) -> Tensor:
    return _Linear.apply(*args, **kwargs)


def _pass_on(func: Callable, t: Tensor, *args, **kwargs):
    return _Pass.apply(t, lambda t: func(t, *args, **kwargs)) if free((t,)) else NotImplemented


def _combine(both: type[Function] | None, constants: bool = True) -> Rule:
    """The rule of a step with two inputs: `both`, where both are activations; a constant gets none."""

    def rule(func: Callable, a, b, **kwargs):
        given = free((a, b))
        if constants and len(given) == 1:
            one = (lambda t: func(t, b, **kwargs)) if given[0] is a else (lambda t: func(a, t, **kwargs))
            return _Pass.apply(given[0], one)
        return both.apply(a, b) if both and len(given) == 2 and not kwargs else NotImplemented

    return rule


_PASSING = (  # one activation in, one of the same shape out
    "gelu", "relu", "silu", "sigmoid", "tanh", "hardswish", "softmax", "layer_norm", "rms_norm",
    "neg", "to", "float", "double", "type", "type_as",
)  # fmt: skip

RULES: dict[str, Rule] = {
    "linear": _share_out,
    **dict.fromkeys(_PASSING, _pass_on),
    **dict.fromkeys(("add", "radd", "iadd"), _combine(_Sum)),
    **dict.fromkeys(("mul", "rmul", "imul", "multiply"), _combine(_Product)),
    **dict.fromkeys(("div", "truediv", "itruediv"), _combine(None)),
    **dict.fromkeys(("matmul", "bmm"), _combine(_MatMul, constants=False)),
    **dict.fromkeys(RESHAPING, unchanged),
}
