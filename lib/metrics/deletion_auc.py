from torch import Tensor

from .curves import Curve, area


def deletion_auc(curve: Curve) -> Tensor:
    r"""Area under the probability of the image without its most salient pixels; lower is better.

    $$\int_0^1 p(x \odot 1[\text{all but the fraction } \delta \text{ of most salient pixels}])\, d\delta$$
    by trapezoids over $\delta \in \{0, 0.025, \dots, 1\}$ (LIFT-CAM section 4.3.2), for each image (B,),
    in [0, 1]. Deleted pixels are black.
    """
    return area(curve)
