from typing import NamedTuple

import torch
from torch import Tensor

from .boxes import unions


class Energy(NamedTuple):
    """The sum of a map (B,) inside the boxes, and over the image; the pixels of the boxes (B,)."""

    inside: Tensor
    whole: Tensor
    pixels: Tensor


def energy(net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor]) -> Energy:
    """Where the map lies.

    Args:
        boxes: for each image those of its object, (n, 4) as x0, y0, x1, y1 in pixels, half-open. A
            pixel counts if its centre lies in one of them.
    """
    inside = unions(boxes, S)  # (B, H, W)
    S = S.double()
    return Energy((S * inside).sum((1, 2)), S.sum((1, 2)), inside.sum((1, 2)))


def energy_pointing_game(energy: Energy) -> Tensor:
    r"""The share of the map that lies in the boxes of the object; higher is better.

    $$\mathrm{Proportion} = \sum_{(i,j) \in \mathrm{bbox}} S_{ij} \,/ \sum_{(i,j)} S_{ij}$$
    (Wang et al. 2020; LIFT-CAM eq. (14); Opti-CAM eq. (A3)), for each image (B,), in [0, 1]. Zero for
    a map of zeros.
    """
    return energy.inside / energy.whole.clamp_min(torch.finfo(energy.whole.dtype).tiny)
