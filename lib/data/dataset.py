"""A sample, and an immutable sequence of samples at one image size."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

from torch import Tensor

from ..errors import unknown
from .coverage import covered_share

ANNOTATIONS = ("boxes", "mask", "parts", "question")  # attributes of a sample

Size = tuple[int, int]  # height, width


class Part(NamedTuple):
    """A visible part of the object.

    Attributes:
        point: x, y in pixels, such as the middle of the part.
        mask: (H,W) bool, its visible pixels; None if only the point is annotated.
    """

    point: tuple[float, float]
    mask: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """One image with its annotations, all in the frame of this image.

    Attributes:
        image: (3,H,W) float32 RGB in [0,1].
        target: class index, or None if the dataset has no classes.
        id: unique in the dataset, and independent of the dataset's folder.
        boxes: (n,4) float32 x0,y0,x1,y1 in pixels, half-open; None if not annotated.
        mask: (H,W) bool, True on the object; None if not annotated.
        ignore: (H,W) bool, True where a pixel counts neither as object nor as background; None if
            all pixels count.
        parts: the visible parts, by name; None if not annotated.
        group: the cluster of samples that are not independent, such as crops of one photograph;
            by default the sample's own id.
        question: the question about the image, if the target is its answer.
        doubtful: whether the target may be wrong, such as a similar class, or one of two that fit.
    """

    image: Tensor
    target: int | None
    id: str
    boxes: Tensor | None = None
    mask: Tensor | None = None
    parts: dict[str, Part] | None = None
    ignore: Tensor | None = None
    group: str | None = None
    question: str | None = None
    doubtful: bool = False

    def __post_init__(self) -> None:
        if self.group is None:
            object.__setattr__(self, "group", self.id)


class Record(Protocol):
    """The source of a sample: an image file, a row of a table, or a seed of a generator.

    A record is small, immutable and picklable; `sample` decodes or draws the image.

    Attributes:
        annotated: those of `ANNOTATIONS` that its sample has.
        group: the sample's group (optional); without one, or with None, it is the record's id.
        doubtful: whether the sample's target is doubtful (optional); by default it is not.
    """

    id: str
    target: int | None
    annotated: frozenset[str]

    def sample(self, size: Size) -> Sample:
        """The sample at (height, width)."""

    def fingerprint(self) -> str:
        """SHA-256 of the sample's content before it is resized, independent of its path."""


