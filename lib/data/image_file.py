"""Samples that are read from image files."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from .dataset import Sample, Size
from .files import reading

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

Box = tuple[float, float, float, float]  # x0, y0, x1, y1, half-open
Images = tuple[list["ImageFile"], tuple[str, ...] | None]  # and the names of the classes


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file with its class and boxes.

    Attributes:
        boxes: in the coordinates of `frame`, or None.
        frame: (height, width) in which the boxes are given; None is the image's own.
        annotation: a Pascal VOC file that is read with the image, in place of `boxes`.
        group, question: as in `Sample`.
    """

    path: Path
    id: str
    target: int | None = None
    boxes: tuple[Box, ...] | None = None
    frame: Size | None = None
    annotation: Path | None = None
    group: str | None = None
    question: str | None = None

    def sample(self, size: Size) -> Sample:
        """Decode the file and resize it to (height, width), without cropping."""
        image = decode(self.path)
        boxes = self._read_boxes()
        if boxes is not None:
            boxes = scale(boxes, self.frame or (image.height, image.width), size)
        return Sample(
            to_tensor(image, size),
            self.target,
            self.id,
            boxes,
            group=self.group,
            question=self.question,
        )

    def fingerprint(self) -> str:
        digest = hashlib.sha256(self.path.read_bytes())
        annotations = [self.target, self._read_boxes(), self.frame, self.question]
        digest.update(json.dumps(annotations).encode())
        return digest.hexdigest()

    def _read_boxes(self) -> tuple[Box, ...] | None:
        return self.boxes if self.annotation is None else voc_boxes(self.annotation)


def image_files(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted; hidden files are left out."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."
    )


def by_class(images: list[ImageFile]) -> list[ImageFile]:
    """Sorted by class and then by name, so in one order in every layout."""
    return sorted(images, key=lambda image: (image.target, image.id))


def decode(path: Path) -> Image.Image:
    """The file as an RGB image; a ValueError names a file that is truncated or no image."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except FileNotFoundError:
        raise
    # Pillow's decoders raise all of these on damaged files.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot read the image {path}: {error}; replace or remove it") from error


def to_tensor(image: Image.Image, size: Size) -> Tensor:
    """An RGB image resized to (height, width), as (3,H,W) float32 in [0,1]."""
    height, width = size
    pixels = np.array(image.resize((width, height), Image.Resampling.BICUBIC))  # (H,W,3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float() / 255  # (3,H,W)


def scale(boxes: tuple[Box, ...], frame: Size, size: Size) -> Tensor:
    """Boxes given in `frame`, in the pixels of an image of `size`: (n,4) float32."""
    factor = torch.tensor([size[1] / frame[1], size[0] / frame[0]] * 2)  # x, y, x, y
    return torch.tensor(boxes).reshape(-1, 4) * factor


def voc_objects(path: Path) -> Iterator[tuple[ElementTree.Element, Box]]:
    """The objects of a Pascal VOC file, with their boxes as it gives them."""
    for thing in ElementTree.parse(path).iterfind("object"):
        sides = (thing.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
        yield thing, tuple(map(float, sides))


def voc_boxes(path: Path) -> tuple[Box, ...]:
    """The boxes of a Pascal VOC file, as it gives them; a ValueError names a malformed file."""
    with reading(path):
        return tuple(box for _, box in voc_objects(path))
