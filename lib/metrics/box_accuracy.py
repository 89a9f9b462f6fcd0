from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ..checks import check_choice, check_count
from .boxes import check_boxes, iou

DELTAS = (0.3, 0.5, 0.7)
BEST = ("data set", "image")


def overlaps(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], thresholds: int = 255
) -> Tensor:
    r"""The overlap (B, T) of the map's box with the best matching object box, at each threshold.

    Args:
        boxes: for each image the boxes of its object, (n, 4) as x0, y0, x1, y1 in pixels,
            half-open.
        thresholds: the number T of thresholds $\eta = 0, 1/T, \dots, (T - 1)/T$.
    """
    check_count("thresholds", thresholds)
    check_boxes(boxes, S)
    etas = torch.arange(thresholds, dtype=torch.float64) / thresholds
    # The number of thresholds below each pixel.
    levels = torch.bucketize(S.double().cpu(), etas).numpy()  # (B, H, W)
    return torch.stack([
        iou(boxes_above(above, thresholds), b, plus=1).amax(1) for above, b in zip(levels, boxes)
    ])  # fmt: skip


def overlaps_of_all(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], best: str = "data set"
) -> Tensor:
    """The largest overlap (B, T) of any of the map's boxes with any of the object's, at each threshold.

    As in the protocol's code, the map has 8 bits and the thresholds are 0 to 254. The corners of
    boxes are inclusive whole pixels inside the image. If no pixel is above a threshold, the map's
    box is 0, 0, 0, 0.

    Args:
        boxes: as for `overlaps`.
        best: which threshold counts: the best one for the "data set", or the best one for each
            "image", so that T is 1.
    """
    check_choice("best threshold", best, BEST)
    check_boxes(boxes, S)
    levels = (S.double().cpu() * 255).floor().int().numpy()  # (B, H, W)
    height, width = S.shape[1:]
    inside = torch.tensor([width, height, width - 1, height - 1], dtype=torch.float64)
    found = []
    for above, b in zip(levels, boxes):
        parts = components(above, 255)
        predicted = torch.from_numpy(parts.boxes).minimum(inside)
        overlap = iou(predicted, b.double().floor(), plus=1).amax(1)  # (n,)
        nothing = iou(torch.zeros(1, 4), b.double().floor(), plus=1).amax()
        at = torch.from_numpy(parts.threshold)
        largest = nothing.expand(255).scatter_reduce(0, at, overlap, "amax", include_self=False)
        found.append(largest)
    found = torch.stack(found)
    return found if best == "data set" else found.amax(1, keepdim=True)


class Components(NamedTuple):
    """The connected components of a map above each threshold, by threshold, then in raster order.

    Attributes:
        threshold: the threshold of each component (n,).
        pixels: the number of pixels of each component (n,).
        boxes: the smallest box around each component (n, 4).
    """

    threshold: np.ndarray
    pixels: np.ndarray
    boxes: np.ndarray


