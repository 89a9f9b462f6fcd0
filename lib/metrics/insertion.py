from torch import Tensor

from .curves import Curve, area


def insertion(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability while salient pixels appear in a blurred image;
    higher is better.

    $$\mathrm{I} = \int_0^1 p(x_{\mathrm{blur}} \leftarrow x \text{ on the } q \text{ most salient})\, dq$$
    (Petsiuk et al. 2018; Opti-CAM section 5.3.2), for each image (B,), in [0, 1]. 224 pixels a step;
    option `step`. The blur is RISE's own, almost a box; option `blur="gaussian"`.
    """
    return area(curve)
