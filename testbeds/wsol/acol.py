"""Adversarial complementary learning: a second classifier sees what the first does not mark."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import CHANNELS, attention, backbone


class ACoL(nn.Module):
    """Two classifiers on one feature map; the second sees it without the places where the first
    one's map of the class, scaled to [0, 1], reaches a threshold (Zhang et al. 2018, section 3).

    The output is the logits of the first classifier; the map is the larger of both maps (`maps`).

    Args:
        features: the network that gives A (B, K, h, w).
        channels: K.
    """

    def __init__(self, features: nn.Module, channels: int, classes: int, threshold: float = 0.6):
        super().__init__()
        self.features, self.threshold = features, threshold
        self.first, self.second = (_classifier(channels, classes) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.first(self.features(x)).mean((2, 3))

    def both(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The class maps (B, C, h, w) of both classifiers; the first's map of y (B,) is erased for
        the second."""
        A = self.features(x)
        first = self.first(A)
        return first, self.second(A * (attention(first, y) < self.threshold))

    @torch.no_grad()
    def maps(self, x: Tensor, y: Tensor) -> Tensor:
        """The larger of both classifiers' maps (B, h, w), each in [0, 1]."""
        first, second = (attention(maps, y) for maps in self.both(x, y))
        return torch.maximum(first, second)[:, 0]


def _classifier(channels: int, classes: int) -> nn.Sequential:
    hidden = nn.Conv2d(channels, channels, 3, padding=1)
    return nn.Sequential(hidden, nn.ReLU(), nn.Conv2d(channels, classes, 1))


def acol(classes: int) -> ACoL:
    """Both classifiers on the backbone."""
    return ACoL(backbone(), CHANNELS, classes)


def both(model: ACoL, x: Tensor, y: Tensor) -> Tensor:
    """The cross-entropies of both classifiers."""
    return sum(F.cross_entropy(maps.mean((2, 3)), y) for maps in model.both(x, y))
