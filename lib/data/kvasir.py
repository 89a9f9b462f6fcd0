"""Kvasir (Pogorelov et al. 2017): endoscopic images of eight classes, 1,000 of each."""

from pathlib import Path

from .. import manifests
from ..seeding import stream
from .files import present, some
from .image_file import ImageFile, Images, image_files

CLASSES = tuple(
    "dyed-lifted-polyps dyed-resection-margins esophagitis normal-cecum normal-pylorus normal-z-line "
    "polyps ulcerative-colitis".split()
)

# Opti-CAM splits 8,000 images into 6,000, 1,000 and 1,000: these eighths of each class.
_EIGHTHS = {"test": (0, 1), "val": (1, 2), "train": (2, 8)}


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The images of a split, sorted by class and then by name.

    Kvasir has no splits of its own. Each class is shuffled, seeded by its name alone, and then cut.
    """
    places = (root, root / "kvasir-dataset-v2", root / "kvasir-dataset")
    folder = next((path for path in places if (path / CLASSES[0]).exists()), root)
    images = [
        ImageFile(path, f"{name}/{path.name}", target)
        for target, name in enumerate(CLASSES)
        for path in _part(image_files(present(entry, folder / name)), name, split)
    ]
    return some(entry, images, folder), CLASSES


def _part(paths: list[Path], name: str, split: str) -> list[Path]:
    order = stream(0, name).permutation(len(paths))
    first, last = (len(paths) * eighth // 8 for eighth in _EIGHTHS[split])
    return [paths[i] for i in sorted(order[first:last])]
