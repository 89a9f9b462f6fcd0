"""Replacements for the pixels that an explanation hides."""

from functools import lru_cache

import torch
from torch import Tensor

from ..checks import check_choice, check_count

REPLACEMENTS = ("blur", "zeros", "mean")


def gaussian_blur(x: Tensor, kernel: int = 101, sigma: float = 15.0) -> Tensor:
    """Images (B, 3, H, W) blurred by a Gaussian of `kernel` pixels and reflected at their borders.

    It agrees with torchvision's `gaussian_blur`, but also takes kernels larger than the image,
    which is then reflected as often as necessary. The blur is separable: one matrix from the left
    and one from the right.

    Raises:
        ValueError: the kernel is even, or sigma is not positive.
    """
    H, W = x.shape[2:]
    rows, columns = (_blur_matrix(n, kernel, float(sigma)).to(x) for n in (H, W))
    return rows @ x @ columns.T


@lru_cache
def _blur_matrix(n: int, kernel: int, sigma: float) -> Tensor:
    """The blur of a row of n pixels as a matrix (n, n), whose rows sum to one."""
    check_count("kernel", kernel)
    if kernel % 2 == 0 or sigma <= 0:
        raise ValueError(f"a blur has an odd kernel and a positive sigma, got {kernel} and {sigma}")
    offset = torch.arange(kernel) - kernel // 2
    weight = (-0.5 * (offset.double() / sigma) ** 2).softmax(0)
    place = torch.arange(n)[:, None] + offset  # (n, kernel)
    period = max(1, 2 * (n - 1))
    place = place % period
    place = torch.minimum(place, period - place)  # place -1 is 1, and n is n - 2
    return torch.zeros(n, n, dtype=torch.float64).scatter_add_(1, place, weight.expand(n, kernel))


def replaced(
    x: Tensor, where: Tensor, replacement: str = "blur", *, kernel: int = 101, sigma: float = 15.0
) -> Tensor:
    """Images with the pixels `where` (B, H, W) replaced.

    Args:
        replacement: "blur", `gaussian_blur` with the given kernel and sigma; "zeros", black;
            "mean", the mean colour of each image.
    """
    check_choice("replacement", replacement, REPLACEMENTS)
    if replacement == "blur":
        other = gaussian_blur(x, kernel, sigma)
    elif replacement == "mean":
        other = x.mean((2, 3), keepdim=True)
    else:
        other = torch.zeros_like(x)
    return torch.where(where[:, None], other, x)
