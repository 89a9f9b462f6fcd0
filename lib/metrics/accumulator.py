"""Metrics that compare the images of a data set: they see one batch of maps after the other."""

import torch
from torch import Tensor

from ..checks import check_maps, check_options


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
        check_options("metric", metric.name, options, metric.options)
        self.metric, self.options = metric, options
        self._measured: list[Tensor] = []

    def update(
        self, S: Tensor, boxes: list[Tensor] | None = None, *, target: Tensor | None = None, **given
    ) -> None:
        """Measure maps S (B, H, W) in [0, 1], with what the metric takes of their images.

        Args:
            target: the classes (B,) that are explained, where the metric follows them.
        """
        if S.ndim != 3:
            raise ValueError(f"maps are (B, H, W), got {tuple(S.shape)}")
        check_maps(S, S[:, None])
        given |= {} if boxes is None else {"boxes": boxes}
        self.metric.check_given(given)
        check_options("metric", self.metric.name, given, self.metric.given)
        measured = self.metric.measure(None, None, target, S, **given, **self.options)
        self._measured.append(measured.cpu())

    def values(self) -> Tensor:
        """One value an image (N,), in the order in which they came."""
        if not self._measured:
            raise ValueError(f"{self.metric.name} has seen no map: call update first")
        return self.metric.value(torch.cat(self._measured))

    def compute(self) -> float:
        """The value of all images together: the mean of theirs."""
        return self.values().mean().item()
