"""The splits of the protocol for weakly supervised localisation (Choe et al. 2020), in its own
folders: CUB and ImageNet with boxes, OpenImages with masks and regions to ignore."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import torch
from torch import Tensor

from .. import manifests
from ..classes import imagenet_names
from .dataset import Sample, Size
from .files import check_complete, present, reading
from .image_file import ImageFile, Images, read_mask, seen

# The folder of each dataset under `metadata` and `dataset`.
_NAMES = {"wsol_cub": "CUB", "wsol_imagenet": "ILSVRC", "wsol_openimages": "OpenImages"}
Rows = dict[str, list[list[str]]]  # the values in a list's lines, by image


@dataclass(frozen=True)
class Segmented(ImageFile):
    """An image whose object has several masks, and regions that may hold more of it.

    Attributes:
        masks: files that are bright on the object, which is their union.
        ignored: a file that is bright where the content is unknown; None if everything is known.
    """

    masks: tuple[Path, ...] = ()
    ignored: Path | None = None

    @property
    def annotated(self) -> frozenset[str]:
        return super().annotated | ({"mask"} if self.masks else set())

    def sample(self, size: Size) -> Sample:
        sample = super().sample(size)
        if not self.masks:
            return sample
        mask = reduce(torch.logical_or, (self._marked(path, size) for path in self.masks))
        ignore = (
            torch.zeros_like(mask) if self.ignored is None else self._marked(self.ignored, size)
        )
        return replace(sample, mask=mask, ignore=ignore & ~mask)

    def _marked(self, path: Path, size: Size) -> Tensor:
        """The pixels (H, W) that are not black, as in the protocol."""
        grey = read_mask(path, self.decoded()).resize(size[::-1], resample=0)  # the nearest pixel
        return torch.frombuffer(bytearray(grey.tobytes()), dtype=torch.uint8).view(size) > 0

    def fingerprint(self) -> str:
        files = [*self.masks, *([self.ignored] if self.ignored else [])]
        read = [self.content().encode(), *(seen(path, "mask") for path in files)]
        return hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in read)).hexdigest()


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The images of a split in the protocol's order."""
    name = _NAMES[entry["name"]]
    lists, home = root / "metadata" / name / split, root / "dataset" / name
    labels, ids = (_rows(entry, lists / f"{of}.txt") for of in ("class_labels", "image_ids"))
    sizes, places = (_optional(lists / f"{of}.txt") for of in ("image_sizes", "localization"))
    with reading(lists):
        images = [
            _image(home, one, int(labels[one][0][0]), sizes.get(one), places.get(one))
            for one in ids
        ]
    check_complete(entry, (image.path for image in images))
    check_complete(
        entry, (path for image in images for path in (*image.masks, image.ignored) if path)
    )
    classes = (
        imagenet_names() if name == "ILSVRC" else _folders(entry, root / "metadata" / name, split)
    )
    return images, classes


def _image(
    home: Path, name: str, target: int, sizes: list | None, places: list | None
) -> Segmented:
    image = Segmented(home / name, name, target)
    if places is None:
        return image
    if len(places[0]) == 4:
        boxes = tuple(tuple(map(float, place)) for place in places)
        width, height = map(int, sizes[0])
        return replace(image, boxes=boxes, frame=(height, width))
    ignored = [home / place[1] for place in places if place[1]]
    masks = tuple(home / place[0] for place in places)
    return replace(image, masks=masks, ignored=ignored[0] if ignored else None)


def _folders(entry: manifests.Entry, lists: Path, split: str) -> tuple[str, ...]:
    """The classes' folders in order, from the training split if there is one, as it has all."""
    of_all = lists / "train" / "class_labels.txt"
    labels = _rows(entry, of_all if of_all.is_file() else lists / split / "class_labels.txt")
    with reading(lists):
        named = {int(rows[0][0]): Path(name).parent.name for name, rows in labels.items()}
        return tuple(named[c] for c in range(len(named)))


def _rows(entry: manifests.Entry, path: Path) -> Rows:
    return _optional(present(entry, path))


def _optional(path: Path) -> Rows:
    """The lines `image,value,...` of each image; empty if there is no such file."""
    found: Rows = defaultdict(list)
    for line in path.read_text().splitlines() if path.is_file() else ():
        name, *values = line.split(",")
        found[name].append(values)
    return dict(found)
