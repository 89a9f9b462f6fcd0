"""Metrics of signed maps: a class against its rival on part of the evidence, and the areas marked for
and against it."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_choice
from ..rival import Rival, rivals_of, strongest_rival
from ..selectors import logit
from .curves import ranks
from .replacement import replaced

KEEPS = ("positive", "negative", "all")
NUMBERS = ("text", "authors")


class Logits(NamedTuple):
    """The logits (B,) of a class and of its rival, in double precision."""

    t: Tensor
    s: Tensor


def relative_probability(logits: Logits) -> Tensor:
    r"""The class against its strongest rival, where only part of its evidence is kept.

    $$\frac{e^{y_t}}{e^{y_t} + e^{y_s}}$$ on the image without the pixels of the other sign (Wang &
    Wang 2022, tables 1 to 3), for each image (B,), in [0, 1]; $s$ is the class other than $t$ with
    the largest logit on the whole image, so that of its top two each is the other's rival. With
    `keep="positive"` more is better, with `keep="negative"` less; `keep="all"` is the image itself.

    The paper draws the blur's sigma from [10, 20] anew each time; here it is 15.
    """
    return torch.sigmoid(logits.t - logits.s)


def kept_logits(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    rival: Rival | None = None,
    keep: str = "positive",
    replacement: str = "blur",
    kernel: int = 101,
    sigma: float = 15.0,
) -> Logits:
    """The logits of class and rival on images of which only one sign of the map is kept.

    Args:
        S: signed maps (B, H, W).
        rival: the class to compare with, or {class: its rival}, or (B,) classes; None for the strongest
            other one of each image.
        keep: the sign of the pixels that stay; the others, and those at zero, are replaced.
        replacement, kernel, sigma: as for `replaced`.
    """
    if rival is None:
        rival = strongest_rival(net(x), target)
    else:
        rival = rivals_of(rival, target, net.num_classes)
    hidden = hides(S, keep)
    if hidden.any():
        x = replaced(x, hidden, replacement, kernel=kernel, sigma=sigma)
    y = net(x)
    y = y if y.device.type == "mps" else y.double()  # which mps lacks
    return Logits(logit(y, target), logit(y, rival))


def hides(S: Tensor, keep: str) -> Tensor:
    """The pixels (B, H, W) that are replaced: all that have not the sign to keep."""
    check_choice("keep", keep, KEEPS)
    return {"positive": S <= 0, "negative": S >= 0, "all": torch.zeros_like(S, dtype=torch.bool)}[
        keep
    ]


def equalised(S: Tensor, T: Tensor, keep: str, *, number: str = "text") -> tuple[Tensor, Tensor]:
    r"""Signed maps, 1 and -1, of two methods (B, H, W), that hide equally many pixels of an image.

    Section G: where positive features are kept, both hide their lowest pixels; where negative ones are
    kept, their highest. Of equal pixels the first in raster order.

    Args:
        keep: "positive" or "negative".
        number: of the pixels that are hidden. "text": for positive features, as many as the map hides
            that hides more, $\max_S |\{S \le 0\}|$; for negative ones, as the map that hides fewer,
            $\min_S |\{S \ge 0\}|$. "authors", as their code counts: $\min_S |\{S > 0\}|$ and
            $\max_S |\{S < 0\}|$, so that what one sign covers is what the other loses.

    Example:
        >>> S, T = (explain("grad_cam", net, x, t, contrast=c, signed=True) for c in ("none", "weighted"))
        >>> S, T = equalised(S, T, "positive")
        >>> METRICS["relative_probability"].fn(net, x, t, S, keep="positive")
    """
    check_choice("keep", keep, KEEPS[:2])
    check_choice("number", number, NUMBERS)
    hidden = torch.stack([hides(M, keep) for M in (S, T)])
    counted = hidden if number == "text" else ~hidden
    counts = counted.flatten(2).sum(2)  # (2, B)
    n = counts.amax(0) if (keep == "positive") == (number == "text") else counts.amin(0)
    sign = 1 if keep == "positive" else -1  # of what is kept
    hidden = (ranks(-sign * M) < n[:, None, None] for M in (S, T))
    one, two = (sign * (1 - 2 * h.to(S)) for h in hidden)
    return one, two


def signs(net, x: Tensor, target: Tensor, S: Tensor) -> Tensor:
    """The sign (B, H, W) of each pixel: 1, -1 or 0."""
    return S.sign()


def positive_area(signs: Tensor) -> Tensor:
    r"""How much of the image a signed map marks for its class.

    $$\frac{1}{HW} \sum_{ij} [S_{ij} > 0]$$ (Wang & Wang 2022, appendix G, who find it large for
    original maps), for each image (B,). It asks nothing of the network.
    """
    return (signs > 0).to(signs).mean((1, 2))


def area_imbalance(signs: Tensor) -> Tensor:
    r"""How far the areas that a signed map marks for and against its class differ.

    $$\frac{1}{HW} \Big| \sum_{ij} [S_{ij} > 0] - \sum_{ij} [S_{ij} < 0] \Big|$$ (the balance of
    Wang & Wang 2022, appendix G), for each image (B,): 0 where they are equal, 1 for a map of one
    sign. It asks nothing of the network.
    """
    return signs.mean((1, 2)).abs()