def components(levels: np.ndarray, thresholds: int) -> Components:
    """The connected components of `levels > 0`, `levels > 1`, ... for T thresholds.

    The levels (H, W) are integers. All thresholds are handled at once by the runs of pixels in each
    row: where a row rises or falls by several levels, a run begins or ends at that many thresholds.
    """
    # An empty row at the bottom keeps the runs of one threshold apart from those of the next.
    levels = np.pad(levels.clip(max=thresholds), ((0, 1), (1, 1)))
    height, width = levels.shape[0], levels.shape[1] - 1
    before, after = levels[:, :-1], levels[:, 1:]
    begins, ends = _crossings(before, after), _crossings(after, before)  # in pairs, sorted
    row, left, right = begins // width, begins % width, ends % width

    # A run touches those of the row below that begin no later than it ends, and end no earlier than
    # it begins.
    low = np.searchsorted(ends, (row + 1) * width + left, side="left")
    high = np.searchsorted(begins, (row + 1) * width + right, side="right")
    upper = np.repeat(np.arange(len(row)), high - low)
    touching = coo_array((np.ones_like(upper), (upper, _ranges(low, high))), shape=2 * row.shape)
    part = connected_components(touching, directed=False)[1]  # numbered by their first runs

    order = np.argsort(part, kind="stable")  # the runs of each component from top to bottom
    begin = np.flatnonzero(np.diff(part[order], prepend=-1))
    top, bottom = order[begin], order[np.append(begin, len(order))[1:] - 1]
    pixels = np.bincount(part, weights=right - left)
    x0 = np.minimum.reduceat(left[order], begin) if len(begin) else left
    x1 = np.maximum.reduceat(right[order], begin) if len(begin) else right
    boxes = np.stack([x0, row[top] % height, x1, row[bottom] % height + 1], 1)
    return Components(row[top] // height, pixels, boxes.astype(float))


def boxes_above(levels: np.ndarray, thresholds: int) -> Tensor:
    """The boxes (T, 4) of the largest components of `levels > 0`, `levels > 1`, ... (H, W).

    Among components of equal size, the first in raster order is taken. If no pixel is above a
    threshold, the box has no area.
    """
    at, pixels, boxes = components(levels, thresholds)
    order = np.lexsort((-np.arange(len(at)), pixels, at))  # the best comes last at its threshold
    best = order[np.diff(at[order], append=-1) != 0]
    found = np.zeros((thresholds, 4))
    found[at[best]] = boxes[best]
    return torch.from_numpy(found)


def _crossings(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The thresholds from `low` up to `high` at each place, as sorted threshold * size + place."""
    size, place = low.size, np.flatnonzero(high > low)
    low, high = low.flat[place], high.flat[place]
    return np.sort(_ranges(low, high) * size + np.repeat(place, high - low))


def _ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """low[0], ..., high[0] - 1, low[1], ..., concatenated."""
    n = high - low
    return np.arange(n.sum()) + np.repeat(low - (n.cumsum() - n), n)


def box_accuracy(overlaps: Tensor) -> Tensor:
    r"""Whether the map's box matches the object's at the best threshold of the data set; higher is
    better.

    $$\mathrm{BoxAcc}(\eta, \delta) = \frac1N \sum_i \max_{B \in \mathcal{B}_i}
    1[\mathrm{IoU}(B_p^\eta, B) \ge \delta], \qquad \mathrm{BA} = \frac13 \sum_\delta \max_\eta
    \mathrm{BoxAcc}(\eta, \delta)$$
    (Choe et al. 2020; Opti-CAM eq. (A5)) over $\delta \in \{0.3, 0.5, 0.7\}$. $B_p^\eta$ is the box of
    the largest component of $S > \eta$. As in the protocol, one pixel is added to each width and
    height when overlaps are computed.

    This function takes the overlaps (N, T) of a whole data set. It gives each image (N,) the share
    of the $\delta$ that its box reaches, each at the $\eta$ that is best for the data set. The mean
    over images is exactly BA. An interval over images holds these thresholds fixed.
    """
    hits = [(overlaps >= delta).double() for delta in DELTAS]
    return torch.stack([hit[:, hit.mean(0).argmax()] for hit in hits]).mean(0)


def max_box_acc_v2(overlaps: Tensor) -> Tensor:
    r"""Whether any box of the map matches any box of the object at the data set's best threshold;
    higher is better.

    $$\mathrm{MaxBoxAccV2} = \frac13 \sum_\delta \max_\tau \frac1N \sum_i
    \max_{B_p \in \mathcal{P}_i^\tau,\, B \in \mathcal{B}_i} 1[\mathrm{IoU}(B_p, B) \ge \delta]$$
    (Choe et al. 2020; CALM supplement, appendix E) over $\delta \in \{0.3, 0.5, 0.7\}$, with
    $\mathcal{P}_i^\tau$ the boxes of all connected components above the threshold. Values and
    intervals are as for `box_accuracy`.

    In the appendix the pair of boxes may come from any threshold, that is, from the best threshold
    of each image (option `best="image"`). The protocol's code, which produced the printed numbers,
    has one threshold for the data set, as here by default. That code also counts the boxes of holes
    in components; here holes have no boxes.
    """
    return box_accuracy(overlaps)
