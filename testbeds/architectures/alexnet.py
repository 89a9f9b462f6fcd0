"""Small networks in the style of AlexNet, to be trained in the build.

They have five convolutions, overlapping max-pooling after the first two and the last, and hidden
linear layers. As in AlexNet, the head after the last convolution is not affine: max-pooling and two
ReLUs are between the maps and the logits. Batch normalisation replaces local response normalisation
and dropout; without it, learning begins only after many epochs.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn


class Convolution(NamedTuple):
    """A convolution with ReLU; `pooled`: max-pooling of 3 x 3 follows, which halves the grid."""

    channels: int
    kernel: int
    stride: int = 1
    pooled: bool = False


SMALL = (  # of 64 x 64 pixels: the last activation is (64, 8, 8)
    Convolution(24, 5, stride=2, pooled=True),
    Convolution(48, 3, pooled=True),
    Convolution(96, 3),
    Convolution(96, 3),
    Convolution(64, 3, pooled=True),
)


def convolutions(layers: Sequence[Convolution]) -> nn.Sequential:
    """(B, 3, H, W) to (B, K, h, w), where each stride and each pooling divides the grid.

    Example:
        >>> convolutions(SMALL)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 64, 4, 4])
    """
    steps, before = [], 3
    for channels, kernel, stride, pooled in layers:
        steps += [
            nn.Conv2d(before, channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        if pooled:
            steps.append(nn.MaxPool2d(3, 2, padding=1))
        before = channels
    return nn.Sequential(*steps)


class AlexNet(nn.Module):
    """Convolutions, then linear layers with ReLU between them; gives logits (B, classes).

    Args:
        classes: the number of classes.
        layers: the convolutions.
        grid: height and width of their output.
        hidden: the widths of the hidden linear layers.

    Example:
        >>> AlexNet(8)(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 8])
    """

    def __init__(
        self,
        classes: int,
        *,
        layers: Sequence[Convolution] = SMALL,
        grid: int = 4,
        hidden: Sequence[int] = (256, 128),
    ):
        super().__init__()
        self.features = convolutions(layers)
        steps, before = [nn.Flatten()], layers[-1].channels * grid**2
        for width in hidden:
            steps += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
            before = width
        self.classifier = nn.Sequential(*steps, nn.Linear(before, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))
