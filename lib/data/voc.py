"""PASCAL VOC 2007: one sample for each class that an image shows.

Objects marked difficult are left out, as in the challenge's own evaluation. If an image shows only
such objects of a class, there is no sample for it.
"""

from collections import defaultdict
from pathlib import Path

from .. import manifests
from ..checks import check_choice
from .files import check_complete, present, reading
from .image_file import Box, ImageFile, Images, by_class, voc_objects

CLASSES = tuple(
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor".split()
)


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The (image, class) pairs of a split, sorted by class and then by image."""
    lists = present(
        entry,
        root / "VOCdevkit/VOC2007/ImageSets/Main",
        root / "VOC2007/ImageSets/Main",
        root / "ImageSets/Main",
    )
    names = present(entry, lists / f"{split}.txt").read_text().split()
    images, annotations = (lists.parents[1] / name for name in ("JPEGImages", "Annotations"))
    check_complete(entry, (images / f"{name}.jpg" for name in names))
    check_complete(entry, (annotations / f"{name}.xml" for name in names))
    samples = [
        ImageFile(
            images / f"{name}.jpg", f"{name}:{CLASSES[target]}", target, tuple(boxes), group=name
        )
        for name in names
        for target, boxes in _boxes_by_class(annotations / f"{name}.xml").items()
    ]
    return by_class(samples), CLASSES


def _boxes_by_class(path: Path) -> dict[int, list[Box]]:
    """The boxes of an annotation file by class index, without difficult ones.

    VOC's coordinates, which begin at 1 and include the last pixel, become half-open ones.
    """
    boxes = defaultdict(list)
    with reading(path):
        for thing, (x0, y0, x1, y1) in voc_objects(path):
            name = thing.findtext("name")
            if thing.findtext("difficult") != "1":
                check_choice("class", name, CLASSES)
                boxes[CLASSES.index(name)].append((x0 - 1, y0 - 1, x1, y1))
    return boxes
