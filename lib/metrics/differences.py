r"""Measures of signed maps for two classes that differ only in known parts of the object.

"Why Not Other Classes?" (Wang & Wang 2022, appendix D) compares by eye the contrastive maps of an
image's two most probable classes. Where the parts that differ between the classes are annotated, as
on drawn birds, the comparison can be measured. M is the map, D the pixels of those parts and O the
pixels of the object, all (B, H, W). Each function gives one number per image (B,), in double
precision.
"""

import torch
from torch import Tensor


def shared_coverage(M: Tensor, N: Tensor, O: Tensor) -> Tensor:
    r"""The share of the object that is positive for both classes:
    $|M > 0 \wedge N > 0 \wedge O| \,/\, |O|$."""
    return _sum((M > 0) & (N > 0) & O) / _sum(O)


def difference_share(M: Tensor, D: Tensor) -> Tensor:
    r"""The share of the positive part of the map on the differing parts: $\sum_D M^+ / \sum M^+$.

    NaN for a map without positive values.
    """
    return _sum(M.relu() * D) / _sum(M.relu())


def difference_sign(M: Tensor, D: Tensor) -> Tensor:
    r"""Whether the differing parts count for the class (1) or against it (-1):
    $\sum_D M / \sum_D |M|$.

    NaN for a map that is zero on these parts.
    """
    return _sum(M * D) / _sum(M.abs() * D)


def difference_rank(M: Tensor, D: Tensor, O: Tensor) -> Tensor:
    r"""How often a pixel of the differing parts has a larger value than another one of the object.

    $$\frac{1}{|D|\,|O \setminus D|} \sum_{i \in D} \sum_{j \in O \setminus D}
      \big([M_i > M_j] + \tfrac12 [M_i = M_j]\big)$$
    The value by chance is one half, for parts of any size. NaN where either set of pixels is empty.
    """
    return torch.stack([_above(m[d & o], m[o & ~d]) for m, d, o in zip(M, D, O)])


def _above(high: Tensor, low: Tensor) -> Tensor:
    return (high[:, None] - low).double().sign().mean() / 2 + 0.5


def _sum(of: Tensor) -> Tensor:
    """The sums (B,) of (B, H, W)."""
    return of.double().sum((1, 2))
