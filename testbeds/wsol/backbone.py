"""The common backbone of the networks for localisation, and the simplest of them, CAM's."""

import torch
from torch import Tensor, nn

from lib.maps import normalise

from ..architectures.resnet import Block

WIDTHS = (16, 32, 64)  # of the stem, and of both blocks
CHANNELS = WIDTHS[-1]
SIZE = 64  # of the images


def backbone(stride: int = 1) -> nn.Sequential:
    """A network from images (B, 3, 64, 64) to A (B, 64, 16, 16), built like the beginning of a
    ResNet: a convolution and a max-pooling of stride 2 each, then residual blocks.

    Args:
        stride: the stride of the last block; 2, as in a ResNet, gives a grid of 8 x 8.

    Example:
        >>> backbone()(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 64, 16, 16])
    """
    stem, first, second = WIDTHS
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
        ),
        Block(stem, first, 1),
        Block(first, second, stride),
    )


class CAM(nn.Module):
    """Features, global average pooling and one linear layer, as CAM requires (Zhou et al. 2016).

    Args:
        features: the network that gives A (B, K, h, w).
        channels: K.
    """

    def __init__(self, features: nn.Module, channels: int, classes: int):
        super().__init__()
        self.features, self.classifier = features, nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))

    def class_maps(self, A: Tensor) -> Tensor:
        """The maps (B, C, h, w) of all classes, whose means are the logits up to the bias."""
        return torch.einsum("ck,bkhw->bchw", self.classifier.weight, A)


def cam(classes: int) -> CAM:
    """The backbone with CAM's head."""
    return CAM(backbone(), CHANNELS, classes)


def attention(maps: Tensor, y: Tensor) -> Tensor:
    """The map of each image's class, min-max scaled to [0, 1] and detached, (B, 1, h, w), from maps
    (B, C, h, w)."""
    return normalise(maps[torch.arange(len(y), device=y.device), y].detach())[:, None]
