r"""Where a signed map lies, when two classes are known to differ in some parts of the object only.

"Why Not Other Classes?" (Wang & Wang 2022, appendix D) compares by eye what the contrastive maps of
an image's two most probable classes mark. Where the parts that tell them apart are annotated, as on
drawn birds, it can be measured: with M the map, D the pixels of those parts and O those of the
object, all (B, H, W); one number an image (B,), in double precision.
"""

import torch
from torch import Tensor


def shared_coverage(M: Tensor, N: Tensor, O: Tensor) -> Tensor:
    r"""How much of the object speaks for both classes: $|M > 0 \wedge N > 0 \wedge O| \,/\, |O|$."""
    return _sum((M > 0) & (N > 0) & O) / _sum(O)


def difference_share(M: Tensor, D: Tensor) -> Tensor:
    r"""The share of the positive part on what differs: $\sum_D M^+ / \sum M^+$.

    NaN for a map without positive values.
    """
    return _sum(M.relu() * D) / _sum(M.relu())


def difference_sign(M: Tensor, D: Tensor) -> Tensor:
    r"""Whether what differs speaks for the class (1) or against it (-1): $\sum_D M / \sum_D |M|$.

    NaN for a map that is zero there.
    """
    return _sum(M * D) / _sum(M.abs() * D)


def difference_rank(M: Tensor, D: Tensor, O: Tensor) -> Tensor:
    r"""How often a pixel of what differs has a larger value than one of the rest of the object.

    $$\frac{1}{|D|\,|O \setminus D|} \sum_{i \in D} \sum_{j \in O \setminus D}
      \big([M_i > M_j] + \tfrac12 [M_i = M_j]\big)$$
    One half by chance, whatever the sizes of the parts. NaN where one of the two is empty.
    """
    return torch.stack([_above(m[d & o], m[o & ~d]) for m, d, o in zip(M, D, O)])


def _above(high: Tensor, low: Tensor) -> Tensor:
    return (high[:, None] - low).double().sign().mean() / 2 + 0.5


def _sum(of: Tensor) -> Tensor:
    """(B, H, W) to (B,)."""
    return of.double().sum((1, 2))
