"""Caltech-UCSD Birds-200-2011: 200 species of birds, with boxes, masks and the points of parts."""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from .. import manifests
from .dataset import Part, Sample, Size
from .files import check_complete, opening, present, reading
from .image_file import Box, ImageFile, Images, digest_of

Point = tuple[float, float]

_IN_TRAINING = {"test": "0", "train": "1"}


@dataclass(frozen=True)
class Photograph(ImageFile):
    """A photograph of a bird, with its silhouette.

    Attributes:
        points: the visible parts, in pixels of the file.
    """

    points: tuple[tuple[str, Point], ...] = ()

    @property
    def annotated(self) -> frozenset[str]:
        return super().annotated | {"parts"}

    def sample(self, size: Size) -> Sample:
        sample = super().sample(size)  # first: it names a file that cannot be read
        with opening(self.path, "image") as file, Image.open(file) as image:
            across, down = size[1] / image.width, size[0] / image.height
        parts = {name: Part((x * across, y * down)) for name, (x, y) in self.points}
        return replace(sample, parts=parts)

    def fingerprint(self) -> str:
        return digest_of(self.content() + json.dumps(self.points), self.mask)


# The groups of attributes that describe each part; "has_crown_color::red" is in "crown_color".
LOOKS = {
    "back": ("back_color", "back_pattern"),
    "beak": ("bill_shape", "bill_length", "bill_color"),
    "belly": ("belly_color", "belly_pattern"),
    "breast": ("breast_color", "breast_pattern"),
    "crown": ("crown_color",),
    "forehead": ("forehead_color",),
    "left_eye": ("eye_color",),
    "left_leg": ("leg_color",),
    "left_wing": ("wing_color", "wing_shape", "wing_pattern"),
    "nape": ("nape_color",),
    "right_eye": ("eye_color",),
    "right_leg": ("leg_color",),
    "right_wing": ("wing_color", "wing_shape", "wing_pattern"),
    "tail": ("upper_tail_color", "under_tail_color", "tail_shape", "tail_pattern"),
    "throat": ("throat_color",),
}


def part_attributes(root: str | Path | None = None) -> dict[int, dict[str, str]]:
    """The look of each species, by class and part.

    In each group of attributes, a species has the one that annotators marked most often on its
    images; ties go to the first.

    Args:
        root: as for `data.load`.

    Raises:
        FileNotFoundError: the lists of attributes are missing.
        ValueError: the lists are malformed.

    Example:
        >>> part_attributes()[0]["crown"]
        'brown'
    """
    entry = manifests.read("datasets")["cub"]
    root = manifests.locate(entry, root)
    home = present(entry, root / "CUB_200_2011/images.txt", root / "images.txt").parent
    lists = "attributes.txt", "attributes/attributes.txt"
    names = present(entry, home.parent / lists[0], *(home / file for file in lists))
    seen = present(entry, home / "attributes/class_attribute_labels_continuous.txt")
    groups: dict[str, dict[str, int]] = defaultdict(dict)  # the column of each attribute
    with reading(names):
        for number, name in _table(entry, names).items():
            group, _, attribute = name.removeprefix("has_").partition("::")
            groups[group][attribute] = int(number) - 1
        for group in (group for of_part in LOOKS.values() for group in of_part):
            if group not in groups:
                raise ValueError(f"no attribute has_{group}::...")
    with reading(seen):
        table = np.loadtxt(seen, ndmin=2)  # (species, attributes), in per cent
        width = sum(map(len, groups.values()))
        if table.shape[1] != width:
            raise ValueError(f"{table.shape[1]} numbers a line for {width} attributes")
    often = [{g: max(of, key=lambda a: row[of[a]]) for g, of in groups.items()} for row in table]
    return {
        species: {part: ", ".join(look[group] for group in of) for part, of in LOOKS.items()}
        for species, look in enumerate(often)
    }


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
    """The value in each line of a list, by the number of its image, class or part."""
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
