"""Metrics of signed maps: the probability of a class relative to its rival on part of the evidence,
and the areas marked for and against the class."""

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
    r"""The probability of the class relative to its strongest rival when only part of its evidence
    is kept.

    $$\frac{e^{y_t}}{e^{y_t} + e^{y_s}}$$ on the image without the pixels of the other sign (Wang &
    Wang 2022, tables 1 to 3), for each image (B,), in [0, 1]. The rival $s$ is the class other than
    $t$ with the largest logit on the whole image, so the top two classes are each other's rivals.
    With `keep="positive"` a larger value is better, with `keep="negative"` a smaller one;
    `keep="all"` leaves the image as it is.

    The paper draws the blur's sigma from [10, 20] anew at each call; here it is 15.
    """
    return torch.sigmoid(logits.t - logits.s)


def kept_logits(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    logits: Tensor | None = None,
    rival: Rival | None = None,
    keep: str = "positive",
    replacement: str = "blur",
    kernel: int = 101,
    sigma: float = 15.0,
) -> Logits:
    """The logits of class and rival on images that keep only the pixels of one sign of the map.

    Args:
        S: signed maps (B, H, W).
        logits: those of x (B, C), if they are known.
        rival: the class to compare with, or {class: its rival}, or (B,) classes, one per image;
            None for the strongest other class of each image.
        keep: the sign of the pixels that are kept. Pixels of the other sign and zeros are replaced.
        replacement, kernel, sigma: as for `replaced`.
    """
    if rival is None:
        rival = strongest_rival(net(x) if logits is None else logits, target)
    else:
        rival = rivals_of(rival, target, net.num_classes)
    hidden = hides(S, keep)
    if hidden.any():
        x = replaced(x, hidden, replacement, kernel=kernel, sigma=sigma)
    y = net(x)
    y = y if y.device.type == "mps" else y.double()  # mps has no double precision
    return Logits(logit(y, target), logit(y, rival))


def hides(S: Tensor, keep: str) -> Tensor:
    """The pixels (B, H, W) that are replaced: all that do not have the sign to keep."""
    check_choice("keep", keep, KEEPS)
    return {"positive": S <= 0, "negative": S >= 0, "all": torch.zeros_like(S, dtype=torch.bool)}[
        keep
    ]


def equalised(S: Tensor, T: Tensor, keep: str, *, number: str = "text") -> tuple[Tensor, Tensor]:
    r"""Signed maps of two methods (B, H, W), with values 1 and -1, that hide equally many pixels.

    As in appendix G of Wang & Wang 2022, both maps hide their lowest pixels if positive features
    are kept, and their highest if negative features are kept. Among equal pixels, the first in
    raster order is hidden.

    Args:
        keep: "positive" or "negative".
        number: how many pixels are hidden. "text": for positive features, the larger of the two
            maps' own numbers, $\max_S |\{S \le 0\}|$; for negative ones the smaller,
            $\min_S |\{S \ge 0\}|$. "authors": as their code counts, $\min_S |\{S > 0\}|$ and
            $\max_S |\{S < 0\}|$, the numbers of pixels of the sign that is kept.

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
    r"""The share of the image that a signed map marks for its class.

    $$\frac{1}{HW} \sum_{ij} [S_{ij} > 0]$$ (Wang & Wang 2022, appendix G, who find it large for
    original maps), for each image (B,). It needs no pass through the network.
    """
    return (signs > 0).to(signs).mean((1, 2))


def area_imbalance(signs: Tensor) -> Tensor:
    r"""The difference between the areas that a signed map marks for and against its class.

    $$\frac{1}{HW} \Big| \sum_{ij} [S_{ij} > 0] - \sum_{ij} [S_{ij} < 0] \Big|$$ (the balance of
    Wang & Wang 2022, appendix G), for each image (B,): 0 if the areas are equal, 1 for a map of one
    sign. It needs no pass through the network.
    """
    return signs.mean((1, 2)).abs()
