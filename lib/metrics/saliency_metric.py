from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..checks import check_choice
from .boxes import area, predicted_boxes
from .confidence import probability

SEEN = ("image", "crop")


class Sized(NamedTuple):
    """The share of the image (B,) that the map's box takes, and the probability (B,)."""

    share: Tensor
    p: Tensor


def sized(net, x: Tensor, target: Tensor, S: Tensor, *, of: str = "image") -> Sized:
    """How large the map's box is, and how sure the network.

    Args:
        of: whose probability: the "image"'s, or, as in earlier code, the "crop"'s: what the box
            holds, resized to the image's size.
    """
    check_choice("of", of, SEEN)
    boxes = predicted_boxes(S)
    if of == "crop":
        x = torch.stack([_crop(image, box) for image, box in zip(x, boxes.int().tolist())])
    return Sized(area(boxes) / S[0].numel(), probability(net, x, target))


def _crop(image: Tensor, box: list[int]) -> Tensor:
    x0, y0, x1, y1 = box
    crop = image[None, :, y0:y1, x0:x1]
    return interpolate(crop, image.shape[1:], mode="bilinear", align_corners=False)[0]


def saliency_metric(sized: Sized) -> Tensor:
    r"""A small box, and a sure network; lower is better.

    $$\mathrm{SM} = \log \max\Big(0.05, \frac{|B_p|}{hw}\Big) - \log p^c$$
    (Dabkowski & Gal 2017; Opti-CAM eq. (A7)), for each image (B,), at least log 0.05. Not of the
    object's boxes. With $p^c$ of the image, as the equation is written, no map scores worse than one
    that marks everything; with $p^c$ of the crop (option `of`), a box that misses the object does.
    """
    p = sized.p.clamp_min(torch.finfo(sized.p.dtype).tiny)
    return sized.share.clamp_min(0.05).log() - p.log()
