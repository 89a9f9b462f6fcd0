"""Precision and recall of pixels over a whole data set, for maps against masks of the object and
for signed maps against the parts that distinguish two classes."""

import torch
from torch import Tensor

from ..checks import check_choice, check_count

SPACINGS = ("even", "log")
DECADES = 7  # from the smallest threshold above zero to 1


def histograms(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    mask: list[Tensor],
    ignore: list[Tensor] | None = None,
    thresholds: int = 1000,
    spacing: str = "even",
) -> Tensor:
    r"""Histograms (B, 2, T + 1) of the map's values over the pixels off and on the object.

    Args:
        mask: for each image the mask (H, W) of its object, True or False.
        ignore: for each image the pixels (H, W) that count neither as object nor as background.
            Pixels of the object always count.
        thresholds: T, the number of thresholds from zero up to, but not including, 1.
        spacing: of the thresholds: "even", $k/T$; or "log", zero and then even in the logarithm
            from $10^{-7}$, for maps that are small nearly everywhere.

    Raises:
        ValueError: there is not one mask per image, or a mask has another size than the map.
    """
    check_count("thresholds", thresholds)
    on = _stacked("mask", mask, S)  # (B, H, W)
    counts = torch.ones_like(on)
    if ignore is not None:
        counts = on | ~_stacked("ignore", ignore, S)
    bins = torch.bucketize(S.double(), _edges(thresholds, spacing).to(S.device), right=True) - 1
    image = torch.arange(len(S), device=S.device)[:, None, None]
    place = (2 * image + on) * (thresholds + 1) + bins
    found = torch.bincount(place[counts], minlength=2 * len(S) * (thresholds + 1))
    return found.view(len(S), 2, thresholds + 1).double()


def histograms_of_size(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    mask: list[Tensor],
    thresholds: int = 1000,
    spacing: str = "log",
) -> Tensor:
    """The `histograms` of |S| for signed maps S (B, H, W).

    Args:
        mask, thresholds, spacing: as for `histograms`.
    """
    return histograms(net, x, target, S.abs(), mask=mask, thresholds=thresholds, spacing=spacing)


def _edges(thresholds: int, spacing: str) -> Tensor:
    """The lower edges of the bins (T + 1,)."""
    check_choice("spacing", spacing, SPACINGS)
    even = torch.arange(thresholds + 1, dtype=torch.float64) / thresholds
    if spacing == "even":
        return even
    powers = torch.logspace(-DECADES, 0, thresholds, dtype=torch.float64)
    powers[-1] = 1  # exactly
    return torch.cat([even[:1], powers])


def _stacked(name: str, masks: list[Tensor], S: Tensor) -> Tensor:
    if len(masks) != len(S):
        raise ValueError(f"{name}: {len(masks)} for {len(S)} images; give one tensor (H, W) each")
    for i, one in enumerate(masks):
        if one.shape != S.shape[1:]:
            size, got = tuple(S.shape[1:]), tuple(one.shape)
            raise ValueError(f"{name} of image {i} of the batch is (H, W) = {size}, got {got}")
    return torch.stack([one.to(S.device) for one in masks]).bool()


def pxap(histograms: Tensor) -> Tensor:
    r"""The area under the curve of pixel-wise precision and recall over all images together; higher
    is better.

    $$\mathrm{PxAP} = \sum_k P(\tau_k)\, \big(R(\tau_k) - R(\tau_{k+1})\big), \quad
    P(\tau) = \frac{\sum_i |\{S_i \ge \tau\} \cap M_i|}{\sum_i |\{S_i \ge \tau\}|}, \quad
    R(\tau) = \frac{\sum_i |\{S_i \ge \tau\} \cap M_i|}{\sum_i |M_i|}$$
    (Choe et al. 2020; CALM supplement, appendix E). Pixels to ignore are left out everywhere.

    This function takes the histograms (N, 2, T + 1) of a whole data set. The value of an image (N,)
    is
    that of the data set plus the influence of the image on it: N times the derivative with respect
    to the image's weight. The mean over images is exactly PxAP, and their spread gives its
    interval. The value of a single image may lie outside [0, 1].

    Raises:
        ValueError: no image has a pixel of the object.
    """
    off, on = histograms.double().flip(2).unbind(1)  # (N, T + 1) each, from the largest value down
    total = on.sum()
    if not total:
        raise ValueError("no image has a pixel of the object: give masks of other images")
    fp, tp = off.cumsum(1), on.cumsum(1)
    FP, TP, share = fp.sum(0), tp.sum(0), on.sum(0) / total  # (T + 1,)
    marked = (TP + FP).clamp_min(1)
    precision = TP / marked
    value = (precision * share).sum()
    slope = (precision * on).sum(1) / total  # by the image's pixels of the object
    slope = slope - value * on.sum(1) / total
    slope = slope + (share * (tp * FP - fp * TP) / marked**2).sum(1)  # by its pixels in precision
    return value + len(on) * slope


def cue_pxap(histograms: Tensor) -> Tensor:
    r"""How well the difference between two classes' maps finds the parts that distinguish them;
    higher is better.

    $$\mathrm{PxAP}\big(|s^A - s^B|,\ M_{AB}\big)$$ (CALM, section 5.2 and supplement, figure A), with
    $M_{AB}$ the pixels of the parts whose attributes differ between the classes A and B. $S$ is the
    signed map $s^A - s^B$, divided by its largest absolute value. The values per image are as for
    `pxap`. The thresholds are the authors', even in the logarithm from $10^{-7}$ to 1. The authors
    leave out values below the first threshold; here they are in the lowest bin.

    The authors' code does not reset its histograms between pairs of classes, and averages over the
    values accumulated so far; here all pairs are pooled once.

    Example:
        >>> S = explain("calm", net, x, A, counterfactual=B, signed=True)
        >>> METRICS["cue_pxap"].fn(net, x, A, S, mask=[differing(bird, "plain finch", "red-capped finch")])
    """
    return pxap(histograms)
