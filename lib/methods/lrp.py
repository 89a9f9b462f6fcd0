r"""Layer-wise relevance propagation with the basic rule, LRP-0 (Bach et al. 2015, eq. (56)).

Its relevances are the input times gradients in which every activation $t \mapsto \phi(t)$ has the
slope $\phi(t) / t$ of the ray through its value (Ancona et al. 2018, proposition 1): a reference of
zero for every neuron, where DeepLIFT takes each neuron's own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .propagation import RESHAPING, NonLinear, free, linear_in_one, secant, unchanged, with_slope

_AFFINE = RESHAPING | {
    "add", "radd", "iadd", "add_", "sub", "rsub", "isub", "sub_", "neg", "mean", "sum", "batch_norm",
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "pad", "interpolate", "roll", "flip", "repeat", "to", "float", "double",
    "type", "type_as",
}  # fmt: skip
_BILINEAR = {
    "linear", "conv1d", "conv2d", "conv3d", "matmul", "rmatmul", "mm", "bmm", "einsum", "rmul",
}  # fmt: skip
_DIVISIONS = {"div", "truediv", "div_", "itruediv"}


def _by_a_constant(func: Callable, a, b, **kwargs):
    return NotImplemented if free((b,)) else func(a, b, **kwargs)


class LRP0(NonLinear):
    """What runs inside has gradients that, times the input, are its relevances.

    The maximum takes all of a pool; of two factors each takes half; a constant takes nothing.

    Raises:
        ValueError: a step without a rule, on the way from the input to the output; names it.
    """

    def __init__(self) -> None:
        super().__init__(
            dict.fromkeys(_AFFINE, unchanged)
            | dict.fromkeys(_BILINEAR, linear_in_one)
            | dict.fromkeys(_DIVISIONS, _by_a_constant)
        )

    def element(self, phi: Callable, t: Tensor) -> Tensor:
        return secant(phi, t, torch.zeros_like(t), torch.zeros_like(t))

    def max_pooling(self, pool: Callable, t: Tensor) -> Tensor:
        return pool(t)[0]

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        if len(free((a, b))) < 2:
            return a * b
        return with_slope((a * b).detach(), (a * b.detach() + b * a.detach()) / 2)

    def unknown(self, name: str) -> None:
        raise ValueError(
            f"LRP-0 has no rule for the step {name!r} behind the target layer: choose a later layer, "
            "or a method that takes gradients as they are, such as grad_cam"
        )
