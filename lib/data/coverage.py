"""The share of an image that its boxes cover."""

import torch
from torch import Tensor


def covered_share(boxes: Tensor, size: tuple[int, int]) -> float:
    """The share of an image of `size` (height, width) that lies in at least one of its boxes (n,
    4).

    It is rounded to a millionth, so that it is the same at every size.

    Example:
        >>> covered_share(torch.tensor([[0, 0, 4, 2], [2, 0, 6, 2]]), (4, 8))
        0.375
    """
    height, width = size
    x0, y0, x1, y1 = boxes.double().view(-1, 4, 1).unbind(1)  # (n, 1) each
    # The sides of all boxes cut the image into cells, each of which lies in a box or does not.
    columns = torch.cat([x0, x1]).clamp(0, width).unique()
    rows = torch.cat([y0, y1]).clamp(0, height).unique()
    left, top = columns[:-1], rows[:-1]
    inside = ((x0 <= left) & (left < x1))[:, None] & ((y0 <= top) & (top < y1))[:, :, None]
    areas = rows.diff()[:, None] * columns.diff()
    return round((areas * inside.any(0)).sum().item() / (height * width), 6)
