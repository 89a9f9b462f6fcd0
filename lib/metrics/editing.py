"""The map before it masks the image: cut to the object's box, or raised to a power."""

from torch import Tensor

from ..checks import check_choice
from .boxes import unions

REGIONS = ("image", "inside", "outside", "box", "complement")


def edited(
    S: Tensor, boxes: list[Tensor] | None = None, *, region: str = "image", exponent: float = 1.0
) -> Tensor:
    r"""The map (B, H, W), with $B$ the union of the object's boxes (Opti-CAM sections 5.4 and F.1).

    Args:
        S: maps (B, H, W).
        boxes: for each image (n, 4), as for `energy`.
        region: "image" is $S$, "inside" $B \cap S$, "outside" $S \setminus B$; without the map, "box"
            is $B$ and "complement" $I \setminus B$.
        exponent: that the map is raised to; larger is more focused.

    Raises:
        ValueError: a region without boxes, or an exponent that is not positive.

    Example:
        >>> edited(S, boxes, region="inside")
    """
    check_choice("region", region, REGIONS)
    if exponent <= 0:
        raise ValueError(f"exponent is positive, got {exponent}")
    if region != "image":
        if boxes is None:
            raise ValueError(f"region {region!r} needs boxes: pass a tensor (n, 4) for each image")
        B = unions(boxes, S).to(S.dtype)
        S = {"inside": S * B, "outside": S * (1 - B), "box": B, "complement": 1 - B}[region]
    return S if exponent == 1 else S.clamp_min(0) ** exponent
