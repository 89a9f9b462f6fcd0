"""Masks of cues: in each image, the parts whose looks differ between its class and another one."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .dataset import Dataset, Record, Sample, Size


def cues(data: Dataset, differing: Mapping[int, Sequence[str]]) -> Dataset:
    """The samples of some classes, with the parts that distinguish each from another class as
    masks.

    A part with a point but no mask, as on CUB, is the set of pixels of the object's mask that are
    nearer to its point than to that of any other visible part, as in the code of CALM's authors.

    Args:
        differing: by class, the names of the parts whose looks differ; other classes are left out.

    Example:
        >>> birds = load("birds")
        >>> cues(birds, {0: differing_parts("plain finch", "red-capped finch")})[0].mask  # the crown
    """
    records = (
        Cue(record, record.target, tuple(differing[record.target]))
        for record in data.records
        if record.target in differing
    )
    return replace(data, records=tuple(records))


@dataclass(frozen=True)
class Cue:
    """Another record's image, with the visible pixels of the given parts as its mask."""

    whole: Record
    target: int | None
    parts: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.whole.id

    @property
    def group(self) -> str:
        return getattr(self.whole, "group", None) or self.whole.id

    @property
    def annotated(self) -> frozenset[str]:
        return self.whole.annotated | {"mask"}

    def sample(self, size: Size) -> Sample:
        sample = self.whole.sample(size)
        return replace(sample, target=self.target, mask=part_mask(sample, self.parts), ignore=None)

    def fingerprint(self) -> str:
        content = self.whole.fingerprint(), self.target, self.parts
        return hashlib.sha256(repr(content).encode()).hexdigest()


def part_mask(sample: Sample, names: Sequence[str]) -> Tensor:
    """The visible pixels (H, W) of the named parts of a sample.

    Raises:
        ValueError: the parts have only points, and the object has no mask.
    """
    size = sample.image.shape[1:]
    seen = [name for name in sample.parts if name in names]
    mask = torch.zeros(size, dtype=torch.bool)
    if not seen:
        return mask
    if all(sample.parts[name].mask is not None for name in seen):
        for name in seen:
            mask |= sample.parts[name].mask
        return mask
    if sample.mask is None:
        raise ValueError(
            f"{sample.id} has points of parts and no mask of the object: take the masks too"
        )
    points = torch.tensor([part.point for part in sample.parts.values()])  # x, y
    rows, columns = (torch.arange(side) + 0.5 for side in size)
    away = (columns - points[:, :1])[:, None] ** 2 + (rows - points[:, 1:])[
        :, :, None
    ] ** 2  # (n, H, W)
    nearest = away.argmin(0)
    for i, name in enumerate(sample.parts):
        mask |= (nearest == i) & (name in names)
    return mask & sample.mask
