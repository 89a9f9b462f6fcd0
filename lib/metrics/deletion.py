from torch import Tensor

from .curves import Curve, area


def deletion(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability while salient pixels turn black; lower is better.

    $$\mathrm{D} = \int_0^1 p(x \leftarrow 0 \text{ on the } q \text{ most salient})\, dq$$
    (Petsiuk et al. 2018; Opti-CAM section 5.3.2), for each image (B,), in [0, 1]. 224 pixels a step;
    option `step`.
    """
    return area(curve)
