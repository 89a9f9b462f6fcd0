"""Attention-based dropout layer: in training, attended positions are dropped or emphasised."""

import torch
from torch import Tensor, nn

from .backbone import CAM, CHANNELS, backbone


class ADL(nn.Module):
    r"""In training, A times one of two masks of its channel mean $M = \frac1K \sum_k A_k$: the drop mask
    $1[M < \gamma \max M]$, or the importance map $\sigma(M)$; in eval mode, A (Choe & Shim 2019,
    section 3).

    Args:
        rate: the probability of the drop mask, drawn for each batch.
        threshold: $\gamma$.
    """

    def __init__(self, rate: float = 0.75, threshold: float = 0.9):
        super().__init__()
        self.rate, self.threshold = rate, threshold

    def forward(self, A: Tensor) -> Tensor:
        if not self.training:
            return A
        M = A.mean(1, keepdim=True)
        if torch.rand(()) < self.rate:
            return A * (M < self.threshold * M.amax((2, 3), keepdim=True))
        return A * M.sigmoid()


def adl(classes: int) -> CAM:
    """The backbone with CAM's head, and such a layer after each of its blocks."""
    stem, first, second = backbone()
    return CAM(nn.Sequential(stem, first, ADL(), second, ADL()), CHANNELS, classes)
