import torch
from torch import Tensor

from .confidence import Confidence


def average_gain(confidence: Confidence) -> Tensor:
    r"""How much of the missing class probability is gained by masking; higher is better.

    $$\mathrm{AG} = \frac1N \sum_i \frac{[o_i^c - p_i^c]_+}{1 - p_i^c}$$ (Opti-CAM eq. (15)), here
    for each image (B,), a fraction in [0, 1]; 0 where $p_i^c = 1$ leaves nothing to gain.
    """
    p, o = confidence
    return (o - p).relu() / (1 - p).clamp_min(torch.finfo(p.dtype).tiny)
