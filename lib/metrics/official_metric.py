from torch import Tensor

from .localization import Localized


def official_metric(localized: Localized) -> Tensor:
    r"""How far the map's box is from the object's, where the class is right; lower is better.

    $$\mathrm{OM} = 1 - \Big(\max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p)\Big) 1[c_p = c]$$
    (Opti-CAM eq. (A1)), for each image (B,), in [0, 1]. Earlier code counts overlaps below a half.
    """
    return 1 - localized.overlap * localized.correct
