"""Other derivatives for the steps of a network: rules, by the names of torch's functions.

A rule runs in the place of a step and gives the same value. The steps are found as the network runs,
whatever wrote it: each call of a torch function passes through a `Propagation`, which looks its rule
up.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Rule = Callable[..., Any]  # of a torch function and its arguments; NotImplemented if it is for others

_ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "leaky_relu", "silu", "gelu", "sigmoid", "tanh", "elu", "selu",
    "celu", "hardswish", "hardsigmoid", "mish", "softplus", "logsigmoid", "softsign", "clamp",
    "clamp_min", "clamp_max", "square", "sqrt", "exp", "abs",
}  # fmt: skip
_MAX_POOLINGS = {"max_pool2d": F.max_pool2d, "adaptive_max_pool2d": F.adaptive_max_pool2d}
_PRODUCTS = {"mul", "multiply", "mul_", "multiply_", "imul"}

# Steps that move entries: their derivative is where each entry came from.
RESHAPING = {
    "reshape", "view", "permute", "transpose", "swapaxes", "movedim", "unbind", "chunk", "split",
    "getitem", "select", "narrow", "cat", "concat", "stack", "expand", "flatten", "unflatten",
    "squeeze", "unsqueeze", "contiguous", "clone", "dropout", "get",
}  # fmt: skip


def name_of(func: Callable) -> str:
    """The name of a torch function, whether called, or written as an operator."""
    name = getattr(func, "__name__", "")
    return name[2:-2] if name.startswith("__") and name.endswith("__") else name


class Propagation(TorchFunctionMode):
    """Runs each step of what runs inside by the rule for its name; others as they are."""

    def __init__(self, rules: Mapping[str, Rule]):
        super().__init__()
        self.rules = rules

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return self.step(func, *args, **(kwargs or {}))

    def step(self, func: Callable, *args, **kwargs) -> Any:
        """One call of a torch function."""
        rule = self.rules.get(name_of(func))
        out = NotImplemented if rule is None else rule(func, *args, **kwargs)
        if out is NotImplemented:
            out = func(*args, **kwargs)
            if _has_gradient(out):
                self.unknown(name_of(func))
        return out

    def unknown(self, name: str) -> None:
        """What to do at a step without a rule; here nothing, so that it keeps its own derivative."""


class NonLinear(Propagation):
    """Rules for steps that are not affine, in three methods; others run as they are."""

    def __init__(self, others: Mapping[str, Rule] = {}):
        rules = dict.fromkeys({n + end for n in _ELEMENTWISE for end in ("", "_")}, self._element)
        rules |= dict.fromkeys(_MAX_POOLINGS, self._max_pooling)
        super().__init__({**others, **rules, **dict.fromkeys(_PRODUCTS, self._product)})

    def element(self, phi: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
        """phi(t), which acts on each entry alone."""
        raise NotImplementedError

    def max_pooling(self, pool: Callable[[Tensor], tuple[Tensor, Tensor]], t: Tensor) -> Tensor:
        """The values of pool(t), which gives the places of the maxima too."""
        raise NotImplementedError

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """a * b."""
        raise NotImplementedError

    def _element(self, func, t, *args, inplace=False, **kwargs):
        out = self.element(lambda s: func(s.clone(), *args, **kwargs), t)
        return t.copy_(out) if inplace or name_of(func).endswith("_") else out

    def _max_pooling(self, func, t, *args, return_indices=False, **kwargs):
        pool = _MAX_POOLINGS[name_of(func)]
        return self.max_pooling(lambda s: pool(s, *args, return_indices=True, **kwargs), t)

    def _product(self, func, a, b):
        if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
            return func(a, b)  # with a number
        out = self.product(a, b)
        return a.copy_(out) if name_of(func) in ("mul_", "multiply_", "imul") else out


def unchanged(func: Callable, *args, **kwargs) -> Any:
    """The rule of steps whose own derivative is right."""
    return func(*args, **kwargs)


def linear_in_one(func: Callable, *args, **kwargs) -> Any:
    """The rule of steps that are linear in each argument, where one alone depends on the input."""
    return func(*args, **kwargs) if len(free(args)) < 2 else NotImplemented


def free(args: tuple) -> list[Tensor]:
    """The arguments that depend on the input."""
    return [a for a in args if isinstance(a, Tensor) and a.requires_grad]


def secant(phi: Callable[[Tensor], Tensor], t: Tensor, t0: Tensor, value0: Tensor) -> Tensor:
    """phi(t) with the slope from (t0, value0); where they meet, with the derivative."""
    value, delta = phi(t.detach()), t.detach() - t0
    close = delta.abs() <= torch.finfo(t.dtype).eps ** 0.5 * torch.maximum(
        t.detach().abs(), t0.abs()
    )
    slope = (value - value0) / torch.where(close, 1.0, delta)
    if close.any():
        with torch.enable_grad():
            middle = ((t.detach() + t0) / 2).requires_grad_()
            (derivative,) = torch.autograd.grad(phi(middle).sum(), middle)
        slope = torch.where(close, derivative, slope)
    return with_slope(value, slope * t)


def with_slope(value: Tensor, linear: Tensor) -> Tensor:
    """That value, exactly, with the derivatives of `linear`."""
    return value + (linear - linear.detach())


def _has_gradient(out: Any) -> bool:
    return bool(free(out if isinstance(out, tuple | list) else (out,)))
