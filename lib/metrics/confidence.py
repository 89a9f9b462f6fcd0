"""Metrics that compare the target's probability before and after masking: AD, AG, AI and ADD.

The map may be edited before it masks the image: restricted to the object's boxes, or raised to a
power.
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


def probability(net, x: Tensor, target: Tensor, logits: Tensor | None = None) -> Tensor:
    """The softmax probability (B,) of the target, in double precision: AG divides by 1 - p.

    Args:
        logits: those of x (B, C), if they are known.
    """
    y = net(x) if logits is None else logits
    dtype = y.dtype if y.device.type == "mps" else torch.float64  # mps has no double precision
    return y.softmax(1, dtype=dtype).gather(1, target[:, None])[:, 0]


def preserved(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    logits: Tensor | None = None,
    boxes: list[Tensor] | None = None,
    masking: str = "pixels",
    region: str = "image",
    exponent: float = 1.0,
) -> Confidence:
    r"""The class probability $p$ on $x$ and $o$ on $x \odot S$, where S may be changed by `edited`.

    Args:
        logits: those of x (B, C), if they are known.
        boxes: as for `edited`.
        region: what masks the image: "image", the map; "inside" or "outside", the part of the map
            in or outside the object's boxes; "box" or "complement", the boxes or their complement,
            without the map.
        exponent: the power to which the map is raised; larger is more focused.
        masking: with "pixels", masked pixels are black; with "normalized", they have the channel
            mean. See `maps.mask`.
    """
    S = edited(S, boxes, region=region, exponent=exponent)
    return _confidence(net, x, target, S, masking, logits)


def deleted(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    logits: Tensor | None = None,
    masking: str = "pixels",
) -> Confidence:
    r"""The class probability $p$ on $x$ and $d$ on $x \odot (1 - S)$.

    Args:
        logits: those of x (B, C), if they are known.
        masking: "pixels" or "normalized"; see `maps.mask`.
    """
    return _confidence(net, x, target, 1 - S, masking, logits)


def _confidence(
    net, x: Tensor, target: Tensor, S: Tensor, masking: str, logits: Tensor | None
) -> Confidence:
    p = probability(net, x, target, logits)
    return Confidence(p, probability(net, mask(net, x, S, masking), target))


def edited(
    S: Tensor, boxes: list[Tensor] | None = None, *, region: str = "image", exponent: float = 1.0
) -> Tensor:
    r"""The map (B, H, W) restricted to a region and raised to a power (Opti-CAM sections 5.4, F.1).

    Args:
        S: maps (B, H, W).
        boxes: for each image the boxes of its object (n, 4), as for `energy`; $B$ is their union.
        region: "image" is $S$, "inside" $B \cap S$, "outside" $S \setminus B$; without the map, "box"
            is $B$ and "complement" $I \setminus B$.
        exponent: the power to which the map is raised; larger is more focused.

    Raises:
        ValueError: the region needs boxes that are missing, or the exponent is not positive.

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
    r"""The share of the class probability lost when the map masks the image; lower is better.

    $$\mathrm{AD} = \frac1N \sum_i \frac{[p_i^c - o_i^c]_+}{p_i^c}$$ (Opti-CAM eq. (13); LIFT-CAM
    eq. (12)), here for each image (B,), a fraction in [0, 1].
    """
    p, o = confidence
    return _share((p - o).relu(), p)


def average_gain(confidence: Confidence) -> Tensor:
    r"""The share of the missing class probability that masking gains; higher is better.

    $$\mathrm{AG} = \frac1N \sum_i \frac{[o_i^c - p_i^c]_+}{1 - p_i^c}$$ (Opti-CAM eq. (15)), here
    for each image (B,), a fraction in [0, 1]. It is 0 where $p_i^c = 1$ leaves nothing to gain.
    """
    p, o = confidence
    return _share((o - p).relu(), 1 - p)


def average_increase(confidence: Confidence) -> Tensor:
    r"""Whether masking increases the class probability; higher is better.

    $$\mathrm{AI} = \frac1N \sum_i 1[p_i^c < o_i^c]$$ (Opti-CAM eq. (14); LIFT-CAM eq. (11), IC), here
    for each image (B,), 0 or 1. A tie does not count as an increase.
    """
    return (confidence.o > confidence.p).to(confidence.p)


def average_drop_in_deletion(confidence: Confidence) -> Tensor:
    r"""The share of the class probability lost when the salient pixels are masked out; higher is
    better.

    $$\mathrm{ADD} = \frac1N \sum_i \frac{p_i^c - d_i^c}{p_i^c}$$ with $d$ the probability under the
    mask $1 - S$ (LIFT-CAM eq. (13)), here for each image (B,). It is negative where masking these
    pixels out raises the probability.
    """
    p, d = confidence
    return _share(p - d, p)
