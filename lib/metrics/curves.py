"""Insertion and deletion, as RISE and as LIFT-CAM define them: areas under the curve of the
probability while pixels change in order of saliency."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_choice, check_count
from .confidence import probability

BLURS = ("rise", "gaussian")


class Curve(NamedTuple):
    """The target's probability (B, T) when a fraction (T,) of the pixels, or patches, has changed."""

    fraction: Tensor
    probability: Tensor


def ranks(S: Tensor) -> Tensor:
    """The rank (B, H, W) of each pixel by decreasing saliency; ties in raster order."""
    order = S.flatten(1).argsort(dim=1, descending=True, stable=True)
    places = torch.arange(order.shape[1], device=S.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places).view_as(S)


def change(
    net,
    start: Tensor,
    end: Tensor,
    target: Tensor,
    rank: Tensor,
    counts: Tensor,
    chunk: int | None = None,
) -> Curve:
    """The curve from images `start` to images `end` (B, 3, H, W).

    At each of the `counts` (T,), the pixels whose `rank` (B, H, W) is below it come from `end`. All
    steps of all images run in shared passes.
    """
    T, B, below = len(counts), len(rank), counts.to(rank.device)
    step, image = (i.flatten() for i in torch.meshgrid(
        *(torch.arange(n, device=rank.device) for n in (T, B)), indexing="ij"))  # fmt: skip
    size = chunk or net.batch_hint(start)
    found = []
    for t, i in zip(step.split(size), image.split(size)):
        changed = rank[i] < below[t].view(-1, 1, 1)  # (n, H, W)
        mixed = torch.where(changed[:, None], end[i], start[i])
        found.append(probability(net, mixed, target[i]))
    p = torch.cat(found).cpu().double().view(T, B).T.contiguous()
    return Curve(counts.double() / (rank[0].max().item() + 1), p)


def stepped(pixels: int, step: int) -> Tensor:
    """0, step, 2 step, ... and all the pixels."""
    check_count("step", step)
    return torch.tensor([*range(0, pixels, step), pixels])


def evenly(pixels: int, steps: int) -> Tensor:
    """0, 1/steps, 2/steps, ... and all of the pixels, rounded to whole pixels."""
    check_count("steps", steps)
    return (torch.arange(steps + 1, dtype=torch.float64) / steps * pixels).round().long()


def insertion_curve(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    step: int = 224,
    blur: str = "rise",
    chunk: int | None = None,
) -> Curve:
    """From the blurred image to the image, `step` pixels at a time.

    Args:
        step: pixels that enter in one step.
        blur: "rise", the kernel of RISE's code, which is almost a box; "gaussian", the Gaussian of
            sigma 5.
        chunk: images per pass, chosen for the device if None. It changes no result.
    """
    return change(
        net, blurred(net, x, blur), x, target, ranks(S), stepped(S[0].numel(), step), chunk
    )


def deletion_curve(
    net, x: Tensor, target: Tensor, S: Tensor, *, step: int = 224, chunk: int | None = None
) -> Curve:
    """From the image to black, `step` pixels at a time.

    Args:
        step: pixels that turn black in one step.
        chunk: images per pass, chosen for the device if None. It changes no result.
    """
    return change(net, x, torch.zeros_like(x), target, ranks(S), stepped(S[0].numel(), step), chunk)


def insertion_auc_curve(
    net, x: Tensor, target: Tensor, S: Tensor, *, steps: int = 40, chunk: int | None = None
) -> Curve:
    """From black to the image, an equal fraction of its pixels per step.

    Args:
        steps: the number of steps; each shows 1/steps of the pixels.
        chunk: images per pass, chosen for the device if None. It changes no result.
    """
    counts = evenly(S[0].numel(), steps)
    return change(net, torch.zeros_like(x), x, target, ranks(S), counts, chunk)


def deletion_auc_curve(
    net, x: Tensor, target: Tensor, S: Tensor, *, steps: int = 40, chunk: int | None = None
) -> Curve:
    """From the image to black, an equal fraction of its pixels per step.

    Args:
        steps: the number of steps; each hides 1/steps of the pixels.
        chunk: images per pass, chosen for the device if None. It changes no result.
    """
    counts = evenly(S[0].numel(), steps)
    return change(net, x, torch.zeros_like(x), target, ranks(S), counts, chunk)


def area(curve: Curve) -> Tensor:
    """The area (B,) under the curves, by trapezoids over the fraction of pixels."""
    return torch.trapezoid(curve.probability, curve.fraction, dim=1)


def blurred(net, x: Tensor, blur: str = "rise") -> Tensor:
    """Images under an 11 x 11 blur, padded by the channel mean, which the network sees as zero."""
    check_choice("blur", blur, BLURS)
    kernel = _kernel(blur).to(x).expand(3, 1, 11, 11)
    return net.mean + F.conv2d(x - net.mean, kernel, padding=5, groups=3)


@lru_cache
def _kernel(blur: str, size: int = 11, sigma: float = 5.0) -> Tensor:
    """The kernel: "gaussian", the Gaussian of that sigma; "rise", the kernel of RISE's code.

    RISE's code filters an impulse inside the 11 x 11 window with reflected edges, which gives
    almost a box.
    """
    if blur == "rise":
        impulse = np.zeros((size, size))
        impulse[size // 2, size // 2] = 1
        return torch.from_numpy(gaussian_filter(impulse, sigma))
    ray = torch.exp(-((torch.arange(size, dtype=torch.float64) - size // 2) ** 2) / (2 * sigma**2))
    return torch.outer(ray, ray) / ray.sum() ** 2


# ------------------------------------------------------------------------------------- the metrics


def insertion(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability while salient pixels appear in a blurred image;
    higher is better.

    $$\mathrm{I} = \int_0^1 p(x_{\mathrm{blur}} \leftarrow x \text{ on the } q \text{ most salient})\, dq$$
    (Petsiuk et al. 2018; Opti-CAM section 5.3.2), for each image (B,), in [0, 1]. Each step changes
    224 pixels (option `step`). The blur is that of RISE's code, almost a box; `blur="gaussian"` is
    a Gaussian.
    """
    return area(curve)


def deletion(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability while salient pixels turn black; lower is better.

    $$\mathrm{D} = \int_0^1 p(x \leftarrow 0 \text{ on the } q \text{ most salient})\, dq$$
    (Petsiuk et al. 2018; Opti-CAM section 5.3.2), for each image (B,), in [0, 1]. Each step changes
    224 pixels (option `step`).
    """
    return area(curve)


def insertion_auc(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability when only the most salient pixels are shown;
    higher is better.

    $$\int_0^1 p(x \odot 1[\text{the fraction } \delta \text{ of most salient pixels}])\, d\delta$$
    by trapezoids over $\delta \in \{0, 0.025, \dots, 1\}$ (LIFT-CAM section 4.3.2), for each image
    (B,), in [0, 1]. All other pixels are black, whereas `insertion` starts from a blurred image.
    """
    return area(curve)


def deletion_auc(curve: Curve) -> Tensor:
    r"""Area under the predicted class's probability when the most salient pixels are hidden; lower
    is better.

    $$\int_0^1 p(x \odot 1[\text{all but the fraction } \delta \text{ of most salient pixels}])\, d\delta$$
    by trapezoids over $\delta \in \{0, 0.025, \dots, 1\}$ (LIFT-CAM section 4.3.2), for each image
    (B,), in [0, 1]. Deleted pixels are black.
    """
    return area(curve)
