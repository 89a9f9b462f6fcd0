"""Pairs of images side by side, in which the place of each object is known."""

import hashlib
from dataclasses import dataclass, replace

import torch

from .crops import cut_boxes
from .dataset import Dataset, Record, Sample, Size


def pairs(asked: Dataset, beside: Dataset) -> Dataset:
    """Each image of a dataset beside an image of another one, alternately at the left and the
    right.

    From each image, the vertical strip of half its width around the middle of its boxes is taken.
    Class, boxes and mask are those of the image from `asked`.

    Raises:
        ValueError: the datasets differ in the number or the size of their images.

    Example:
        >>> photographs = load("imagenet_embedded")
        >>> pairs(photographs[:2], photographs[2:4])[0].id
        'imagenet_00_243|imagenet_02_438'
    """
    if len(asked) != len(beside) or asked.size != beside.size:
        raise ValueError(
            f"pairs are of as many images, of one size: got {asked!r} and {beside!r}; take a subset of "
            "one, or .at(size)"
        )
    both = enumerate(zip(asked.records, beside.records))
    records = (Pair(one, other, one.target, right=i % 2 == 1) for i, (one, other) in both)
    return replace(asked, records=tuple(records))


@dataclass(frozen=True)
class Pair:
    """An image with another one beside it.

    Attributes:
        asked: the image whose class and annotations the pair has.
        right: whether `asked` is at the right.
    """

    asked: Record
    beside: Record
    target: int | None
    right: bool

    @property
    def id(self) -> str:
        return f"{self.asked.id}|{self.beside.id}"

    @property
    def group(self) -> str:
        return "|".join(getattr(one, "group", None) or one.id for one in (self.asked, self.beside))

    @property
    def doubtful(self) -> bool:
        return getattr(self.asked, "doubtful", False) and self.target == self.asked.target

    @property
    def annotated(self) -> frozenset[str]:
        return self.asked.annotated & {"boxes", "mask"}

    def half(self, size: Size) -> slice:
        """The columns of `asked` in an image at (height, width)."""
        middle = size[1] // 2
        return slice(middle, size[1]) if self.right else slice(0, middle)

    def sample(self, size: Size) -> Sample:
        """Both strips at (height, width)."""
        own = self.half(size)
        asked = _strip(self.asked.sample(size), own.stop - own.start)
        beside = _strip(self.beside.sample(size), size[1] - asked.image.shape[2])
        order = (beside, asked) if self.right else (asked, beside)
        mask = boxes = None
        if asked.boxes is not None:
            boxes = asked.boxes + asked.boxes.new_tensor([own.start, 0] * 2)
        if asked.mask is not None:
            mask = torch.zeros(size, dtype=torch.bool)
            mask[:, own] = asked.mask
        return replace(
            asked,
            image=torch.cat([one.image for one in order], 2),
            target=self.target,
            id=self.id,
            group=self.group,
            doubtful=self.doubtful,
            boxes=boxes,
            mask=mask,
            parts=None,
        )

    def fingerprint(self) -> str:
        shown = self.asked.fingerprint(), self.beside.fingerprint(), self.target, self.right
        return hashlib.sha256(repr(shown).encode()).hexdigest()


def _strip(sample: Sample, width: int) -> Sample:
    """The columns around the middle of the boxes, or of the image if there are none."""
    height, whole = sample.image.shape[1:]
    middle = whole / 2
    if sample.boxes is not None and len(sample.boxes):
        middle = (sample.boxes[:, 0].min() + sample.boxes[:, 2].max()).item() / 2
    start = min(max(round(middle - width / 2), 0), whole - width)
    columns = slice(start, start + width)
    return replace(
        sample,
        image=sample.image[:, :, columns],
        boxes=cut_boxes(sample.boxes, start, 0, (height, width)),
        mask=None if sample.mask is None else sample.mask[:, columns],
    )
