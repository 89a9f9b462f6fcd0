"""In-sample contrast and consistent attention, which separate the object from its background."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbone import CAM, CHANNELS, backbone

OBJECT, BACKGROUND = 0.5, 0.3  # of the attention's maximum
DROP = 0.8  # the most discriminative places, above this share, are dropped
MARGIN = 1.0
EMBEDDED = 32


class InCA(CAM):
    """CAM's network, trained with two more losses on its attention, the channel mean of a layer.

    In an embedding, the object without its most discriminative places should be nearer to the
    object than to the background; and an earlier layer should attend to the same places as the last
    one (Ki et al. 2020, section 3).

    The paper has non-local blocks in place of the channel means used here.
    """

    def __init__(self, blocks: nn.Sequential, classes: int):
        super().__init__(blocks, CHANNELS, classes)
        self.embedding = nn.Conv2d(CHANNELS, EMBEDDED, 1)

    def layers(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The activations before and after the last block."""
        earlier = self.features[:-1](x)
        return earlier, self.features[-1](earlier)

    def embedded(self, A: Tensor, mask: Tensor) -> Tensor:
        """The mean of A (B, K, h, w) in a mask (B, 1, h, w), embedded, of length one: (B, E)."""
        area = mask.sum((2, 3), keepdim=True).clamp_min(1)
        z = self.embedding((A * mask).sum((2, 3), keepdim=True) / area)
        return F.normalize(z[:, :, 0, 0], dim=1)


def inca(classes: int) -> InCA:
    """The backbone with these losses."""
    return InCA(backbone(), classes)


def attention(A: Tensor) -> Tensor:
    """The channel mean (B, 1, h, w) divided by its maximum."""
    M = A.mean(1, keepdim=True)
    return M / M.amax((2, 3), keepdim=True).clamp_min(torch.finfo(A.dtype).tiny)


def masks(M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Masks from attention in [0, 1]: the object, the object without its most discriminative
    places, and the background."""
    there = M > OBJECT
    return there.to(M), (there & (M < DROP)).to(M), (M < BACKGROUND).to(M)


def contrast_and_consistency(model: InCA, x: Tensor, y: Tensor) -> Tensor:
    """The cross-entropies of the features and of what the dropped mask leaves of them, the contrastive
    attention loss and the foreground consistency loss."""
    earlier, A = model.layers(x)
    M = attention(A)
    there, dropped, behind = masks(M.detach())
    z, z_dropped, z_behind = (model.embedded(A, mask) for mask in (there, dropped, behind))
    near, far = ((z_dropped - other).square().sum(1) for other in (z, z_behind))
    contrast = (near - far + MARGIN).relu().mean()
    consistency = (attention(earlier) - M.detach()).square().mean()
    logits = (model.classifier(F.adaptive_avg_pool2d(B, 1).flatten(1)) for B in (A, A * dropped))
    return sum(F.cross_entropy(of, y) for of in logits) + contrast + consistency
