"""Metrics that compare the images of a data set: they see one batch of maps after the other."""

import math

import torch
from torch import Tensor

from ..checks import as_tensor, check_maps, check_options
from ..inference import outside_inference_mode


def in_tensors(given: dict) -> dict:
    """What comes as one tensor an image, such as boxes, as tensors, whatever numbers it came in."""
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
    """What such a metric has seen so far; made by `Metric.accumulator`.

    Each map is measured by itself as it comes, in whatever order and batches; the value is then that
    of all of them.

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
        """Measure maps S (B, H, W) in [0, 1], or in [-1, 1] if the metric is of signed ones, with what it
        takes of their images.

        Args:
            net, x: network and images, where the metric asks the network.
            target: the classes (B,) that are explained, where the metric follows them.
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
        """This one, with what others have seen after it: those of other shards, processes or machines.

        The value does not depend on who has seen which images, nor on their order, to the last bit.

        Raises:
            ValueError: another metric, or other options.

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
        """One value an image (N,), in the order in which they came."""
        if not self._measured:
            raise ValueError(f"{self.metric.name} has seen no map: call update first")
        return self.metric.value(torch.cat(self._measured))

    def compute(self) -> float:
        """The value of all images together: the mean of theirs."""
        values = self.values().tolist()
        return math.fsum(values) / len(values)  # rounded once, so in any order
