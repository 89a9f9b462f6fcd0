r"""DeepLIFT's Rescale rule: gradients in which every non-linear step is replaced by a secant.

A step $t \mapsto \phi(t)$ keeps its value and takes the slope
$m = (\phi(t) - \phi(t_0)) / (t - t_0)$ to its value $t_0$ on a reference input (Shrikumar et al.
2017, eq. (11)). Affine steps keep their own slopes. So the slopes of a whole head, times the
difference of its inputs, add up to the difference of its outputs.

The steps are found as the head runs, whatever wrote it: each call of a torch function passes
through `Steps`.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

# By the names of torch's functions, without what marks them as in-place.
_ELEMENTWISE = {
    "relu", "relu6", "hardtanh", "leaky_relu", "silu", "gelu", "sigmoid", "tanh", "elu", "selu",
    "celu", "hardswish", "hardsigmoid", "mish", "softplus", "logsigmoid", "softsign", "clamp",
    "clamp_min", "clamp_max", "square", "sqrt", "exp", "abs",
}  # fmt: skip
_PRODUCTS = {"mul", "multiply"}
_MAX_POOLINGS = {"max_pool2d", "adaptive_max_pool2d"}


class _Steps(TorchFunctionMode):
    """Hands each non-linear step of what runs inside to `step`; affine ones pass."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "").strip("_")
        if name in _ELEMENTWISE and isinstance(args[0], Tensor):
            kwargs.pop("inplace", None)
            return self.element(lambda t: func(t.clone(), *args[1:], **kwargs), args[0])
        if name in _MAX_POOLINGS:
            kwargs.pop("return_indices", None)
            pooling = F.max_pool2d if name == "max_pool2d" else F.adaptive_max_pool2d
            return self.max_pooling(
                lambda t: pooling(t, *args[1:], return_indices=True, **kwargs), args[0]
            )
        if name in _PRODUCTS and all(isinstance(factor, Tensor) for factor in args[:2]):
            return self.product(*args[:2])
        return func(*args, **kwargs)


class Reference(_Steps):
    """Notes the input of every step while the reference input runs."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[tuple[Tensor, ...]] = []

    def element(self, function: Callable, t: Tensor) -> Tensor:
        self.inputs.append((t.clone(),))
        return function(t)

    def max_pooling(self, function: Callable, t: Tensor) -> Tensor:
        self.inputs.append((t.clone(),))
        return function(t)[0]

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        self.inputs.append((a.clone(), b.clone()))
        return a * b


class Rescale(_Steps):
    """Replaces every step by its secant to the reference, in the order in which they were noted.

    Max pooling: the difference of the maxima goes to where the larger maximum lies, the input's or
    the reference's. A product of two activations: each factor takes the mean of the other and its
    reference. Both keep the sum exact.
    """

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        self.inputs: Iterator[tuple[Tensor, ...]] = iter(reference.inputs)

    def element(self, function: Callable, t: Tensor) -> Tensor:
        (t0,) = next(self.inputs)
        return _secant(function, t, t0, function(t0))

    def max_pooling(self, function: Callable, t: Tensor) -> Tensor:
        (t0,) = next(self.inputs)
        value, place = function(t.detach())
        value0, place0 = (r.expand_as(value) for r in function(t0))
        place = torch.where(value >= value0, place, place0)
        pooled, t0 = (_at(s, place) for s in (t, t0.expand_as(t)))
        delta = pooled.detach() - t0
        slope = torch.where(delta == 0, 1.0, (value - value0) / torch.where(delta == 0, 1.0, delta))
        return _with_slope(value, slope * pooled)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        a0, b0 = next(self.inputs)
        linear = (a * (b + b0).detach() + b * (a + a0).detach()) / 2
        return _with_slope((a * b).detach(), linear)


class Relevance(_Steps):
    r"""Replaces every activation by the ray through its value: slope $\phi(t) / t$.

    This is layer-wise relevance propagation with the basic rule (LRP-0), whose relevances are the
    input times these slopes (Ancona et al. 2018, proposition 1): a reference of zero for every
    neuron, where `Rescale` takes each neuron's own. The maximum takes all of a pool; of two factors
    each takes half.
    """

    def element(self, function: Callable, t: Tensor) -> Tensor:
        return _secant(function, t, torch.zeros_like(t), torch.zeros_like(t))

    def max_pooling(self, function: Callable, t: Tensor) -> Tensor:
        return function(t)[0]

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        return _with_slope((a * b).detach(), (a * b.detach() + b * a.detach()) / 2)


def _secant(function: Callable, t: Tensor, t0: Tensor, value0: Tensor) -> Tensor:
    """The value at t with the slope from (t0, value0); where they meet, with the derivative."""
    value, delta = function(t.detach()), t.detach() - t0
    close = delta.abs() <= torch.finfo(t.dtype).eps ** 0.5 * torch.maximum(
        t.detach().abs(), t0.abs()
    )
    slope = (value - value0) / torch.where(close, 1.0, delta)
    if close.any():
        with torch.enable_grad():
            middle = ((t.detach() + t0) / 2).requires_grad_()
            (derivative,) = torch.autograd.grad(function(middle).sum(), middle)
        slope = torch.where(close, derivative, slope)
    return _with_slope(value, slope * t)


def _with_slope(value: Tensor, linear: Tensor) -> Tensor:
    """That value, exactly, with the derivatives of `linear`."""
    return value + (linear - linear.detach())


def _at(t: Tensor, place: Tensor) -> Tensor:
    """The entries of t (..., H, W) at flat places (..., h, w)."""
    return t.flatten(-2).gather(-1, place.flatten(-2)).view_as(place)
