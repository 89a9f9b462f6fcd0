r"""DeepLIFT's Rescale rule: gradients in which every step that is not affine is replaced by a secant.

A step $t \mapsto \phi(t)$ keeps its value and takes the slope
$m = (\phi(t) - \phi(t_0)) / (t - t_0)$ to its value $t_0$ on a reference input (Shrikumar et al.
2017, eq. (11)). Affine steps keep their own slopes. So the slopes of a whole head, times the
difference of its inputs, add up to the difference of its outputs.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .propagation import NonLinear, secant, with_slope


class Reference(NonLinear):
    """Notes the inputs of every step that is not affine while the reference input runs."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs: list[tuple[Tensor, ...]] = []

    def element(self, phi: Callable, t: Tensor) -> Tensor:
        self.inputs.append((t.clone(),))
        return phi(t)

    def max_pooling(self, pool: Callable, t: Tensor) -> Tensor:
        self.inputs.append((t.clone(),))
        return pool(t)[0]

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        self.inputs.append((a.clone(), b.clone()))
        return a * b


class Rescale(NonLinear):
    """Replaces every step by its secant to the reference, in the order in which they were noted.

    Max pooling: the difference of the maxima goes to where the larger maximum lies, the input's or
    the reference's. A product of two activations: each factor takes the mean of the other and its
    reference. Both keep the sum exact.
    """

    def __init__(self, reference: Reference) -> None:
        super().__init__()
        self.inputs: Iterator[tuple[Tensor, ...]] = iter(reference.inputs)

    def element(self, phi: Callable, t: Tensor) -> Tensor:
        (t0,) = next(self.inputs)
        return secant(phi, t, t0, phi(t0))

    def max_pooling(self, pool: Callable, t: Tensor) -> Tensor:
        (t0,) = next(self.inputs)
        value, place = pool(t.detach())
        value0, place0 = (r.expand_as(value) for r in pool(t0))
        place = torch.where(value >= value0, place, place0)
        pooled, t0 = (_at(s, place) for s in (t, t0.expand_as(t)))
        delta = pooled.detach() - t0
        slope = torch.where(delta == 0, 1.0, (value - value0) / torch.where(delta == 0, 1.0, delta))
        return with_slope(value, slope * pooled)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        a0, b0 = next(self.inputs)
        linear = (a * (b + b0).detach() + b * (a + a0).detach()) / 2
        return with_slope((a * b).detach(), linear)


def _at(t: Tensor, place: Tensor) -> Tensor:
    """The entries of t (..., H, W) at flat places (..., h, w)."""
    return t.flatten(-2).gather(-1, place.flatten(-2)).view_as(place)
