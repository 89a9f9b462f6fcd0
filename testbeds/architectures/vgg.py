"""Small networks in the style of VGG, to be trained in the build.

They consist of blocks of 3 x 3 convolutions, each followed by batch normalisation and ReLU, with
max-pooling after every block, and of hidden linear layers. These have batch normalisation too,
since without it learning begins only after many epochs. As in VGG-16, the head after the last
convolution is not affine: max-pooling and two ReLUs are between the maps and the logits.
"""

from collections.abc import Sequence

from torch import Tensor, nn

SMALL = ((16,), (24,), (48,), (64, 128))  # of 64 x 64 pixels: the last activation is (128, 8, 8)


def convolutions(blocks: Sequence[Sequence[int]]) -> nn.Sequential:
    """(B, 3, H, W) to (B, K, H / 2^n, W / 2^n) by n blocks.

    Args:
        blocks: for each block, the channels of its convolutions.

    Example:
        >>> convolutions([(16,), (32, 32)])(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 32, 16, 16])
    """
    layers, before = [], 3
    for block in blocks:
        for channels in block:
            layers += [
                nn.Conv2d(before, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions, then linear layers with ReLU between them; gives logits (B, classes).

    Args:
        classes: the number of classes.
        blocks: as for `convolutions`.
        size: height and width of the images.
        hidden: the widths of the hidden linear layers.
        dropout: the probability with which a hidden unit is dropped in training.
    """

    def __init__(
        self,
        classes: int,
        *,
        blocks: Sequence[Sequence[int]] = SMALL,
        size: int = 64,
        hidden: Sequence[int] = (256, 128),
        dropout: float = 0.2,
    ):
        super().__init__()
        side = size // 2 ** len(blocks)
        if side < 1:
            raise ValueError(f"{len(blocks)} blocks need images of {2 ** len(blocks)}, got {size}")
        self.features = convolutions(blocks)
        layers, before = [nn.Flatten()], blocks[-1][-1] * side**2
        for width in hidden:
            layers += [nn.Linear(before, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
            layers.append(nn.Dropout(dropout))
            before = width
        self.classifier = nn.Sequential(*layers, nn.Linear(before, classes))

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))
