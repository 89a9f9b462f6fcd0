"""The target's probability before and after masking: AD, AG, AI and ADD.

The map may be edited before it masks the image: cut to the object's box, or raised to a power.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_choice
from ..maps import mask
from .boxes import unions

REGIONS = ("image", "inside", "outside", "box", "complement")


class Confidence(NamedTuple):
    """The target's probability (B,) on the image and on the masked image."""

    p: Tensor
    o: Tensor


def probability(net, x: Tensor, target: Tensor) -> Tensor:
    """The softmax probability (B,) of the target, in double precision: AG divides by 1 - p."""
    y = net(x)
    dtype = y.dtype if y.device.type == "mps" else torch.float64  # which mps lacks
    return y.softmax(1, dtype=dtype).gather(1, target[:, None])[:, 0]


def preserved(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    boxes: list[Tensor] | None = None,
    masking: str = "pixels",
    region: str = "image",
    exponent: float = 1.0,
) -> Confidence:
    r"""$p$ on $x$ and $o$ on $x \odot S$, with the map cut or raised to a power as by `edited`.

    Args:
        boxes: as for `edited`.
        region: what masks the image: "image", the map; "inside" or "outside", its part in the object's boxes or
            out of them; "box" or "complement", the boxes or all else, without the map.
        exponent: that the map is raised to; larger is more focused.
        masking: "pixels", masked is black; "normalized", masked is the channel mean. See `maps.mask`.
    """
    S = edited(S, boxes, region=region, exponent=exponent)
    return _confidence(net, x, target, S, masking)


def deleted(net, x: Tensor, target: Tensor, S: Tensor, *, masking: str = "pixels") -> Confidence:
    r"""$p$ on $x$ and $o$ on $x \odot (1 - S)$.

    Args:
        masking: "pixels" or "normalized"; see `maps.mask`.
    """
    return _confidence(net, x, target, 1 - S, masking)


def _confidence(net, x: Tensor, target: Tensor, S: Tensor, masking: str) -> Confidence:
    images = (x, mask(net, x, S, masking))
    return Confidence(*(probability(net, each, target) for each in images))


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


def _share(change: Tensor, whole: Tensor) -> Tensor:
    return change / whole.clamp_min(torch.finfo(whole.dtype).tiny)


def average_drop(confidence: Confidence) -> Tensor:
    r"""How much of the class probability is lost when the map masks the image; lower is better.

    $$\mathrm{AD} = \frac1N \sum_i \frac{[p_i^c - o_i^c]_+}{p_i^c}$$ (Opti-CAM eq. (13); LIFT-CAM
    eq. (12)), here for each image (B,), a fraction in [0, 1].
    """
    p, o = confidence
    return _share((p - o).relu(), p)


def average_gain(confidence: Confidence) -> Tensor:
    r"""How much of the missing class probability is gained by masking; higher is better.

    $$\mathrm{AG} = \frac1N \sum_i \frac{[o_i^c - p_i^c]_+}{1 - p_i^c}$$ (Opti-CAM eq. (15)), here
    for each image (B,), a fraction in [0, 1]; 0 where $p_i^c = 1$ leaves nothing to gain.
    """
    p, o = confidence
    return _share((o - p).relu(), 1 - p)


def average_increase(confidence: Confidence) -> Tensor:
    r"""Whether masking increases the class probability; higher is better.

    $$\mathrm{AI} = \frac1N \sum_i 1[p_i^c < o_i^c]$$ (Opti-CAM eq. (14); LIFT-CAM eq. (11), IC), here
    for each image (B,), 0 or 1. A tie is no increase.
    """
    return (confidence.o > confidence.p).to(confidence.p)


def average_drop_in_deletion(confidence: Confidence) -> Tensor:
    r"""How much of the class probability is lost when the map is cut out; higher is better.

    $$\mathrm{ADD} = \frac1N \sum_i \frac{p_i^c - d_i^c}{p_i^c}$$ with $d$ the probability under the
    mask $1 - S$ (LIFT-CAM eq. (13)), here for each image (B,). Signed: negative where cutting out
    helps.
    """
    p, d = confidence
    return _share(p - d, p)
