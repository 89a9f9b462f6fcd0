"""PASCAL VOC 2007: a sample for each class that an image shows.

Objects marked difficult are left out, as the challenge's own evaluation does: a class of which an
image shows only such objects makes no sample.
"""

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from .. import manifests
from ..errors import unknown
from .files import check_complete, present, reading
from .image_file import Box, ImageFile

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)


def records(
    entry: manifests.Entry, root: str | Path | None, split: str
) -> tuple[list[ImageFile], tuple[str, ...]]:
    """The (image, class) pairs of a split, sorted by class and then by image."""
    root = manifests.find(entry, root)
    lists = present(
        entry,
        root / "VOCdevkit/VOC2007/ImageSets/Main",
        root / "VOC2007/ImageSets/Main",
        root / "ImageSets/Main",
    )
    names = present(entry, lists / f"{split}.txt").read_text().split()
    images, annotations = (lists.parents[1] / name for name in ("JPEGImages", "Annotations"))
    check_complete(entry, images, (f"{name}.jpg" for name in names))
    check_complete(entry, annotations, (f"{name}.xml" for name in names))
    samples = [
        ImageFile(
            images / f"{name}.jpg", f"{name}:{CLASSES[target]}", target, tuple(boxes), group=name
        )
        for name in names
        for target, boxes in _boxes_by_class(annotations / f"{name}.xml").items()
    ]
    return sorted(samples, key=lambda sample: (sample.target, sample.id)), CLASSES


def _boxes_by_class(path: Path) -> dict[int, list[Box]]:
    """The boxes of an annotation file by class index, but for difficult ones."""
    boxes = defaultdict(list)
    with reading(path):
        for thing in ElementTree.parse(path).iterfind("object"):
            if thing.findtext("difficult") != "1":
                boxes[_target(thing)].append(_box(thing))
    return boxes


def _target(thing: ElementTree.Element) -> int:
    name = thing.findtext("name")
    if name not in CLASSES:
        raise unknown("class", name, CLASSES)
    return CLASSES.index(name)


def _box(thing: ElementTree.Element) -> Box:
    """From VOC's coordinates, which begin at 1 and include the last pixel, to half-open ones."""
    x0, y0, x1, y1 = (
        float(thing.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    return x0 - 1, y0 - 1, x1, y1
