"""COCO 2014: one sample for each class that an image shows.

Crowds, whose box holds many objects of a class and much between them, are left out. If an image
shows only crowds of a class, there is no sample for it.
"""

from collections import defaultdict
from pathlib import Path

from .. import manifests
from .files import check_complete, present, read_json, reading
from .image_file import Box, ImageFile, Images, by_class

N_CLASSES = 80


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The (image, class) pairs of a split, sorted by class and then by image."""
    path = present(entry, root / f"annotations/instances_{split}2014.json")
    folder = present(entry, root / f"{split}2014", root / f"images/{split}2014")
    with reading(path):
        instances = read_json(path, leave_out="segmentation")
        classes = _classes(instances["categories"])
        boxes = _boxes(instances["annotations"], {c: i for i, c in enumerate(classes)})
        files = {image["id"]: folder / image["file_name"] for image in instances["images"]}
        shown = {image: files[image] for image, _ in boxes}
    check_complete(entry, shown.values())
    names = tuple(classes.values())
    samples = [
        _sample(shown[image], target, names[target], boxes_of_class)
        for (image, target), boxes_of_class in boxes.items()
    ]
    return by_class(samples), names


def _sample(file: Path, target: int, name: str, boxes: list[Box]) -> ImageFile:
    image = file.stem
    return ImageFile(file, f"{image}:{name}", target, tuple(boxes), group=image)


def _classes(categories: list[dict]) -> dict[int, str]:
    """The class names by category id (1 to 90, with gaps), in the order of the ids."""
    names = {category["id"]: category["name"] for category in categories}
    if len(names) != N_CLASSES:
        raise ValueError(f"{len(names)} categories instead of COCO's {N_CLASSES}")
    return dict(sorted(names.items()))


def _boxes(annotations: list[dict], indices: dict[int, int]) -> dict[tuple[int, int], list[Box]]:
    """The boxes by (image id, class index), without crowds."""
    boxes = defaultdict(list)
    for annotation in annotations:
        if not annotation["iscrowd"]:
            x, y, width, height = annotation["bbox"]
            pair = annotation["image_id"], indices[annotation["category_id"]]
            boxes[pair].append((x, y, x + width, y + height))
    return boxes
