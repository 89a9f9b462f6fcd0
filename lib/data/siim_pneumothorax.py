"""SIIM-ACR Pneumothorax Segmentation (2019): radiographs, with masks of the air around a lung."""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .. import manifests
from .files import check_complete, present, read_table, reading
from .image_file import ImageFile, Images, digest_of
from .splits import part

CLASSES = ("Normal", "Pneumothorax")

Runs = tuple[tuple[int, int], ...]  # each run: pixels since the end of the last, and its length


@dataclass(frozen=True)
class Radiograph(ImageFile):
    """A radiograph with the run-length codes of its mask, one for each person or region.

    Attributes:
        runs: run-length codes down the columns, from the first column on.
    """

    runs: tuple[Runs, ...] = ()

    @property
    def annotated(self) -> frozenset[str]:
        return super().annotated | ({"mask", "boxes"} if self.runs else set())

    def silhouette(self, image: Image.Image) -> Image.Image | None:
        """The mask that joins all runs."""
        if not self.runs:
            return None
        marked = np.zeros(image.width * image.height, np.uint8)
        for runs in self.runs:
            place = 0
            for gap, length in runs:
                place += gap
                if place + length > marked.size:
                    raise ValueError(
                        f"the mask of {self.path} ends at pixel {place + length} of {marked.size}: "
                        "take the file of run lengths anew"
                    )
                marked[place : place + length] = 255
                place += length
        return Image.fromarray(np.ascontiguousarray(marked.reshape(image.width, image.height).T))

    def fingerprint(self) -> str:
        return digest_of(self.content() + json.dumps(self.runs), None)


def records(entry: manifests.Entry, root: Path, split: str) -> Images:
    """The radiographs of a split, sorted by class and then by name.

    The competition does not publish the masks of its test images, so its training images are split,
    over all classes, into 81, 9 and 10 %. This gives DiffCAM's numbers of images.
    """
    folder = present(entry, root / "dicom-images-train", root / "siim/dicom-images-train")
    codes = _codes(present(entry, folder.parent / "train-rle.csv"))
    paths = {path.stem: path for path in folder.rglob("*.dcm")}
    found = [
        Radiograph(
            paths.get(name, folder / f"{name}.dcm"), name, int(bool(codes[name])), runs=codes[name]
        )
        for name in part(codes, "pneumothorax", split)
    ]
    check_complete(entry, (image.path for image in found))
    return sorted(found, key=lambda image: (image.target, image.id)), CLASSES


def _codes(path: Path) -> dict[str, tuple[Runs, ...]]:
    """The run-length codes of each image; none, written as -1, if there is no pneumothorax."""
    found: dict[str, list[Runs]] = defaultdict(list)
    table = read_table(path, "ImageId", "EncodedPixels")
    with reading(path):
        for name, code in zip(table["ImageId"], table["EncodedPixels"].astype(str)):
            numbers = [int(one) for one in code.split()]
            if numbers == [-1]:
                found[name] += []
            elif len(numbers) % 2:
                raise ValueError(f"the code of {name} has {len(numbers)} numbers, which are pairs")
            else:
                found[name].append(tuple(zip(numbers[::2], numbers[1::2])))
    return {name: tuple(codes) for name, codes in found.items()}
