"""RSNA Pneumonia Detection Challenge (Shih et al. 2019): radiographs, with boxes around pneumonia."""

from collections import defaultdict
from pathlib import Path

from .. import manifests
from .files import check_complete, present, read_table
from .image_file import Box, ImageFile, Images
from .splits import part

CLASSES = ("Normal", "Pneumonia")

# Images that the dataset itself labels as neither class are left out, as in DiffCAM: 14,863 of
# 26,684 stay.
_TARGETS = {"Normal": 0, "Lung Opacity": 1}


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The radiographs of a split, sorted by class and then by name.

    The challenge does not publish the annotations of its test images, so its training images are
    split, separately by class, into 81, 9 and 10 %. This gives exactly DiffCAM's numbers of images
    in both classes.
    """
    images = present(entry, root / "stage_2_train_images", root / "rsna/stage_2_train_images")
    info = present(entry, images.parent / "stage_2_detailed_class_info.csv")
    classes = read_table(info, "patientId", "class")
    known = dict(zip(classes["patientId"], classes["class"]))
    boxes = _boxes(present(entry, images.parent / "stage_2_train_labels.csv"))
    found = [
        ImageFile(images / f"{name}.dcm", name, target, boxes=boxes.get(name))
        for kind, target in _TARGETS.items()
        for name in part([one for one, of in known.items() if of == kind], kind, split)
    ]
    check_complete(entry, (image.path for image in found))
    return found, CLASSES


def _boxes(path: Path) -> dict[str, tuple[Box, ...]]:
    """The boxes of each image that has any; one box per row."""
    labels = read_table(path, "patientId", "x", "y", "width", "height", "Target")
    found = defaultdict(list)
    for row in labels[labels["Target"] == 1].itertuples():
        found[row.patientId].append((row.x, row.y, row.x + row.width, row.y + row.height))
    return {name: tuple(boxes) for name, boxes in found.items()}
