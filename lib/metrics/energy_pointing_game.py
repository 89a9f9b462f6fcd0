from typing import NamedTuple

import torch
from torch import Tensor


class Energy(NamedTuple):
    """The sum of a map (B,) inside the boxes, and over the image."""

    inside: Tensor
    whole: Tensor


def energy(net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor]) -> Energy:
    """Where the map lies.

    Args:
        boxes: for each image those of its object, (n, 4) as x0, y0, x1, y1 in pixels, half-open. A
            pixel counts if its centre lies in one of them.
    """
    if len(boxes) != len(S):
        raise ValueError(f"boxes: {len(boxes)} for {len(S)} images; give one tensor (n, 4) each")
    inside = torch.stack([covered(b, S.shape[1:]) for b in boxes]).to(S.device)  # (B, H, W)
    S = S.double()
    return Energy((S * inside).sum((1, 2)), S.sum((1, 2)))


def covered(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """The pixels (H, W) whose centres lie in one of the boxes (n, 4)."""
    x0, y0, x1, y1 = boxes.cpu().view(-1, 4, 1).unbind(1)  # (n, 1) each
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    in_rows = (y0 <= rows) & (rows < y1)  # (n, H)
    in_columns = (x0 <= columns) & (columns < x1)  # (n, W)
    return (in_rows[:, :, None] & in_columns[:, None, :]).any(0)


def energy_pointing_game(energy: Energy) -> Tensor:
    r"""The share of the map that lies in the boxes of the object; higher is better.

    $$\mathrm{Proportion} = \sum_{(i,j) \in \mathrm{bbox}} S_{ij} \,/ \sum_{(i,j)} S_{ij}$$
    (Wang et al. 2020; LIFT-CAM eq. (14)), for each image (B,), in [0, 1]. Zero for a map of zeros.
    """
    return energy.inside / energy.whole.clamp_min(torch.finfo(energy.whole.dtype).tiny)
