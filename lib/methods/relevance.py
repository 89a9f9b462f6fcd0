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

from .attention import Attention, name_of

_PASSING = {  # one activation in, one of the same shape out
    "gelu", "relu", "silu", "sigmoid", "tanh", "hardswish", "softmax", "layer_norm", "rms_norm",
    "neg", "to", "float", "double", "type", "type_as",
}  # fmt: skip
_SUMS = {"add", "radd", "iadd"}
_GATES = {"mul", "rmul", "imul", "multiply"}
_SCALING = _GATES | {"div", "truediv", "itruediv"}
_PRODUCTS = {"matmul", "bmm"}
_RESHAPING = {  # their derivative is where each entry came from
    "reshape", "view", "permute", "transpose", "swapaxes", "movedim", "unbind", "chunk", "split",
    "getitem", "select", "narrow", "cat", "concat", "stack", "expand", "flatten", "unflatten",
    "squeeze", "unsqueeze", "contiguous", "clone", "dropout", "get",
}  # fmt: skip


class Propagation(Attention):
    """What runs inside has relevances for derivatives: `torch.autograd.grad` of the logits, from a
    one-hot vector, gives the relevance of every activation.

    Raises:
        ValueError: after the first attention, a step without a rule; names it.
    """

    def call(self, func, *args, **kwargs):
        name = name_of(func)
        free = [a for a in args[:2] if isinstance(a, Tensor) and a.requires_grad]
        if name == "linear":
            return _Linear.apply(*args, **kwargs)
        if name in _PASSING and free:
            return _Pass.apply(args[0], lambda t: func(t, *args[1:], **kwargs))
        if name in _SUMS | _SCALING and len(free) == 1:  # the other is a constant
            first = free[0] is args[0]
            return _Pass.apply(
                free[0], lambda t: func(*((t, args[1]) if first else (args[0], t)), **kwargs)
            )
        if name in _RULES and len(free) == 2 and not kwargs:
            return _RULES[name].apply(*args)
        out = func(*args, **kwargs)
        if self.found and name not in _RESHAPING and _has_gradient(out):
            raise ValueError(
                f"relevance has no rule for {name!r}, which this network uses: take "
                "relevance='attention', which needs none"
            )
        return out


def _has_gradient(out) -> bool:
    outs = out if isinstance(out, tuple | list) else (out,)
    return any(isinstance(o, Tensor) and o.requires_grad for o in outs)


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


_RULES = (
    dict.fromkeys(_SUMS, _Sum) | dict.fromkeys(_GATES, _Product) | dict.fromkeys(_PRODUCTS, _MatMul)
)  # of two activations


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
