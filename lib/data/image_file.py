"""Samples that are read from image files."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ..boxes import tight_box
from .dataset import Sample, Size
from .files import opening
from .pixels import departs, to_grey, to_rgb


def _readable_suffixes() -> frozenset[str]:
    """The file suffixes that Pillow can read, with its plugins, and those of DICOM."""
    of_format = Image.registered_extensions().items()
    images = (
        suffix
        for suffix, name in of_format
        if name in Image.OPEN and Image.MIME.get(name, "").startswith("image/")
    )
    return frozenset({*images, ".dcm"})


SUFFIXES = _readable_suffixes()  # the first frame of an animation is read

MAJORITY = 128  # a mask's grey value may be the share of people who marked the pixel

Box = tuple[float, float, float, float]  # x0, y0, x1, y1, half-open
Images = tuple[list["ImageFile"], tuple[str, ...] | None]  # and the names of the classes


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file with its class, boxes and mask.

    Boxes and masks are in the frame of the stored pixels, as in the published datasets. The
    camera's orientation tag is ignored.

    Attributes:
        boxes: in the coordinates of `frame`; None with a mask is the tight box of the mask.
        frame: (height, width) in which the boxes are given; None for the image's own size.
        annotation: a Pascal VOC file that is read with the image, in place of `boxes`.
        group, question: as in `Sample`.
        mask: the file of the object's silhouette, bright on the object; None if there is none.
        doubted: the class that is doubtful for this image; not part of the content.
    """

    path: Path
    id: str
    target: int | None = None
    boxes: tuple[Box, ...] | None = None
    frame: Size | None = None
    annotation: Path | None = None
    group: str | None = None
    question: str | None = None
    mask: Path | None = None
    doubted: int | None = None

    @property
    def doubtful(self) -> bool:
        return self.doubted is not None and self.target == self.doubted

    @property
    def annotated(self) -> frozenset[str]:
        given = {
            "boxes": self.boxes is not None or self.annotation or self.mask,
            "mask": self.mask,
            "question": self.question is not None,
        }
        return frozenset(name for name, there in given.items() if there)

    def sample(self, size: Size) -> Sample:
        """The sample at (height, width): the decoded file, resized without cropping."""
        image = self.decoded()
        silhouette = self.silhouette(image)
        return Sample(
            to_tensor(image, size),
            self.target,
            self.id,
            self._boxes(image, silhouette, size),
            None if silhouette is None else _mask(silhouette, size),
            group=self.group,
            question=self.question,
            doubtful=self.doubtful,
        )

    def decoded(self) -> Image.Image:
        """The image in the frame of its annotations."""
        return decode(self.path)

    def silhouette(self, image: Image.Image) -> Image.Image | None:
        """The mask in grey, in the shape of the decoded image but perhaps at another size."""
        return None if self.mask is None else read_mask(self.mask, image)

    def fingerprint(self) -> str:
        return self.content() if self.mask is None else digest_of(self.content(), self.mask)

    def content(self) -> str:
        """The content on which the fingerprint depends, without the mask."""
        digest = hashlib.sha256(seen(self.path))
        annotations = [self.target, self._read_boxes(), self.frame, self.question]
        digest.update(json.dumps(annotations).encode())
        return digest.hexdigest()

    def _boxes(self, image: Image.Image, silhouette: Image.Image | None, size: Size):
        """The boxes (n,4) in the pixels of an image of `size`, or None."""
        boxes = self._read_boxes()
        if boxes is not None:
            return scale(boxes, self.frame or (image.height, image.width), size)
        if silhouette is None:
            return None
        box = tight_box(np.array(silhouette) >= MAJORITY)
        empty = box[0] == box[2]
        return scale(() if empty else (box,), (silhouette.height, silhouette.width), size)

    def _read_boxes(self) -> tuple[Box, ...] | None:
        return self.boxes if self.annotation is None else voc_boxes(self.annotation)


def image_files(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted; hidden files are left out."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."
    )


def by_class(images: list[ImageFile]) -> list[ImageFile]:
    """The images sorted by class and then by name: the same order for every folder layout."""
    return sorted(images, key=lambda image: (image.target, image.id))


