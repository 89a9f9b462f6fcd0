import torch
from torch import Tensor

from .confidence import Confidence


def average_drop(confidence: Confidence) -> Tensor:
    r"""How much of the class probability is lost when the map masks the image; lower is better.

    $$\mathrm{AD} = \frac1N \sum_i \frac{[p_i^c - o_i^c]_+}{p_i^c}$$ (Opti-CAM eq. (13); LIFT-CAM
    eq. (12)), here for each image (B,), a fraction in [0, 1].
    """
    p, o = confidence
    return (p - o).relu() / p.clamp_min(torch.finfo(p.dtype).tiny)
