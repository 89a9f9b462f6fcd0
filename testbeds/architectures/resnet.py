"""Small residual networks, to be trained in the build.

They consist of blocks of two 3 x 3 convolutions with batch normalisation and a skip connection. As
in ResNet-50, the head after the last activation is affine: average pooling and one linear layer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

SMALL = (16, 32, 96)  # of 64 x 64 pixels: the last activation is (96, 8, 8)


class Block(nn.Module):
    """relu(x + two convolutions of x), (B, before, H, W) to (B, channels, H / stride, W / stride).

    If the shapes differ, a 1 x 1 convolution of x replaces x.
    """

    def __init__(self, before: int, channels: int, stride: int):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Identity()
        if stride != 1 or before != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.convolutions(x) + self.shortcut(x))


class ResNet(nn.Module):
    """A convolution of stride 2, blocks, and an affine head; gives logits (B, classes).

    Args:
        classes: the number of classes.
        widths: the channels of each block; each but the first halves the grid.

    Example:
        >>> ResNet(8)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 8])
    """

    def __init__(self, classes: int, *, widths: Sequence[int] = SMALL):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, widths[0], 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(inplace=True),
        )
        before = [widths[0], *widths]
        self.blocks = nn.Sequential(
            *(
                Block(b, width, 1 if i == 0 else 2)
                for i, (b, width) in enumerate(zip(before, widths))
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.blocks(self.stem(images))
        return self.classifier(torch.flatten(self.pool(maps), 1))
