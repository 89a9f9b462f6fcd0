import torch
from torch import Tensor

from .energy_pointing_game import Energy


def pixel_f1(energy: Energy) -> Tensor:
    r"""How well the map covers the boxes of the object, and only them; higher is better.

    $$F_1 = \frac{2PR}{P + R}, \quad P = \frac{\sum_{p \in U} S_p}{\sum_p S_p}, \quad
    R = \frac{\sum_{p \in U} S_p}{|U|}$$
    (Opti-CAM eq. (A3)-(A4), with $U$ the union of the boxes), for each image (B,), in [0, 1], as
    $2 \sum_U S / (\sum S + |U|)$, to which it reduces. Zero for a map of zeros.
    """
    both = energy.whole + energy.pixels
    return 2 * energy.inside / both.clamp_min(torch.finfo(both.dtype).tiny)
