"""The target's probability before and after masking: what AD, AG, AI and ADD are made of."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..maps import mask
from .editing import edited


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
    r"""$p$ on $x$ and $o$ on $x \odot S$, with the map cut or raised to a power as by `edited`."""
    S = edited(S, boxes, region=region, exponent=exponent)
    return Confidence(
        probability(net, x, target), probability(net, mask(net, x, S, masking), target)
    )


def deleted(net, x: Tensor, target: Tensor, S: Tensor, *, masking: str = "pixels") -> Confidence:
    r"""$p$ on $x$ and $o$ on $x \odot (1 - S)$."""
    return Confidence(
        probability(net, x, target), probability(net, mask(net, x, 1 - S, masking), target)
    )
