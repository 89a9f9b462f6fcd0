"""The 20 photographs of ImageNet classes in the foolbox package, with boxes of our own."""

import csv
from collections import defaultdict
from pathlib import Path

from .. import manifests
from ..classes import imagenet_names
from ..paths import MANIFESTS
from .image_file import Box, ImageFile, Images


def records(entry: manifests.Entry, root: Path, split: str | None) -> Images:
    """The photographs in the order of the manifest."""
    boxes = _read_boxes(MANIFESTS / "datasets" / entry["boxes"]["file"])
    frame = tuple(entry["boxes"]["frame"])
    images = [
        ImageFile(root / name, Path(name).stem, _target(name), tuple(boxes[name]), frame)
        for name in entry["files"]
    ]
    return images, imagenet_names()


def _target(name: str) -> int:
    return int(Path(name).stem.rpartition("_")[2])  # imagenet_<number>_<class index>.jpg


def _read_boxes(path: Path) -> dict[str, list[Box]]:
    boxes = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["image"]].append(tuple(float(row[side]) for side in ("x0", "y0", "x1", "y1")))
    return boxes
