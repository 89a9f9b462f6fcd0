"""Rules that replace the derivatives of a network's steps, by the names of torch's functions.

A rule runs in place of a step and gives the same value with another derivative. The steps are found
while the network runs, however it is written: each call of a torch function passes through a
`Propagation`, which looks up the rule for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Rule = Callable[..., Any]  # of a torch function and its arguments; may give NotImplemented

_ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "leaky_relu", "silu", "gelu", "sigmoid", "tanh", "elu", "selu",
    "celu", "hardswish", "hardsigmoid", "mish", "softplus", "logsigmoid", "softsign", "clamp",
    "clamp_min", "clamp_max", "square", "sqrt", "exp", "abs",
}  # fmt: skip
_MAX_POOLINGS = {"max_pool2d": F.max_pool2d, "adaptive_max_pool2d": F.adaptive_max_pool2d}
RESHAPING = {  # steps that move entries, whose derivative is where each entry came from
    "reshape", "view", "permute", "transpose", "swapaxes", "movedim", "unbind", "chunk", "split",
    "getitem", "select", "narrow", "cat", "concat", "stack", "expand", "flatten", "unflatten",
    "squeeze", "unsqueeze", "contiguous", "clone", "dropout", "get",
}  # fmt: skip


def name_of(func: Callable) -> str:
    """The name of a torch function, whether it is called by name or as an operator."""
    name = getattr(func, "__name__", "")
    return name[2:-2] if name.startswith("__") and name.endswith("__") else name


class Propagation(TorchFunctionMode):
    """Runs each step inside it by the rule for the step's name.

    Args:
        rules: the rules by name.
        refusal: the error message for a step without a rule, formatted with its name. If None, such
            a step keeps its own derivative.
    """

    def __init__(self, rules: Mapping[str, Rule], refusal: str | None = None):
        super().__init__()
        self.rules, self.refusal = rules, refusal

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return self.step(func, *args, **(kwargs or {}))

    def step(self, func: Callable, *args, **kwargs) -> Any:
        """One call of a torch function."""
        rule = self.rules.get(name_of(func))
        out = NotImplemented if rule is None else rule(func, *args, **kwargs)
        if out is NotImplemented:
            out = func(*args, **kwargs)
            if self.refusal and free(out if isinstance(out, tuple | list) else (out,)):
                raise ValueError(self.refusal.format(name_of(func)))
        return out


def free(args: tuple | list) -> list[Tensor]:
    """The arguments that depend on the input."""
    return [a for a in args if isinstance(a, Tensor) and a.requires_grad]


def unchanged(func: Callable, *args, **kwargs) -> Any:
    """The rule of steps whose own derivative is right."""
    return func(*args, **kwargs)


def nonlinear(element: Callable, max_pooling: Callable, product: Callable) -> dict[str, Rule]:
    """The rules of steps that are not affine.

    Args:
        element: `element(phi, t)` gives phi(t), where phi acts on each entry separately.
        max_pooling: `max_pooling(pool, t)` gives the maxima; pool(t) gives maxima and their places.
        product: `product(a, b)` gives a * b for two tensors.
    """

    def of_elements(func, t, *args, inplace=False, **kwargs):
        out = element(lambda s: func(s.clone(), *args, **kwargs), t)
        return t.copy_(out) if inplace or name_of(func).endswith("_") else out

    def of_pools(func, t, *args, return_indices=False, **kwargs):
        pool = _MAX_POOLINGS[name_of(func)]
        return max_pooling(lambda s: pool(s, *args, return_indices=True, **kwargs), t)

    def of_factors(func, a, b):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
            return func(a, b)  # with a number
        out = product(a, b)
        return a.copy_(out) if name_of(func) in ("mul_", "multiply_", "imul") else out

    return (
        dict.fromkeys({name + end for name in _ELEMENTWISE for end in ("", "_")}, of_elements)
        | dict.fromkeys(_MAX_POOLINGS, of_pools)
        | dict.fromkeys(("mul", "multiply", "mul_", "multiply_", "imul"), of_factors)
    )


def secant(phi: Callable[[Tensor], Tensor], t: Tensor, t0: Tensor, value0: Tensor) -> Tensor:
    """phi(t) with the slope of the secant from (t0, value0); if t is near t0, the derivative."""
    value, here = phi(t.detach()), t.detach()
    delta, eps = here - t0, torch.finfo(t.dtype).eps
    close = delta.abs() <= eps**0.5 * torch.maximum(here.abs(), t0.abs())
    slope = (value - value0) / torch.where(close, 1.0, delta)
    if close.any():
        with torch.enable_grad():
            middle = ((here + t0) / 2).requires_grad_()
            (derivative,) = torch.autograd.grad(phi(middle).sum(), middle)
        slope = torch.where(close, derivative, slope)
    return with_slope(value, slope * t)


def with_slope(value: Tensor, linear: Tensor) -> Tensor:
    """Exactly `value`, with the derivatives of `linear`."""
    return value + (linear - linear.detach())
