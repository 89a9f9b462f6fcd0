"""Accumulators, which feed a metric of a whole data set with one batch of maps after the other."""

import math

import torch
from torch import Tensor

from ..checks import as_tensor, check_maps, check_options
from ..inference import outside_inference_mode


def in_tensors(given: dict) -> dict:
    """The arguments with one tensor per image, such as boxes, converted to tensors."""
    found = dict(given)
    for name in {"boxes", "mask", "ignore"} & given.keys():
        if given[name] is not None:
            each = [
                as_tensor(name, one, f": pass one ({_SHAPES[name]}) for each image")
                for one in given[name]
            ]
            found[name] = [
                one[None] if name == "boxes" and one.shape == (4,) else one for one in each
            ]
    return found


_SHAPES = {"boxes": "n, 4", "mask": "H, W", "ignore": "H, W"}


class Accumulator:
    """What a metric of a whole data set has measured so far; made by `Metric.accumulator`.

    Each map is measured separately, in any order and in batches of any size. The value is that of
    all maps together.

    Example:
        >>> accuracy = METRICS["box_accuracy"].accumulator()
        >>> for S, boxes in batches:
        ...     accuracy.update(S, boxes)
        >>> accuracy.compute()
        0.479
    """

    def __init__(self, metric, **options):
        check_options("metric", metric.name, options, metric.options, metric.annotations)
        self.metric, self.options = metric, options
        self._measured: list[Tensor] = []

    @outside_inference_mode
    def update(
        self,
        S: Tensor,
        boxes: list[Tensor] | None = None,
        *,
        net=None,
        x: Tensor | None = None,
        target: Tensor | None = None,
        **given,
    ) -> None:
        """Measure a batch of maps.

        Args:
            S: maps (B, H, W) in [0, 1], or in [-1, 1] if the metric takes signed maps.
            boxes: for each image the boxes of its object (n, 4), if the metric takes them.
            net, x: network and images, if the metric runs the network.
            target: the classes (B,) that are explained, if the metric uses them.
            given: further arguments of the metric, such as `mask`.
        """
        S = as_tensor("maps", S, ": use saliency.explain")
        if S.ndim != 3:
            raise ValueError(f"maps are (B, H, W), got {tuple(S.shape)}")
        check_maps(S, S[:, None], self.metric.signed)
        given |= {} if boxes is None else {"boxes": boxes}
        self.metric.check_given(given)
        check_options("metric", self.metric.name, given, dict.fromkeys(self.metric.given))
        given = in_tensors(given)
        with torch.no_grad():
            measured = self.metric.measure(net, x, target, S, **given, **self.options)
        self._measured.append(measured.cpu())

    def merge(self, *others: "Accumulator") -> "Accumulator":
        """This accumulator, extended by the measurements of others, such as those of other shards.

        The value does not depend, to the last bit, on the order of the images or on how they are
        divided among accumulators.

        Raises:
            ValueError: the metrics or their options differ.

        Example:
            >>> shards = [METRICS["pxap"].accumulator() for _ in range(2)]
            >>> shards[0].merge(shards[1]).compute()
        """
        for other in others:
            mine, theirs = ((o.metric.name, o.metric.options | o.options) for o in (self, other))
            if mine != theirs:
                raise ValueError(f"accumulators of one metric merge: {mine} and {theirs} are two")
        for other in others:
            self._measured += other._measured
        return self

    def values(self) -> Tensor:
        """One value per image (N,), in the order in which the images were measured."""
        if not self._measured:
            raise ValueError(f"{self.metric.name} has seen no map: call update first")
        return self.metric.value(torch.cat(self._measured))

    def compute(self) -> float:
        """The value of all images together, the mean of `values`."""
        values = self.values().tolist()
        return math.fsum(values) / len(values)  # rounded once, so the order does not matter
