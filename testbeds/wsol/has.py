"""Hide-and-Seek: patches of the image are hidden at random, so that other parts must be used."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GRID = 4  # patches per side; the paper's are a seventh to a quarter of 224 pixels, or finer
RATE = 0.5


def hide(x: Tensor, grid: int = GRID, rate: float = RATE) -> Tensor:
    """Normalised images whose hidden patches have the mean colour, zero.

    (Singh & Lee 2017, section 3.1.)
    """
    kept = (torch.rand(len(x), 1, grid, grid) >= rate).to(x)
    return x * F.interpolate(kept, x.shape[2:], mode="nearest")


def has(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of images with hidden patches."""
    return F.cross_entropy(model(hide(x)), y)
