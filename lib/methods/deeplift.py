r"""DeepLIFT's Rescale rule: gradients in which every step that is not affine is replaced by a secant.

A step $t \mapsto \phi(t)$ keeps its value and takes the slope of the secant from a reference,
$m = (\phi(t) - \phi(t_0)) / (t - t_0)$, where $t_0$ is the input of the step when the network runs
on the reference (Shrikumar et al. 2017, eq. (11)). Affine steps keep their own slopes. The slopes
of a whole head, times the differences of its inputs, therefore add up to the difference of its
outputs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .propagation import Propagation, nonlinear, secant, with_slope


class Reference(Propagation):
    """Records the inputs of every step that is not affine while the reference runs."""

    def __init__(self) -> None:
        super().__init__(nonlinear(self.element, self.max_pooling, self.product))
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


class Rescale(Propagation):
    """Replaces every step that is not affine by its secant to the reference, in recorded order.

    Max pooling assigns the difference of the two maxima to the place of the larger one, be it the
    input's or the reference's. In a product of two activations, the slope of each factor is the
    mean of the other factor and of its reference. Both rules keep the sum exact.
    """

    def __init__(self, reference: Reference) -> None:
        super().__init__(nonlinear(self.element, self.max_pooling, self.product))
        self.inputs = iter(reference.inputs)

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
