"""Several crops of each image of a dataset, which show the same object slightly differently.

The crops of one image are not independent. They form one group, which statistics treat as one draw.
"""

import hashlib
from dataclasses import dataclass, replace

from torch import Tensor

from .dataset import Dataset, Part, Record, Sample, Size

# The place of a crop, from left (0) to right (1) and from top (0) to bottom (1).
PLACES = {
    "centre": (0.5, 0.5),
    "top_left": (0.0, 0.0),
    "top_right": (1.0, 0.0),
    "bottom_left": (0.0, 1.0),
    "bottom_right": (1.0, 1.0),
}


def crops(data: Dataset, *, side: float = 0.6) -> Dataset:
    """Six samples for each image, in one group: the whole image, its centre and its four corners.

    Boxes, masks and the points of parts are cropped too; boxes and parts outside are left out.

    Args:
        side: the side of a crop as a fraction of the image's.

    Raises:
        ValueError: `side` is not between 0 and 1.

    Example:
        >>> crops(load("imagenet_embedded", limit=1)).ids[:2]
        ('imagenet_00_243', 'imagenet_00_243:centre')
    """
    if not 0 < side < 1:
        raise ValueError(f"side is a fraction between 0 and 1, got {side}")
    records = [
        record
        for whole in data.records
        for record in (whole, *(Crop(whole, whole.target, place, side) for place in PLACES))
    ]
    return replace(data, records=tuple(records))


@dataclass(frozen=True)
class Crop:
    """A part of another record's image, with its annotations.

    Attributes:
        place: one of `PLACES`.
        side: the side of the crop as a fraction of the whole image's.
    """

    whole: Record
    target: int | None
    place: str
    side: float

    @property
    def id(self) -> str:
        return f"{self.whole.id}:{self.place}"

    @property
    def group(self) -> str:
        return getattr(self.whole, "group", None) or self.whole.id

    @property
    def doubtful(self) -> bool:
        return getattr(self.whole, "doubtful", False) and self.target == self.whole.target

    @property
    def annotated(self) -> frozenset[str]:
        return self.whole.annotated

    def sample(self, size: Size) -> Sample:
        """The crop at (height, width), cut out of the image at a larger size."""
        height, width = size
        whole = self.whole.sample((round(height / self.side), round(width / self.side)))
        x, y = PLACES[self.place]
        left = round(x * (whole.image.shape[2] - width))
        top = round(y * (whole.image.shape[1] - height))
        rows, columns = slice(top, top + height), slice(left, left + width)
        return replace(
            whole,
            image=whole.image[:, rows, columns].contiguous(),
            target=self.target,
            id=self.id,
            doubtful=self.doubtful,
            boxes=cut_boxes(whole.boxes, left, top, size),
            mask=_cut_mask(whole.mask, rows, columns),
            ignore=_cut_mask(whole.ignore, rows, columns),
            parts=_cut_parts(whole.parts, rows, columns),
        )

    def fingerprint(self) -> str:
        content = self.whole.fingerprint(), self.target, self.place, self.side
        return hashlib.sha256(repr(content).encode()).hexdigest()


def cut_boxes(boxes: Tensor | None, left: int, top: int, size: Size) -> Tensor | None:
    """The parts of the boxes (n,4) inside the crop, in its frame."""
    if boxes is None:
        return None
    height, width = size
    inside = boxes - boxes.new_tensor([left, top] * 2)
    inside[:, 0::2].clamp_(0, width)
    inside[:, 1::2].clamp_(0, height)
    return inside[(inside[:, 2:] > inside[:, :2]).all(1)]


def _cut_mask(mask: Tensor | None, rows: slice, columns: slice) -> Tensor | None:
    return None if mask is None else mask[rows, columns].contiguous()


def _cut_parts(
    parts: dict[str, Part] | None, rows: slice, columns: slice
) -> dict[str, Part] | None:
    """The parts whose point lies inside the crop."""
    if parts is None:
        return None
    return {
        name: Part(
            (x - columns.start, y - rows.start),
            _cut_mask(mask, rows, columns),
        )
        for name, ((x, y), mask) in parts.items()
        if columns.start <= x < columns.stop and rows.start <= y < rows.stop
    }
