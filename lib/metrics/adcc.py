"""ADCC and its terms, coherency, complexity and average drop; and the mean of a map."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_maps
from ..maps import mask
from .confidence import average_drop, preserved
from .similarity import correlation, flat


class Terms(NamedTuple):
    """The terms of ADCC, each (B,) in [0, 1]."""

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
    logits: Tensor | None = None,
    masking: str = "pixels",
) -> Terms:
    r"""The map $S$ of $x$ is compared with the map of the masked image $x \odot S$.

    Args:
        method: a function of images (B, 3, H, W) and classes (B,) that gives maps (B, H, W) in
            [0, 1].
        logits: those of x (B, C), if they are known.
        masking: "pixels" or "normalized"; see `maps.mask`.
    """
    again = method(mask(net, x, S, masking), target)
    check_maps(again, x)
    drop = average_drop(preserved(net, x, target, S, logits=logits, masking=masking))
    S, again = S.double(), again.to(S).double()
    agreement = (correlation(S, again) + 1) / 2
    none = flat(S) | flat(again)  # a flat map agrees with no map
    return Terms(agreement.masked_fill(none, 0), mean_saliency(S).clamp(0, 1), drop)


def adcc(terms: Terms) -> Tensor:
    r"""Average drop, coherency and complexity combined by a harmonic mean; higher is better.

    $$\mathrm{ADCC} = 3 \left( \frac{1}{\mathrm{coherency}} + \frac{1}{1 - \mathrm{complexity}}
      + \frac{1}{1 - \mathrm{AD}} \right)^{-1}$$
    (Poppi et al. 2021), for each image (B,), in [0, 1]. It is 0 if one of the three terms of the
    mean is 0, such as the coherency of a flat map. Like the authors' code, this computes ADCC per
    image. ADCC of a data set's mean terms, `adcc(Terms(*means))`, is a different value and never
    lower.
    """
    shares = torch.stack((terms.coherency, 1 - terms.complexity, 1 - terms.drop))
    return 3 / (1 / shares).sum(0)  # 1/0 is infinity, and 3 over infinity 0


def coherency(terms: Terms) -> Tensor:
    r"""How well the map of the masked image agrees with the map of the image; higher is better.

    $$\mathrm{coherency} = \tfrac12 \big(1 + \mathrm{corr}(S(x), S(x \odot S(x)))\big)$$
    with Pearson's correlation (Poppi et al. 2021), for each image (B,), in [0, 1]. Zero where either
    map is flat.
    """
    return terms.coherency


def complexity(terms: Terms) -> Tensor:
    r"""How much of the image a map covers: its mean; lower is better.

    $$\mathrm{complexity} = \frac{1}{HW} \sum_{ij} S_{ij}$$ (Poppi et al. 2021), for each image (B,), in
    [0, 1]. It equals `mean_saliency`, but takes the map of the label and is computed together with
    the other terms of `adcc`.
    """
    return terms.complexity


def mean_saliency(S: Tensor) -> Tensor:
    r"""How much of the image a map covers: its mean, small for a focused map.

    $$\mathrm{complexity}(S) = \frac{1}{HW} \sum_{ij} S_{ij}$$ (Poppi et al. 2021, for maps in
    [0, 1]), for each image (B,). It needs no pass through the network.
    """
    return S.mean((1, 2))


def saliency_map(net, x: Tensor, target: Tensor, S: Tensor) -> Tensor:
    """The map itself; the network is not run."""
    return S
