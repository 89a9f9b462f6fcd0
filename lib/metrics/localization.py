"""Metrics of localization: OM, LE, EP, F1, SP and the overlap of a region of fixed area compare a
map with the object's boxes; SM measures the size of the map's own box."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..checks import check_choice
from .boxes import area, check_boxes, iou, predicted_boxes, unions
from .confidence import probability
from .parts import regions

TIES = ("first", "any")
SEEN = ("image", "crop")


class Localized(NamedTuple):
    """The intersection over union (B,) of the predicted box with the best matching object box, and
    whether the network predicts the class (B,)."""

    overlap: Tensor
    correct: Tensor


def localized(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    boxes: list[Tensor],
    logits: Tensor | None = None,
) -> Localized:
    """The overlap of the map's box with the object's boxes, and the network's prediction.

    Args:
        boxes: for each image the boxes of its object, (n, 4) as x0, y0, x1, y1 in pixels,
            half-open.
        logits: those of x (B, C), if they are known.
    """
    check_boxes(boxes, S)
    y = net(x) if logits is None else logits
    found = predicted_boxes(S)
    overlap = torch.stack([iou(one[None], b).max() for one, b in zip(found, boxes)])
    return Localized(overlap, y.argmax(1) == target)


def official_metric(localized: Localized) -> Tensor:
    r"""One minus the overlap of the map's box with the object's, and one if the predicted class is
    wrong; lower is better.

    $$\mathrm{OM} = 1 - \Big(\max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p)\Big) 1[c_p = c]$$
    (Opti-CAM eq. (A1)), for each image (B,), in [0, 1]. Earlier code counts overlaps below a half
    instead.
    """
    return 1 - localized.overlap * localized.correct


def localization_error(localized: Localized) -> Tensor:
    r"""One minus the overlap of the map's box with the object's, whatever class is predicted; lower
    is better.

    $$\mathrm{LE} = 1 - \max_{B \in \mathcal{B}} \mathrm{IoU}(B, B_p)$$
    (Opti-CAM eq. (A2)), for each image (B,), in [0, 1]. Earlier code counts overlaps below a half
    instead.
    """
    return 1 - localized.overlap


class Energy(NamedTuple):
    """The sum of a map inside the boxes and over the image, and the number of pixels in the boxes,
    each (B,)."""

    inside: Tensor
    whole: Tensor
    pixels: Tensor


def energy(net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor]) -> Energy:
    """The sum of the map inside the object's boxes and over the whole image.

    Args:
        boxes: for each image the boxes of its object, (n, 4) as x0, y0, x1, y1 in pixels,
            half-open. A pixel counts if its centre lies in one of them.
    """
    inside = unions(boxes, S)  # (B, H, W)
    S = S.double()
    return Energy((S * inside).sum((1, 2)), S.sum((1, 2)), inside.sum((1, 2)))


def energy_pointing_game(energy: Energy) -> Tensor:
    r"""The share of the map's sum that lies in the boxes of the object; higher is better.

    $$\mathrm{Proportion} = \sum_{(i,j) \in \mathrm{bbox}} S_{ij} \,/ \sum_{(i,j)} S_{ij}$$
    (Wang et al. 2020; LIFT-CAM eq. (14); Opti-CAM eq. (A3)), for each image (B,), in [0, 1]. It is
    zero for a map of zeros.
    """
    return energy.inside / energy.whole.clamp_min(torch.finfo(energy.whole.dtype).tiny)


def pixel_f1(energy: Energy) -> Tensor:
    r"""How well the map covers the boxes of the object, and only them; higher is better.

    $$F_1 = \frac{2PR}{P + R}, \quad P = \frac{\sum_{p \in U} S_p}{\sum_p S_p}, \quad
    R = \frac{\sum_{p \in U} S_p}{|U|}$$
    (Opti-CAM eq. (A3)-(A4), with $U$ the union of the boxes), for each image (B,), in [0, 1]. It is
    computed as $2 \sum_U S / (\sum S + |U|)$, to which the formula reduces, and is zero for a map
    of zeros.
    """
    both = energy.whole + energy.pixels
    return 2 * energy.inside / both.clamp_min(torch.finfo(both.dtype).tiny)


def hit(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], ties: str = "first"
) -> Tensor:
    """Whether the map's maximum lies in one of the boxes (B,).

    Args:
        boxes: as for `energy`.
        ties: which of several equal maxima counts: the "first" in raster order, or "any".
    """
    check_choice("ties", ties, TIES)
    inside = unions(boxes, S).flatten(1)  # (B, HW)
    peaks = S.flatten(1) == S.flatten(1).amax(1, keepdim=True)
    if ties == "first":
        peaks = peaks & (peaks.cumsum(1) == 1)
    return (peaks & inside).any(1)


def pointing_game(hit: Tensor) -> Tensor:
    r"""Whether the most salient pixel lies in a box of the object; higher is better.

    $$\mathrm{SP} = 1[p^* \in U], \quad p^* = \arg\max_p S_p$$
    (Zhang et al. 2018; Opti-CAM eq. (A6), with $U$ the union of the boxes), for each image (B,), 0 or
    1. If several pixels are maximal, the first in raster order is taken (option `ties`).
    """
    return hit.double()


class Overlap(NamedTuple):
    """The numbers of pixels (B,) in both a region of the map and the boxes, and in either."""

    shared: Tensor
    either: Tensor


def region(
    net, x: Tensor, target: Tensor, S: Tensor, *, boxes: list[Tensor], area: float = 0.2
) -> Overlap:
    """The overlap of the largest values of the map with the object's boxes.

    Args:
        boxes: as for `energy`.
        area: the region's area as a share of the image; see `parts.regions`.
    """
    largest, inside = regions(S, area).flatten(1), unions(boxes, S).flatten(1)  # (B, HW)
    return Overlap((largest & inside).sum(1), (largest | inside).sum(1))


def region_iou(overlap: Overlap) -> Tensor:
    r"""How well the region of the map's largest values, of fixed area, matches the object's boxes;
    higher is better.

    $$\mathrm{IoU} = \frac{|r \cap U|}{|r \cup U|}$$
    for each image (B,), in [0, 1], with $r$ the region of DiffCAM's appendix D.1 and $U$ the union of
    the boxes. For an object smaller than the region, every map has a value below 1.
    """
    return overlap.shared.double() / overlap.either


class Sized(NamedTuple):
    """The share of the image (B,) that the map's box covers, and the class probability (B,)."""

    share: Tensor
    p: Tensor


