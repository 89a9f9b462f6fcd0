"""The boxes of objects, and the box that a saliency map predicts.

A box is x0, y0, x1, y1 in pixels, half-open. A pixel lies in a box if its centre does.
"""

import numpy as np
import torch
from skimage.measure import label
from torch import Tensor

from ..boxes import tight_box

CORNERS = 2  # pixels that touch at a corner are connected


def covered(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels (H, W) whose centres lie in one of the boxes (n, 4)."""
    x0, y0, x1, y1 = boxes.cpu().view(-1, 4, 1).unbind(1)  # (n, 1) each
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    in_rows = (y0 <= rows) & (rows < y1)  # (n, H)
    in_columns = (x0 <= columns) & (columns < x1)  # (n, W)
    return (in_rows[:, :, None] & in_columns[:, None, :]).any(0)


def unions(boxes: list[Tensor], S: Tensor) -> Tensor:
    """The pixels (B, H, W) bool that the boxes of each image cover together, for maps S."""
    check_boxes(boxes, S)
    return torch.stack([covered(b, S.shape[1:]) for b in boxes]).to(S.device)


def check_boxes(boxes: list[Tensor], S: Tensor) -> None:
    """Raises an error unless each image has a tensor (n, 4) of boxes with an area, n at least 1."""
    if len(boxes) != len(S):
        raise ValueError(f"boxes: {len(boxes)} for {len(S)} images; give one tensor (n, 4) each")
    for i, one in enumerate(boxes):
        if one.ndim != 2 or one.shape[1] != 4:
            raise ValueError(
                f"the boxes of image {i} of the batch are (n, 4), got {tuple(one.shape)}"
            )
        if len(one) == 0:
            raise ValueError(f"image {i} of the batch has no box: leave it out")
        if not (one[:, :2] < one[:, 2:]).all():
            raise ValueError(
                f"boxes are x0, y0, x1, y1 with x0 < x1 and y0 < y1; image {i} of the batch has {one.tolist()}"
            )


def iou(a: Tensor, b: Tensor, plus: float = 0.0) -> Tensor:
    """Intersection over union (n, m) of boxes (n, 4) and (m, 4); zero for a box without pixels.

    Args:
        plus: pixels added to each width and height. It is 1 in the protocol of Choe et al. 2020,
            whose corners are inclusive, so that the box 0, 0, 0, 0 has one pixel and matches
            itself.
    """
    a, b = a.double(), b.double().to(a.device)
    low = torch.maximum(a[:, None, :2], b[None, :, :2])  # (n, m, 2)
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low + plus).clamp_min(0).prod(2)  # (n, m)
    areas = [(box[:, 2:] - box[:, :2] + plus).prod(1) for box in (a, b)]
    overlap = shared / (areas[0][:, None] + areas[1] - shared)
    return overlap if plus else overlap.nan_to_num(0)  # 0 / 0 of two boxes without pixels


def area(boxes: Tensor) -> Tensor:
    """The number of pixels (n,) in boxes (n, 4) with integer corners."""
    return (boxes[:, 2:] - boxes[:, :2]).prod(1)


def marked(S: Tensor) -> Tensor:
    """The pixels (B, H, W) at or above their map's mean; all pixels of a flat map."""
    S = S.double()
    mean = S.mean((1, 2)).minimum(S.amax((1, 2)))  # rounding must not lift it above the maximum
    return S >= mean[:, None, None]


def largest_component(pixels: np.ndarray) -> np.ndarray:
    """The largest connected component of the True pixels (H, W); the first of several."""
    parts = label(pixels, connectivity=CORNERS)  # numbered from 1 in raster order
    if not parts.any():
        return np.zeros_like(pixels)
    return parts == 1 + np.bincount(parts.ravel())[1:].argmax()


def predicted_boxes(S: Tensor) -> Tensor:
    """The box (B, 4) of each map (B, H, W): the box of the largest component above the map's mean.

    In Opti-CAM appendix B.1, "thresholding at its average value" is read as "at or above it", so
    that a map of zeros predicts the whole image.
    """
    found = [tight_box(largest_component(pixels)) for pixels in marked(S).cpu().numpy()]
    return torch.tensor(found, dtype=torch.float64, device=S.device)
