import torch
from torch import Tensor

from .confidence import Confidence


def average_drop_in_deletion(confidence: Confidence) -> Tensor:
    r"""How much of the class probability is lost when the map is cut out; higher is better.

    $$\mathrm{ADD} = \frac1N \sum_i \frac{p_i^c - d_i^c}{p_i^c}$$ with $d$ the probability under the
    mask $1 - S$ (LIFT-CAM eq. (13)), here for each image (B,). Signed: negative where cutting out
    helps.
    """
    p, d = confidence
    return (p - d) / p.clamp_min(torch.finfo(p.dtype).tiny)
