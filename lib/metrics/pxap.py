"""Precision and recall of pixels over a whole data set: of maps beside masks, and of signed maps beside
the parts that tell two classes apart."""

import torch
from torch import Tensor

from ..checks import check_choice, check_count

SPACINGS = ("even", "log")
DECADES = 7  # from the least threshold but zero to 1


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
    r"""How many pixels off and on the object have each value (B, 2, T + 1).

    Args:
        mask: for each image the pixels (H, W) of its object, True or False.
        ignore: for each image those that count neither as object nor as background; but what lies on
            the object counts.
        thresholds: T, from zero up; 1 is one more.
        spacing: of the thresholds: "even", $k/T$; or "log", zero and then evenly by their logarithm from
            $10^{-7}$, for maps that are small nearly everywhere.

    Raises:
        ValueError: not one mask an image, or one of another size.
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
    """`histograms` of |S|, of signed maps S (B, H, W).

    Args:
        mask, thresholds, spacing: as for `histograms`.
    """
    return histograms(net, x, target, S.abs(), mask=mask, thresholds=thresholds, spacing=spacing)


def _edges(thresholds: int, spacing: str) -> Tensor:
    """The lower ends of the bins (T + 1,)."""
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
    r"""The area under the curve of pixel-wise precision and recall, of all images together; higher is
    better.

    $$\mathrm{PxAP} = \sum_k P(\tau_k)\, \big(R(\tau_k) - R(\tau_{k+1})\big), \quad
    P(\tau) = \frac{\sum_i |\{S_i \ge \tau\} \cap M_i|}{\sum_i |\{S_i \ge \tau\}|}, \quad
    R(\tau) = \frac{\sum_i |\{S_i \ge \tau\} \cap M_i|}{\sum_i |M_i|}$$
    (Choe et al. 2020; CALM supplement, appendix E), with the pixels to ignore left out everywhere.

    From the histograms (N, 2, T + 1) of a whole data set, for each image (N,) the value of the data set
    and what the image adds to it: N times the derivative by its weight. Their mean is PxAP exactly, and
    their spread gives its interval; one of them may lie outside of [0, 1].

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
    slope = (precision * on).sum(1) / total  # of its pixels among the object's
    slope = slope - value * on.sum(1) / total
    slope = slope + (share * (tp * FP - fp * TP) / marked**2).sum(1)  # of its pixels in precision
    return value + len(on) * slope


def cue_pxap(histograms: Tensor) -> Tensor:
    r"""How well the difference of the maps of two classes finds the parts that tell them apart; higher
    is better.

    $$\mathrm{PxAP}\big(|s^A - s^B|,\ M_{AB}\big)$$ (CALM, section 5.2 and supplement, figure A), with
    $M_{AB}$ the pixels of the parts whose attributes differ between the classes A and B. $S$ is the
    signed map $s^A - s^B$, divided by its largest size; values as of `pxap`. The authors' thresholds are
    even in the logarithm, from $10^{-7}$ to 1; what is below the first they leave out, and it is in the
    lowest bin here.

    The authors' code never empties the histograms from one pair of classes to the next, and averages what
    has come together so far; here all pairs are pooled once.

    Example:
        >>> S = explain("calm", net, x, A, counterfactual=B, signed=True)
        >>> METRICS["cue_pxap"].fn(net, x, A, S, mask=[differing(bird, "plain finch", "red-capped finch")])
    """
    return pxap(histograms)
