from torch import Tensor

from .confidence import Confidence


def average_increase(confidence: Confidence) -> Tensor:
    r"""Whether masking increases the class probability; higher is better.

    $$\mathrm{AI} = \frac1N \sum_i 1[p_i^c < o_i^c]$$ (Opti-CAM eq. (14); LIFT-CAM eq. (11), IC), here
    for each image (B,), 0 or 1. A tie is no increase.
    """
    return (confidence.o > confidence.p).to(confidence.p)
