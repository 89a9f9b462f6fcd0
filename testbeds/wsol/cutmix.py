"""CutMix: a patch of another image is pasted in, and the labels are mixed by their areas."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def paste(x: Tensor, other: Tensor, share: float) -> tuple[Tensor, float]:
    """Images (B, C, H, W) with one rectangle from others, and the share of the area that is kept.

    (Yun et al. 2019, eq. (1)-(2).)

    Args:
        share: the share of the area to keep, before the rectangle is cut at the border.
    """
    height, width = x.shape[2:]
    side = (1 - share) ** 0.5
    top, left = (int(torch.randint(n, ())) for n in (height, width))  # the rectangle's middle
    rows = _around(top, side * height, height)
    columns = _around(left, side * width, width)
    mixed = x.clone()
    mixed[:, :, rows, columns] = other[:, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, 1 - area / (height * width)


def _around(middle: int, length: float, n: int) -> slice:
    half = int(length) // 2
    return slice(max(middle - half, 0), min(middle + half, n))


def cutmix(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of both labels of mixed images, weighted by their areas; the share is
    uniform in [0, 1]."""
    order = torch.randperm(len(x)).to(y.device)
    mixed, share = paste(x, x[order], float(torch.rand(())))
    logits = model(mixed)
    return share * F.cross_entropy(logits, y) + (1 - share) * F.cross_entropy(logits, y[order])
