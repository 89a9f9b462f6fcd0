from torch import Tensor

from .localization import Localized


def localization_error(localized: Localized) -> Tensor:
    r"""How far the map's box is from the object's, whatever class is predicted; lower is better.

    $$\mathrm{LE} = 1 - \max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p)$$
    (Opti-CAM eq. (A2)), for each image (B,), in [0, 1]. Earlier code counts overlaps below a half.
    """
    return 1 - localized.overlap