@dataclass(frozen=True, repr=False)
class Dataset(Sequence[Sample]):
    """An immutable, picklable sequence of samples, which are decoded when they are read.

    Attributes:
        name: the dataset's name in the manifests.
        records: one record per sample.
        size: (height, width) of every image.
        classes: the names of the classes, or None.

    Example:
        >>> from lib.data import load
        >>> data = load("imagenet_embedded", size=64)
        >>> data[0].image.shape
        torch.Size([3, 64, 64])
        >>> data.at(224).subset([0, 3]).ids
        ('imagenet_00_243', 'imagenet_03_990')
    """

    name: str
    records: tuple[Record, ...]
    size: Size
    classes: tuple[str, ...] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The samples' ids."""
        return tuple(record.id for record in self.records)

    @property
    def targets(self) -> tuple[int | None, ...]:
        """The samples' class indices."""
        return tuple(record.target for record in self.records)

    @property
    def groups(self) -> tuple[str, ...]:
        """The clusters of samples that are not independent; see `Sample.group`."""
        return tuple(getattr(record, "group", None) or record.id for record in self.records)

    @property
    def doubtful(self) -> tuple[bool, ...]:
        """Whether the samples' targets are doubtful; see `Sample.doubtful`."""
        return tuple(getattr(record, "doubtful", False) for record in self.records)

    @property
    def labels(self) -> tuple[str, ...]:
        """The samples' labels in figures: their classes, or their ids if they have none. A doubtful
        class has a question mark."""
        named = self.classes or ()
        rows = zip(self.targets, self.ids, self.doubtful)
        return tuple(
            named[c] + " (?)" * doubtful if named and c is not None else name
            for c, name, doubtful in rows
        )

    @cached_property
    def content(self) -> str:
        """A hash of the samples' contents, their targets and the size; nothing is decoded."""
        shown = [self.fingerprint(i) for i in range(len(self))]
        return hashlib.sha256(repr((shown, self.targets, self.size)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int | slice) -> "Sample | Dataset":
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        return self.records[index].sample(self.size)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} samples, size={self.size})"

    def at(self, size: int | Size) -> "Dataset":
        """The same samples at another size: (height, width), or one number for both."""
        return replace(self, size=as_size(size))

    def subset(self, indices: Iterable[int]) -> "Dataset":
        """The samples at these indices, in this order."""
        return replace(self, records=tuple(self.records[i] for i in indices))

    def having(self, annotation: str) -> "Dataset":
        """The samples with this annotation, one of `ANNOTATIONS`; nothing is decoded.

        Raises:
            UnknownName: there is no such annotation.

        Example:
            >>> len(load("imagenet_embedded").having("boxes"))
            120
        """
        if annotation not in ANNOTATIONS:
            raise unknown("annotation", annotation, ANNOTATIONS)
        return self._only(annotation in record.annotated for record in self.records)

    def certain(self) -> "Dataset":
        """The samples whose target is not doubtful.

        Example:
            >>> len(load("imagenet_embedded").certain())
            111
        """
        return self._only(not doubtful for doubtful in self.doubtful)

    def covered(self, at_most: float) -> "Dataset":
        """The samples whose boxes cover at most a share of the image, so that localization is
        meaningful. Samples without boxes are left out.

        A damaged image, whose boxes are unknown, stays, so that an evaluation reports it.

        Args:
            at_most: the share, in [0, 1]; where boxes overlap, their union counts.

        Raises:
            ValueError: `at_most` is not between 0 and 1.

        Example:
            >>> len(load("imagenet_embedded").covered(at_most=0.8))
            99
        """
        if not 0 <= at_most <= 1:
            raise ValueError(f"at_most is a share between 0 and 1, got {at_most}")
        boxed = self.having("boxes")
        return boxed._only(_covered_share(boxed, i) <= at_most for i in range(len(boxed)))

    def relabelled(self, targets: Iterable[int | None]) -> "Dataset":
        """The same images with other classes, such as the predicted or the least probable ones."""
        pairs = zip(self.records, targets, strict=True)
        return replace(self, records=tuple(replace(record, target=c) for record, c in pairs))

    def readable(self, n: int | None = None) -> "Dataset":
        """The samples that can be decoded, or the first n of them; for figures, which cannot show
        damaged images."""
        found = []
        for index in range(len(self)):
            if len(found) == n:
                break
            try:
                self[index]
            except ValueError:
                continue
            found.append(index)
        return self if len(found) == len(self) else self.subset(found)

    def _only(self, wanted: Iterable[bool]) -> "Dataset":
        """The samples for which `wanted` is True."""
        found = [index for index, one in enumerate(wanted) if one]
        return self if len(found) == len(self) else self.subset(found)

    def fingerprint(self, index: int) -> str:
        """SHA-256 (hexadecimal) of one sample's content, independent of its size and path."""
        return self.records[index].fingerprint()


def _covered_share(data: Dataset, index: int) -> float:
    """The share of an image that its boxes cover; 0 if it cannot be decoded."""
    try:
        sample = data[index]
    except ValueError:
        return 0.0
    return covered_share(sample.boxes, data.size)


def as_size(size: int | Size) -> Size:
    """(height, width) from one positive integer or a pair of them; otherwise a ValueError."""
    pair = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(map(_is_side, pair)):
        raise ValueError(f"size is a positive integer or a pair (height, width), got {size!r}")
    return pair


def _is_side(side: object) -> bool:
    return isinstance(side, int) and not isinstance(side, bool) and side > 0
