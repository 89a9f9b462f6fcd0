from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_count, check_maps
from ..seeding import generator


class Sensitivity(NamedTuple):
    """The norm of a map (B,), and its distances (B, n) from the maps of perturbed images."""

    norm: Tensor
    distance: Tensor


def perturbed(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    method: Callable[[Tensor, Tensor], Tensor],
    n: int = 10,
    radius: float = 0.2,
    seed: int = 0,
    chunk: int | None = None,
) -> Sensitivity:
    """The distances between the map of an image and the maps of noisy versions of it.

    Args:
        method: a function of images (N, 3, H, W) and classes (N,) that gives maps (N, H, W) in
            [0, 1].
        n: the number of perturbed images per image.
        radius: the noise is uniform in [-radius, radius] for each pixel and channel.
        seed: seeds the noise together with the image itself. The first n of a larger number of
            perturbed images stay the same.
        chunk: images explained together, chosen for the device if None. It changes no result.
    """
    check_count("n", n)
    check_count("chunk", chunk)
    images = torch.cat([around(image, n, radius, seed) for image in x])  # (B n, 3, H, W)
    size = net.batch_hint(x) if chunk is None else chunk
    parts = zip(images.split(size), target.repeat_interleave(n).split(size))
    moved = torch.cat([method(*part) for part in parts])  # (B n, H, W)
    check_maps(moved, images)
    difference = moved.to(S).double().unflatten(0, (len(x), n)) - S.double()[:, None]
    return Sensitivity(S.double().flatten(1).norm(dim=1), difference.flatten(2).norm(dim=2))


def around(image: Tensor, n: int, radius: float, seed: int) -> Tensor:
    """Images (n, 3, H, W) within the radius of one (3, H, W), clamped to [0, 1]."""
    if radius < 0:
        raise ValueError(f"radius is at least 0, got {radius}")
    shape = (n, *image.shape)
    noise = 2 * torch.rand(shape, generator=generator(image, seed), dtype=torch.float64) - 1
    return (image + radius * noise.to(image)).clamp(0, 1)


def max_sensitivity(sensitivity: Sensitivity) -> Tensor:
    r"""The largest relative change of a map when noise is added to its image; lower is better.

    $$\mathrm{MS} = \max_{\|\delta\|_\infty \le r} \frac{\|S(x + \delta) - S(x)\|}{\|S(x)\|}$$
    (Yeh et al. 2019; here relative to the norm of the map), over 10 random $\delta$ of radius 0.2
    (Opti-CAM section 5.3.3), for each image (B,). The norm is Frobenius's, and the value is not
    bounded above. Options `n`, `radius`, `seed`.

    Perturbed images are clamped to [0, 1], so near black and white the noise is one-sided. For a
    map of zeros the value is 1 if a perturbed map is not zero, and otherwise 0.
    """
    farthest = sensitivity.distance.amax(1)
    whole = torch.where(sensitivity.norm > 0, sensitivity.norm, farthest)
    return farthest / whole.clamp_min(torch.finfo(whole.dtype).tiny)
