"""Self-produced guidance: confident parts of the class map guide the masks of earlier layers."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import CHANNELS, WIDTHS, attention, backbone

# Values above the first are object, those below the second background; those between are ignored.
THRESHOLDS = {"second": (0.5, 0.05), "first": (0.7, 0.1), "last": (0.7, 0.1)}
LEAST = 0.7  # of the maximum: object where too little is above the threshold
FEW = 30 / 224**2  # of the image


class SPG(nn.Module):
    """A classifier of 1 x 1 convolutions, and masks of the object from three of its layers.

    The second layer's mask learns from the class map, the first's from the second's, and the last's
    from the mean of both (Zhang et al. 2018, section 3). The masks are used in training only.
    """

    def __init__(self, blocks: nn.Sequential, classes: int):
        super().__init__()
        self.first, self.second, self.last = blocks
        self.classifier = nn.Conv2d(CHANNELS, classes, 1)
        shared = WIDTHS[1]
        self.from_first, self.from_second = (_hidden(width, shared) for width in WIDTHS[:2])
        self.mask = nn.Sequential(_hidden(shared, shared), nn.Conv2d(shared, 1, 1))
        self.from_last = nn.Sequential(_hidden(CHANNELS, shared), nn.Conv2d(shared, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        A = self.last(self.second(self.first(x)))
        return self.classifier(A).mean((2, 3))

    def guided(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The class maps (B, C, h, w), and the masks (B, 1, h, w) before the sigmoid."""
        first = self.first(x)
        second = self.second(first)
        A = self.last(second)
        masks = {
            "first": self.mask(self.from_first(first)),
            "second": self.mask(self.from_second(second)),
            "last": self.from_last(A),
        }
        return self.classifier(A), masks


def _hidden(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1), nn.ReLU())


def spg(classes: int) -> SPG:
    """Guidance on the backbone."""
    return SPG(backbone(), classes)


def seeds(map: Tensor, high: float, low: float) -> Tensor:
    """Labels from maps (B, 1, H, W) in [0, 1]: 1 on object, 0 on background, NaN where uncertain."""
    top = map.amax((2, 3), keepdim=True)
    above = map > high
    few = above.float().mean((2, 3), keepdim=True) < FEW
    above = torch.where(few, map > LEAST * top, above)
    found = torch.where(above, 1.0, torch.nan)
    return torch.where(map < low, 0.0, found)


def guidance(model: SPG, x: Tensor, y: Tensor) -> Tensor:
    """The cross-entropy of the class and those of the masks."""
    maps, z = model.guided(x)
    p = {name: mask.detach().sigmoid() for name, mask in z.items()}
    teacher = {"second": attention(maps, y), "first": p["second"]}
    teacher["last"] = (p["first"] + p["second"]) / 2
    loss = F.cross_entropy(maps.mean((2, 3)), y)
    for name, by in teacher.items():
        wanted = seeds(by, *THRESHOLDS[name])
        sure = ~wanted.isnan()
        if sure.any():
            loss = loss + F.binary_cross_entropy_with_logits(z[name][sure], wanted[sure])
    return loss
