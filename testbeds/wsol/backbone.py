"""What the networks for localisation have in common, and the plainest of them: CAM's."""

import torch
from torch import Tensor, nn

from lib.maps import normalise

from ..architectures.resnet import Block

WIDTHS = (16, 32, 64)  # of the stem, and of both blocks
CHANNELS = WIDTHS[-1]
SIZE = 64  # of the images


def backbone(stride: int = 1) -> nn.Sequential:
    """Images (B, 3, 64, 64) to A (B, 64, 16, 16), as a ResNet begins: a convolution and a max-pooling of
    stride 2 each, then residual blocks.

    Args:
        stride: of the last block; 2 as in a ResNet, for a grid of 8 x 8.

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
    """Features, global average pooling, one linear layer: the head that CAM reads (Zhou et al. 2016).

    Args:
        features: gives A (B, K, h, w).
        channels: K.
    """

    def __init__(self, features: nn.Module, channels: int, classes: int):
        super().__init__()
        self.features, self.classifier = features, nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))

    def class_maps(self, A: Tensor) -> Tensor:
        """The maps (B, C, h, w) of all classes, whose means are the logits but for the bias."""
        return torch.einsum("ck,bkhw->bchw", self.classifier.weight, A)


def cam(classes: int) -> CAM:
    """The backbone with CAM's head."""
    return CAM(backbone(), CHANNELS, classes)


def attention(maps: Tensor, y: Tensor) -> Tensor:
    """The map of each image's class in [0, 1], (B, 1, h, w), of maps (B, C, h, w): by its least and
    largest value, and a constant for the gradient."""
    return normalise(maps[torch.arange(len(y), device=y.device), y].detach())[:, None]
