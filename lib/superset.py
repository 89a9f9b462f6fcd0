"""Supersets: sets of classes whose maps are added up, so that together they cover the object."""

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

Superset = Collection[int] | Mapping[int, Collection[int]] | Sequence[Collection[int]]


def members(superset: Superset, target: Tensor, classes: int) -> Tensor:
    """Which classes (B, C) are in the superset of each image's class.

    Args:
        superset: one set of classes for all images; or the superset of each class that is
            explained, as a mapping or as a sequence with one for each class.
        target: the classes (B,) that are explained; each must be in its own superset.
        classes: the number of classes C.

    Raises:
        ValueError: a class has no superset or is not in it, or a superset has a class out of range.

    Example:
        >>> members({0: {0, 1}, 1: {0, 1}, 2: {2}}, torch.tensor([1, 2]), 3)
        tensor([[ True,  True, False],
                [False, False,  True]])
    """
    found = torch.zeros(len(target), classes, dtype=torch.bool)
    for row, c in zip(found, target.tolist()):
        own = sorted(int(s) for s in _of(superset, c))
        outside = [s for s in own if not 0 <= s < classes]
        if outside:
            raise ValueError(
                f"superset class {outside[0]} is out of range: there are classes 0 to {classes - 1}"
            )
        if c not in own:
            raise ValueError(f"the superset {own} of class {c} does not hold it: add it")
        row[own] = True
    return found.to(target.device)


def _of(superset: Superset, c: int) -> Collection[int]:
    """The superset of one class."""
    if isinstance(superset, Mapping):
        if c not in superset:
            raise ValueError(f"class {c} has no superset: add it to the mapping")
        return superset[c]
    if not any(isinstance(one, Collection) for one in superset):
        return superset
    if c >= len(superset):
        raise ValueError(f"class {c} has no superset: the sequence has {len(superset)}")
    return superset[c]
