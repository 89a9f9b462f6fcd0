"""Photographs of ImageNet classes in two packages, with labels and boxes made for this project."""

import csv
from collections import defaultdict
from pathlib import Path

from .. import manifests
from ..classes import imagenet_names
from ..paths import MANIFESTS
from .image_file import ImageFile, Images

SIDES = ("x0", "y0", "x1", "y1")


def records(entry: manifests.Entry, root: Path, split: str | None) -> Images:
    """The photographs of one package, in the order of the manifest."""
    rows = _rows(MANIFESTS / "datasets" / entry["boxes"]["file"])
    frame = tuple(entry["boxes"]["frame"])
    images = [_image(root / name, rows[name], frame) for name in entry["files"]]
    return images, imagenet_names()


def _rows(path: Path) -> dict[str, list[dict[str, str]]]:
    """The rows of the table of boxes, by file."""
    rows = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row["file"]].append(row)
    return rows


def _image(path: Path, rows: list[dict[str, str]], frame: tuple[int, int]) -> ImageFile:
    first = rows[0]  # each row repeats the columns on the photograph
    boxes = tuple(tuple(float(row[side]) for side in SIDES) for row in rows)
    target = int(first["class"])
    doubted = target if first["doubtful"] == "1" else None
    return ImageFile(path, first["id"], target, boxes, frame, doubted=doubted)
