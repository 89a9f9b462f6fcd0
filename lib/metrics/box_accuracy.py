import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from ..checks import check_count
from .boxes import check_boxes, iou

DELTAS = (0.3, 0.5, 0.7)


def overlaps(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], thresholds: int = 255
) -> Tensor:
    r"""The overlap (B, T) of the map's box with the best of the object's, at each threshold.

    Args:
        boxes: for each image those of its object, (n, 4) as x0, y0, x1, y1 in pixels, half-open.
        thresholds: T, so that $\eta = 0, 1/T, \dots, (T - 1)/T$.
    """
    check_count("thresholds", thresholds)
    check_boxes(boxes, S)
    etas = torch.arange(thresholds, dtype=torch.float64) / thresholds
    # A pixel is above so many thresholds.
    levels = torch.bucketize(S.double().cpu(), etas).numpy()  # (B, H, W)
    return torch.stack([
        iou(boxes_above(above, thresholds), b, plus=1).amax(1) for above, b in zip(levels, boxes)
    ])  # fmt: skip


def boxes_above(levels: np.ndarray, thresholds: int) -> Tensor:
    """The boxes (T, 4) of the largest components of `levels > 0`, `levels > 1`, ... (H, W).

    All thresholds at once, by the runs of pixels in each row: where a row rises or falls by several
    levels, a run begins or ends at as many thresholds. Of components of one size the first in raster
    order is taken. Without a pixel, a box of no area.
    """
    levels = np.pad(levels, ((0, 1), (1, 1)))  # a row below, so that no run has one of the next T
    height, width = levels.shape[0], levels.shape[1] - 1
    before, after = levels[:, :-1], levels[:, 1:]
    begins, ends = _crossings(before, after), _crossings(after, before)  # in pairs, sorted
    row, left, right = begins // width, begins % width, ends % width
    at = row // height  # the threshold

    # Runs touch those of the row below that begin before they end, and end after they begin.
    low = np.searchsorted(ends, (row + 1) * width + left, side="left")
    high = np.searchsorted(begins, (row + 1) * width + right, side="right")
    upper = np.repeat(np.arange(len(row)), high - low)
    touching = coo_array((np.ones_like(upper), (upper, _ranges(low, high))), shape=2 * row.shape)
    component = connected_components(touching, directed=False)[1]

    size = np.bincount(component, weights=right - left)
    first = np.unique(component, return_index=True)[1]
    order = np.lexsort((-first, size, at[first]))  # the best is the last of its threshold
    best = order[np.diff(at[first[order]], append=-1) != 0]
    run = np.isin(component, best)
    at, row, left, right = at[run], row[run] % height, left[run], right[run]
    # The first and last run of each threshold are its top and bottom.
    begin, end = (np.flatnonzero(np.diff(at, **side)) for side in ({"prepend": -1}, {"append": -1}))
    x0, x1 = np.minimum.reduceat(left, begin), np.maximum.reduceat(right, begin)
    found = np.zeros((thresholds, 4))
    found[at[begin]] = np.stack([x0, row[begin], x1, row[end] + 1], 1)
    return torch.from_numpy(found)


def _crossings(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The thresholds from `low` up to `high` at each place, as sorted numbers threshold * size + place."""
    size, place = low.size, np.flatnonzero(high > low)
    low, high = low.flat[place], high.flat[place]
    return np.sort(_ranges(low, high) * size + np.repeat(place, high - low))


def _ranges(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """low[0], ..., high[0] - 1, low[1], ..., one after the other."""
    n = high - low
    return np.arange(n.sum()) + np.repeat(low - (n.cumsum() - n), n)


def box_accuracy(overlaps: Tensor) -> Tensor:
    r"""Whether the map's box meets the object's, at the data set's best threshold; higher is better.

    $$\mathrm{BoxAcc}(\eta, \delta) = \frac1N \sum_i \max_{B \in \mathcal{B}_i}
    1[\mathrm{IoU}(B_p^\eta, B) \ge \delta], \qquad \mathrm{BA} = \frac13 \sum_\delta \max_\eta
    \mathrm{BoxAcc}(\eta, \delta)$$
    (Choe et al. 2020; Opti-CAM eq. (A5)) over $\delta \in \{0.3, 0.5, 0.7\}$. $B_p^\eta$ is the box of
    the largest component of $S > \eta$; overlaps have one pixel added to each side, as in the protocol.

    From the overlaps (N, T) of a whole data set, here for each image (N,) the share of the $\delta$
    that its box meets, each at the $\eta$ that is best for the data set. Their mean is BA exactly; an
    interval over images holds these thresholds fixed.
    """
    hits = [(overlaps >= delta).double() for delta in DELTAS]
    return torch.stack([hit[:, hit.mean(0).argmax()] for hit in hits]).mean(0)