def sized(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    logits: Tensor | None = None,
    of: str = "image",
) -> Sized:
    """The size of the map's box and the class probability.

    Args:
        logits: those of x (B, C), if they are known.
        of: the input whose probability is taken: the "image" or, as in earlier code, the "crop",
            the content of the box resized to the image's size.
    """
    check_choice("of", of, SEEN)
    boxes = predicted_boxes(S)
    if of == "crop":
        x = torch.stack([_crop(image, box) for image, box in zip(x, boxes.int().tolist())])
        logits = None
    return Sized(area(boxes) / S[0].numel(), probability(net, x, target, logits))


def _crop(image: Tensor, box: list[int]) -> Tensor:
    x0, y0, x1, y1 = box
    crop = image[None, :, y0:y1, x0:x1]
    return interpolate(crop, image.shape[1:], mode="bilinear", align_corners=False)[0]


def saliency_metric(sized: Sized) -> Tensor:
    r"""The size of the map's box against the class probability, both logarithmic; lower is better.

    $$\mathrm{SM} = \log \max\Big(0.05, \frac{|B_p|}{hw}\Big) - \log p^c$$
    (Dabkowski & Gal 2017; Opti-CAM eq. (A7)), for each image (B,), at least log 0.05. It does not
    use the object's boxes. With $p^c$ of the image, as the equation is written, no map scores worse
    than one that marks everything. With $p^c$ of the crop (option `of`), a box that misses the
    object can score worse.
    """
    p = sized.p.clamp_min(torch.finfo(sized.p.dtype).tiny)
    return sized.share.clamp_min(0.05).log() - p.log()
