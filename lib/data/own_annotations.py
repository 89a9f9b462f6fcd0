"""A user's annotations of a folder of images: boxes in a table, and masks as images."""

import csv
import math
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from io import StringIO
from pathlib import Path, PurePosixPath

from .files import opening
from .image_file import SUFFIXES, Box

TABLE, MASKS = "boxes.csv", "masks"
_SIDES = ("x0", "y0", "x1", "y1")
_COLUMNS = ("image", *_SIDES)


def read_boxes(root: Path, images: Iterable[str]) -> dict[str, tuple[Box, ...]]:
    """The boxes of each image that `root/boxes.csv` lists; empty if there is no table.

    Its columns are image, x0, y0, x1, y1: the path of an image from root, and a half-open box in
    pixels of the upright image. An image has one row per box.

    Args:
        images: the paths of all images from root.

    Raises:
        ValueError: a column is missing, a side is not a number, a box is empty, or an image does
            not exist; the message names the line.
    """
    path, boxes, images = root / TABLE, defaultdict(list), list(images)
    if not path.exists() and not path.is_symlink():  # a link to nothing is an error
        return {}
    with opening(path, "table") as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")  # as spreadsheets write it
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not in UTF-8 ({error}): save it so") from error
    rows = csv.DictReader(StringIO(text, newline=""), skipinitialspace=True)
    _check_columns(path, rows.fieldnames or ())
    known = set(images)
    for row in rows:
        place = f"{path}, line {rows.line_num}"
        image = PurePosixPath((row["image"] or "").replace("\\", "/")).as_posix()
        if image not in known:
            raise _no_image(place, row["image"], images)
        boxes[image].append(_box(place, row))
    return {image: tuple(found) for image, found in boxes.items()}


def find_masks(root: Path, images: Iterable[str]) -> dict[str, Path]:
    """The mask of each image that has one at `root/masks/<its path>`, with any image suffix.

    Args:
        images: the paths of all images from root.

    Raises:
        ValueError: a mask belongs to no image.
    """
    folder = root / MASKS
    if not folder.is_dir():
        return {}
    masks = {
        _stem(path.relative_to(folder).as_posix()): path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.name[0] != "."
    }
    found = {image: masks[_stem(image)] for image in images if _stem(image) in masks}
    for path in masks.values():
        if path not in found.values():
            raise ValueError(
                f"{path} is the mask of no image in {root}: give it the path and name of its "
                f"image, or rename the folder if {MASKS!r} is one of your classes"
            )
    return found


def _stem(image: str) -> str:
    return PurePosixPath(image).with_suffix("").as_posix()


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    for column in _COLUMNS:
        if column not in columns:
            raise ValueError(
                f"{path} has no column {column!r}: its first line must be {','.join(_COLUMNS)}"
            )


def _no_image(place: str, name: str | None, images: list[str]) -> ValueError:
    example = (get_close_matches(name or "", images, n=1) or images)[0]
    return ValueError(
        f"{place}: no image {name!r} is in the folder; give its path from there, such as "
        f"{example!r}"
    )


def _box(place: str, row: dict[str, str | None]) -> Box:
    x0, y0, x1, y1 = (_number(place, side, row[side]) for side in _SIDES)
    if x1 <= x0 or y1 <= y0:
        raise ValueError(
            f"{place}: the box {x0:g},{y0:g},{x1:g},{y1:g} is empty; x1 must be more than x0, and "
            "y1 more than y0 (they are corners, not width and height)"
        )
    return x0, y0, x1, y1


def _number(place: str, side: str, text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{place}: {side} is {text or ''!r}, which is no number; give pixels")
    return value
