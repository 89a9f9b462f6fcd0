from torch import Tensor

from .curves import Curve, area


def insertion_auc(curve: Curve) -> Tensor:
    r"""Area under the probability of what is seen through the most salient pixels; higher is better.

    $$\int_0^1 p(x \odot 1[\text{the fraction } \delta \text{ of most salient pixels}])\, d\delta$$
    by trapezoids over $\delta \in \{0, 0.025, \dots, 1\}$ (LIFT-CAM section 4.3.2), for each image (B,),
    in [0, 1]. All other pixels are black, where `insertion` starts from a blurred image.
    """
    return area(curve)
