"""Images whose class is contested: where the second most probable class has a fair chance too."""

from typing import NamedTuple

import torch

from lib.data import Dataset


class Contested(NamedTuple):
    """Images with the two most probable classes of each, the first before the second."""

    data: Dataset
    first: tuple[int, ...]
    second: tuple[int, ...]


def contested(
    net, images: Dataset, *, threshold: float = 0.1, batch_size: int = 16
) -> Contested:
    """The images whose second most probable class has a probability above a threshold.

    What cannot be read is left out. Equally probable classes come in the order of their indices.

    Example:
        >>> found = contested(net, images)
        >>> rivals = found.data.relabelled(found.second)  # to explain the second class of each
    """
    images = images.readable()
    kept: dict[int, list[int]] = {}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        with torch.no_grad():
            p = net(torch.stack([sample.image for sample in batch])).softmax(1)
        ranked, classes = p.sort(dim=1, descending=True, stable=True)
        for i in (ranked[:, 1] > threshold).nonzero().flatten().tolist():
            kept[start + i] = classes[i, :2].tolist()
    first, second = zip(*kept.values()) if kept else ((), ())
    return Contested(images.subset(kept), first, second)