def decode(path: Path, *, upright: bool = False) -> Image.Image:
    """The file as an RGB image, converted by `to_rgb`.

    Args:
        upright: whether to turn it by the orientation in the file, as viewers do.

    Raises:
        ValueError: the file is truncated, not an image, or missing; the message names it.
    """
    if path.suffix.lower() == ".dcm":
        from .dicom import decode_dicom  # which loads pydicom

        return decode_dicom(path).convert("RGB")
    return to_rgb(_opened(path, "image", upright), f"the image {path}")


def read_mask(path: Path, image: Image.Image, *, upright: bool = False) -> Image.Image:
    """A mask file in grey.

    Args:
        image: the decoded image to which the mask belongs.
        upright: as for `decode`.

    Raises:
        ValueError: the mask is damaged or has another shape; the message names it.
    """
    grey = to_grey(_opened(path, "mask", upright), f"the mask {path}")
    if not _alike(grey.size, image.size):
        raise ValueError(
            f"the mask {path} is {_shape(grey)} and its image {_shape(image)}, of another shape: "
            "give a mask of the whole image, at its size"
        )
    return grey


def seen(path: Path, what: str = "image") -> bytes:
    """The bytes of a file, and how its pixels are read if that differs from Pillow's conversion."""
    with opening(path, what) as file:
        content = file.read()
    how = ""
    # Errors of Pillow's decoders are reported when the pixels are read.
    with suppress(Exception), Image.open(BytesIO(content)) as image:
        how = departs(image)
    return content + how.encode()


def _opened(path: Path, what: str, upright: bool) -> Image.Image:
    """The image with loaded pixels, in the mode of the file."""
    # Given a file name, Pillow maps some files into memory, and garbles TIFFs that are turned.
    with opening(path, what) as file:
        try:
            image = Image.open(file)
        except UnidentifiedImageError:
            raise ValueError("it is no image that Pillow knows") from None
        image.load()
        if upright:
            ImageOps.exif_transpose(image, in_place=True)
        return image


def _alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one size is the other one scaled, up to a pixel of the smaller."""
    (w, h), (width, height) = sorted((one, other))
    return min(abs(w * height / width - h), abs(h * width / height - w)) <= 1


def _shape(image: Image.Image) -> str:
    return f"{image.width} x {image.height} pixels"


def _mask(silhouette: Image.Image, size: Size) -> Tensor:
    """The pixels (H,W) that the majority of annotators marked as the object's."""
    grey = silhouette.resize(size[::-1], Image.Resampling.NEAREST)
    return torch.from_numpy(np.array(grey) >= MAJORITY)


def digest_of(content: str, mask: Path | None) -> str:
    """SHA-256 of a description of the content, and of a mask's file."""
    return hashlib.sha256(content.encode() + (seen(mask, "mask") if mask else b"")).hexdigest()


def to_tensor(image: Image.Image, size: Size) -> Tensor:
    """An RGB image resized to (height, width), as (3,H,W) float32 in [0,1]."""
    height, width = size
    pixels = np.array(image.resize((width, height), Image.Resampling.BICUBIC))  # (H,W,3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous().float() / 255  # (3,H,W)


def scale(boxes: tuple[Box, ...], frame: Size, size: Size) -> Tensor:
    """Boxes given in `frame`, in the pixels of an image of `size`: (n,4) float32."""
    factor = torch.tensor([size[1] / frame[1], size[0] / frame[0]] * 2)  # x, y, x, y
    return torch.tensor(boxes).reshape(-1, 4) * factor


def voc_objects(path: Path | BinaryIO) -> Iterator[tuple[ElementTree.Element, Box]]:
    """The objects of a Pascal VOC file, with their boxes as it gives them."""
    for thing in ElementTree.parse(path).iterfind("object"):
        sides = (thing.findtext(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
        yield thing, tuple(map(float, sides))


def voc_boxes(path: Path) -> tuple[Box, ...]:
    """The boxes of a Pascal VOC file, as it gives them; a ValueError names a malformed file."""
    with opening(path, "annotation", "take the file anew") as file:
        return tuple(box for _, box in voc_objects(file))
