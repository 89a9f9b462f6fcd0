"""ImageNet (ILSVRC2012): its two annotated sets in the layouts that circulate."""

import csv
from collections.abc import Iterator
from pathlib import Path

from .. import manifests
from ..classes import imagenet_indices, imagenet_names
from .files import present, some
from .image_file import Box, ImageFile, Images, by_class, image_files

SOLUTION = "LOC_val_solution.csv"
Solution = dict[str, tuple[int, tuple[Box, ...]]]  # class and boxes by image


def records(entry: manifests.Entry, root: Path, split: str | None) -> Images:
    """The images of a split, sorted by class and then by name, the same order for every layout.

    Training images are read without their boxes, which only some of them have.
    """
    if split == "train":
        return by_class(_training_images(entry, root)), imagenet_names()
    solution = _read_solution(root)
    annotations = _annotation_files(root)
    images = [
        _image(path, target, solution, annotations)
        for path, target in _labelled_files(root, solution)
    ]
    return by_class(some(entry, images, root)), imagenet_names()


def _training_images(entry: manifests.Entry, root: Path) -> list[ImageFile]:
    parent = present(entry, root / "train", root / "ILSVRC/Data/CLS-LOC/train")
    images = [
        ImageFile(path, path.stem, target) for path, target in _class_files(_class_folders(parent))
    ]
    return some(entry, images, parent)


def _image(path: Path, target: int, solution: Solution, annotations: dict[str, Path]) -> ImageFile:
    if path.stem in solution:
        return ImageFile(path, path.stem, target, boxes=solution[path.stem][1])
    return ImageFile(path, path.stem, target, annotation=annotations.get(path.stem))


def _labelled_files(root: Path, solution: Solution) -> Iterator[tuple[Path, int]]:
    for parent in (root / "val", root):
        if folders := _class_folders(parent):
            return _class_files(folders)
    return _flat_files(root, solution)


def _class_folders(parent: Path) -> list[Path]:
    return [parent / wnid for wnid in imagenet_indices() if (parent / wnid).is_dir()]


def _class_files(folders: list[Path]) -> Iterator[tuple[Path, int]]:
    for folder in folders:
        for path in image_files(folder):
            yield path, imagenet_indices()[folder.name]


def _flat_files(root: Path, solution: Solution) -> Iterator[tuple[Path, int]]:
    for folder in filter(Path.is_dir, (root / "ILSVRC/Data/CLS-LOC/val", root / "val")):
        for path in image_files(folder):
            if path.stem not in solution:
                raise FileNotFoundError(
                    f"no class for {path}: {root / SOLUTION} is missing or does not list it; take "
                    "it from the Kaggle competition imagenet-object-localization-challenge"
                )
            yield path, solution[path.stem][0]


def _read_solution(root: Path) -> Solution:
    """Kaggle's table of classes and boxes; empty if there is none."""
    path = root / SOLUTION
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        return {row["ImageId"]: _parse_prediction(row, path) for row in csv.DictReader(file)}


def _parse_prediction(row: dict[str, str], path: Path) -> tuple[int, tuple[Box, ...]]:
    try:
        words = row["PredictionString"].split()  # wnid x0 y0 x1 y1, once per object
        objects = [words[i : i + 5] for i in range(0, len(words), 5)]
        boxes = tuple((float(x0), float(y0), float(x1), float(y1)) for _, x0, y0, x1, y1 in objects)
        return imagenet_indices()[words[0]], boxes
    except (KeyError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: cannot read the row {row}; take the file anew") from error


def _annotation_files(root: Path) -> dict[str, Path]:
    """Pascal VOC files by image; empty if there are none."""
    for folder in (root / "Annotations/CLS-LOC/val", root / "ILSVRC/Annotations/CLS-LOC/val"):
        if folder.is_dir():
            return {path.stem: path for path in folder.glob("*.xml")}
    return {}
