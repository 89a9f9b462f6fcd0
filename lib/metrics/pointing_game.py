from torch import Tensor

from ..checks import check_choice
from .boxes import unions

TIES = ("first", "any")


def hit(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], ties: str = "first"
) -> Tensor:
    """Whether the map's maximum lies in one of the boxes (B,).

    Args:
        boxes: as for `energy`.
        ties: which of several equal maxima counts: the "first" in raster order, or "any".
    """
    check_choice("ties", ties, TIES)
    inside = unions(boxes, S).flatten(1)  # (B, HW)
    peaks = S.flatten(1) == S.flatten(1).amax(1, keepdim=True)
    if ties == "first":
        peaks = peaks & (peaks.cumsum(1) == 1)
    return (peaks & inside).any(1)


def pointing_game(hit: Tensor) -> Tensor:
    r"""Whether the most salient pixel lies in a box of the object; higher is better.

    $$\mathrm{SP} = 1[p^* \in U], \quad p^* = \arg\max_p S_p$$
    (Zhang et al. 2018; Opti-CAM eq. (A6), with $U$ the union of the boxes), for each image (B,), 0 or
    1. Of several equal maxima the first in raster order is taken; option `ties`.
    """
    return hit.double()
