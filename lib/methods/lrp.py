r"""Layer-wise relevance propagation with the basic rule, LRP-0 (Bach et al. 2015, eq. (56)).

The relevances are the input times modified gradients, in which every activation
$t \mapsto \phi(t)$ has the slope $\phi(t) / t$ of the line from the origin to its value (Ancona et
al. 2018, proposition 1). The reference of every neuron is thus zero, whereas DeepLIFT uses each
neuron's own. In max pooling the maximum takes all of the relevance, two factors take half each, and
a constant takes none.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .propagation import RESHAPING, Propagation, free, nonlinear, secant, unchanged, with_slope


def _ray(phi: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    return secant(phi, t, torch.zeros_like(t), torch.zeros_like(t))


def _half_each(a: Tensor, b: Tensor) -> Tensor:
    if len(free((a, b))) < 2:
        return a * b
    return with_slope((a * b).detach(), (a * b.detach() + b * a.detach()) / 2)


def _of_one(func: Callable, *args, **kwargs) -> Any:
    """The rule of steps that are linear in each argument: one argument may depend on the input."""
    return func(*args, **kwargs) if len(free(args)) < 2 else NotImplemented


def _by_a_constant(func: Callable, a, b, **kwargs) -> Any:
    return NotImplemented if free((b,)) else func(a, b, **kwargs)


_AFFINE = RESHAPING | {
    "add", "radd", "iadd", "add_", "sub", "rsub", "isub", "sub_", "neg", "mean", "sum", "batch_norm",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "pad", "interpolate", "roll", "flip", "repeat", "to", "float", "double",
    "type", "type_as",
}  # fmt: skip
_BILINEAR = "linear conv1d conv2d conv3d matmul rmatmul mm bmm einsum rmul".split()

RULES = (
    nonlinear(_ray, lambda pool, t: pool(t)[0], _half_each)
    | dict.fromkeys(_AFFINE, unchanged)
    | dict.fromkeys(_BILINEAR, _of_one)
    | dict.fromkeys(("div", "truediv", "div_", "itruediv"), _by_a_constant)
)


class LRP0(Propagation):
    """Gives steps that run inside it gradients which, times the input, are the relevances.

    Raises:
        ValueError: a step between the input and the output has no rule; the message names it.
    """

    def __init__(self) -> None:
        super().__init__(
            RULES,
            "LRP-0 has no rule for the step {!r} behind the target layer: take a method without rules, "
            "such as shap_cam or grad_cam; or a later layer, where there is one before the pooling",
        )
