"""Caltech-UCSD Birds-200-2011: 200 species of birds, with boxes, masks and the points of parts."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .. import manifests
from .dataset import Part, Sample, Size
from .files import check_complete, present, reading
from .image_file import Box, ImageFile, Images

Point = tuple[float, float]

_IN_TRAINING = {"test": "0", "train": "1"}
_MAJORITY = 128  # a mask's grey value is the share of five people who marked the pixel


@dataclass(frozen=True)
class Photograph(ImageFile):
    """A photograph of a bird.

    Attributes:
        points: the visible parts, in pixels of the file.
        mask: the file of its silhouette; None where there is none.
    """

    points: tuple[tuple[str, Point], ...] = ()
    mask: Path | None = None

    def sample(self, size: Size) -> Sample:
        with Image.open(self.path) as image:
            across, down = size[1] / image.width, size[0] / image.height
        parts = {name: Part((x * across, y * down)) for name, (x, y) in self.points}
        mask = None if self.mask is None else _silhouette(self.mask, size)
        return replace(super().sample(size), parts=parts, mask=mask)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint().encode())
        digest.update(json.dumps(self.points).encode())
        digest.update(b"" if self.mask is None else self.mask.read_bytes())
        return digest.hexdigest()


def _silhouette(path: Path, size: Size) -> Tensor:
    """The pixels (H,W) that most people marked as the bird's."""
    try:
        with Image.open(path) as image:
            grey = image.convert("L").resize(size[::-1], Image.Resampling.NEAREST)
    except OSError as error:
        raise ValueError(f"cannot read the mask {path}: {error}; replace or remove it") from error
    return torch.from_numpy(np.array(grey) >= _MAJORITY)


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The photographs of a split, in the dataset's own order, which is by class."""
    home = present(entry, root / "CUB_200_2011/images.txt", root / "images.txt").parent
    names, classes, targets, in_training, boxes = (_table(entry, home / file) for file in _TABLES)
    masks = next(filter(Path.is_dir, (home / "segmentations", home.parent / "segmentations")), None)
    points = _points(entry, home)
    with reading(home):
        photographs = [
            Photograph(
                home / "images" / name,
                name.removesuffix(".jpg"),
                int(targets[image]) - 1,
                boxes=(_box(boxes[image]),),
                points=tuple(points.get(image, {}).items()),
                mask=None if masks is None else (masks / name).with_suffix(".png"),
            )
            for image, name in names.items()
            if in_training[image] == _IN_TRAINING[split]
        ]
    check_complete(entry, (photograph.path for photograph in photographs))
    return photographs, tuple(map(_readable, classes.values()))


_TABLES = (
    "images.txt",
    "classes.txt",
    "image_class_labels.txt",
    "train_test_split.txt",
    "bounding_boxes.txt",
)


def _table(entry: manifests.Entry, path: Path) -> dict[str, str]:
    """What each line says of an image, a class or a part, by its number."""
    lines = present(entry, path).read_text().splitlines()
    return {number: value for number, _, value in (line.partition(" ") for line in lines)}


def _points(entry: manifests.Entry, home: Path) -> dict[str, dict[str, Point]]:
    """The points of the visible parts of each image, by the part's name."""
    parts = _table(entry, home / "parts/parts.txt")
    path = present(entry, home / "parts/part_locs.txt")
    points: dict[str, dict[str, Point]] = defaultdict(dict)
    with reading(path):
        for line in path.read_text().splitlines():
            image, part, x, y, visible = line.split()
            if visible == "1":
                points[image][parts[part].replace(" ", "_")] = (float(x), float(y))
    return points


def _box(values: str) -> Box:
    x, y, width, height = map(float, values.split())
    return x, y, x + width, y + height


def _readable(name: str) -> str:
    """ "Black footed Albatross" from "001.Black_footed_Albatross"."""
    return name.partition(".")[2].replace("_", " ")
