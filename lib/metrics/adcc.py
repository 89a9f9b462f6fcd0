from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_maps
from ..maps import mask
from .average_drop import average_drop
from .confidence import preserved
from .mean_saliency import mean_saliency


class Terms(NamedTuple):
    """What ADCC is made of, each (B,) in [0, 1]."""

    coherency: Tensor
    complexity: Tensor
    drop: Tensor


def explained_again(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    method: Callable[[Tensor, Tensor], Tensor],
    masking: str = "pixels",
) -> Terms:
    r"""The map $S$ of $x$ beside the map of what it lets through, $x \odot S$.

    Args:
        method: explains images (B, 3, H, W) for classes (B,) by maps (B, H, W) in [0, 1].
        masking: "pixels" or "normalized"; see `maps.mask`.
    """
    again = method(mask(net, x, S, masking), target)
    check_maps(again, x)
    drop = average_drop(preserved(net, x, target, S, masking=masking))
    S, again = S.double(), again.to(S).double()
    return Terms((correlation(S, again) + 1) / 2, mean_saliency(S).clamp(0, 1), drop)


def correlation(S: Tensor, T: Tensor) -> Tensor:
    """Pearson's correlation (B,) of maps (B, H, W); -1 where one is flat, and has none."""
    S, T = S.flatten(1), T.flatten(1)
    flat = (S.amax(1) == S.amin(1)) | (T.amax(1) == T.amin(1))
    S, T = S - S.mean(1, keepdim=True), T - T.mean(1, keepdim=True)
    return torch.cosine_similarity(S, T, dim=1, eps=0).where(~flat, -1.0).clamp(-1, 1)


def adcc(terms: Terms) -> Tensor:
    r"""Average drop, coherency and complexity in one: their harmonic mean; higher is better.

    $$\mathrm{ADCC} = 3 \left( \frac{1}{\mathrm{coherency}} + \frac{1}{1 - \mathrm{complexity}}
      + \frac{1}{1 - \mathrm{AD}} \right)^{-1}$$
    (Poppi et al. 2021), for each image (B,), in [0, 1]; 0 as soon as one term is, such as the
    coherency of a flat map. The authors' code gives it for one image at a time. Of a data set, the
    value of the mean terms is another, and never lower: `adcc(Terms(*means))`.
    """
    shares = torch.stack((terms.coherency, 1 - terms.complexity, 1 - terms.drop))
    return 3 / (1 / shares).sum(0)  # 1/0 is infinity, and 3 over infinity 0
