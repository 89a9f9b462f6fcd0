"""The box that a map predicts, beside those of the object: what OM and LE are made of."""

from typing import NamedTuple

import torch
from torch import Tensor

from .boxes import check_boxes, iou, predicted_boxes


class Localized(NamedTuple):
    """The overlap (B,) of the predicted box with the best of the object's, as intersection over
    union, and whether the network predicts the class (B,)."""

    overlap: Tensor
    correct: Tensor


def localized(net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor]) -> Localized:
    """Where the map's box lies.

    Args:
        boxes: for each image those of its object, (n, 4) as x0, y0, x1, y1 in pixels, half-open.
    """
    check_boxes(boxes, S)
    found = predicted_boxes(S)
    overlap = torch.stack([iou(one[None], b).max() for one, b in zip(found, boxes)])
    return Localized(overlap, net(x).argmax(1) == target)
