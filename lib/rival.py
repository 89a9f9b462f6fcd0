"""The rival of each image's class, for the question "why a, and not c?"."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .selectors import strongest

Rival = int | Mapping[int, int] | Tensor


def rivals_of(rival: Rival, target: Tensor, classes: int = 0) -> Tensor:
    """The rival class (B,) of each image, never the image's own class.

    Args:
        rival: one class for all images; a mapping from the class that is explained to its rival; or
            (B,) classes, one per image.
        target: the classes (B,) that are explained.
        classes: the number of classes; 0 to accept any class index.

    Raises:
        ValueError: a class has no rival, is its own rival, or has a rival out of range.

    Example:
        >>> rivals_of({3: 8, 4: 9}, torch.tensor([4, 3, 3]))
        tensor([9, 8, 8])
    """
    if isinstance(rival, Mapping):
        missing = [c for c in target.tolist() if c not in rival]
        if missing:
            raise ValueError(
                f"class {missing[0]} has no rival: add it to the mapping {dict(rival)}"
            )
        rival = torch.tensor([rival[c] for c in target.tolist()])
    rival = torch.as_tensor(rival, device=target.device)
    if rival.is_floating_point() or rival.dtype == torch.bool:
        raise ValueError(f"rivals are class indices, whole numbers, got {rival.dtype}")
    if rival.ndim and rival.shape != target.shape:
        expected, got = tuple(target.shape), tuple(rival.shape)
        raise ValueError(f"rivals are one class an image, {expected}, got {got}")
    rival = rival.long().expand_as(target)
    outside = rival[(rival < 0) | (rival >= classes)] if classes else rival[:0]
    if len(outside):
        raise ValueError(
            f"rival class {int(outside[0])} is out of range: there are classes 0 to {classes - 1}"
        )
    if (rival == target).any():
        same = int(target[rival == target][0])
        raise ValueError(f"class {same} is its own rival: name another class")
    return rival


def strongest_rival(y: Tensor, target: Tensor) -> Tensor:
    """The strongest class (B,) other than the target, by logits (B, C)."""
    return strongest(y, target).argmax(1)
