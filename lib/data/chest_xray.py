"""Chest X-ray (Kermany et al. 2018): children's radiographs, normal or with pneumonia."""

from pathlib import Path

from .. import manifests
from .files import present, some
from .image_file import ImageFile, Images, image_files

CLASSES = ("NORMAL", "PNEUMONIA")


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The images of a split, sorted by class and then by name.

    The names of pneumonia files begin with the person; the files of one person are one group.
    """
    folder = present(entry, root / "chest_xray" / split, root / split)
    images = [
        ImageFile(path, f"{split}/{name}/{path.name}", target, group=_person(path.stem))
        for target, name in enumerate(CLASSES)
        for path in image_files(present(entry, folder / name))
    ]
    return some(entry, images, folder), CLASSES


def _person(stem: str) -> str | None:
    """ "person3" for person3_virus_15; None if the name has no person."""
    person = stem.split("_")[0]
    return person if person.startswith("person") else None
