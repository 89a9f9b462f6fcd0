"""What a dataset's folder must hold: finding it, and naming what is missing or malformed."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

import pandas as pd

from .. import manifests


def present(entry: manifests.Entry, *places: Path, why: str = "") -> Path:
    """The first of these files or folders that is there.

    Raises:
        FileNotFoundError: none is; names the first, and says `why` it is needed and how to get it.
    """
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(
        f"{entry['name']}: nothing at {places[0]}{why and f': {why}'}.\n{manifests.remedy(entry)}"
    )


def some(entry: manifests.Entry, images: list, folder: Path) -> list:
    """The images found in a folder; a FileNotFoundError, with how to get them, where there are none."""
    if not images:
        raise FileNotFoundError(f"no images in {folder}.\n{manifests.remedy(entry)}")
    return images


def check_complete(entry: manifests.Entry, files: Iterable[Path]) -> None:
    """A FileNotFoundError, with how to get them, where a folder lacks some of these files."""
    names: dict[Path, set[str]] = defaultdict(set)
    for file in files:
        names[file.parent].add(file.name)
    for folder, wanted in names.items():
        missing = sorted(wanted.difference(os.listdir(present(entry, folder))))
        if missing:
            raise FileNotFoundError(
                f"{entry['name']}: {folder} lacks {len(missing)} of {len(wanted)} files, such as "
                f"{missing[0]}.\n{manifests.remedy(entry)}"
            )


class FileGone(ValueError, FileNotFoundError):
    """A file of one sample that is not there: an error of this sample, as a damaged one is."""

    __str__ = ValueError.__str__


@contextmanager
def opening(path: Path, what: str, remedy: str = "replace or remove it") -> Iterator[BinaryIO]:
    """A file for reading; whatever goes wrong in this block becomes a ValueError that names the file.

    Args:
        what: it is, such as "image".

    Raises:
        FileGone: nothing is there, or a link that leads nowhere.
        ValueError: it is a folder or a device, must not be read, or its reader fails: of Pillow and
            its plugins, with an error of any type.
    """
    try:
        if not path.is_file():
            raise _no_file(path)
        with path.open("rb") as file:
            yield file
    except MemoryError:
        raise
    except Exception as error:
        kind = FileGone if isinstance(error, FileNotFoundError) else ValueError
        problem = getattr(error, "strerror", None) or error
        raise kind(f"cannot read the {what} {path}: {problem}; {remedy}") from error


def _no_file(path: Path) -> OSError:
    if path.exists():  # a pipe would keep us waiting
        return OSError("it is a folder" if path.is_dir() else "it is no file")
    return FileNotFoundError("it links to nothing" if path.is_symlink() else "it is not there")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Whatever a malformed file raises in this block becomes a ValueError that names the file."""
    try:
        yield
    except (ElementTree.ParseError, KeyError, TypeError, ValueError) as error:
        problem = f"no key {error}" if type(error) is KeyError else error
        raise ValueError(f"cannot read {path}: {problem}; take the file anew") from error


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """A comma-separated table that has these columns; a ValueError names what is missing."""
    with reading(path):
        table = pd.read_csv(path, skipinitialspace=True)
        for column in columns:
            if column not in table:
                raise ValueError(f"no column {column!r} among {', '.join(table.columns)}")
    return table


def read_json(path: Path, leave_out: str | None = None) -> Any:
    """The content of a JSON file, but for one key, at any depth, that would fill the memory."""

    def lighter(mapping: dict) -> dict:
        mapping.pop(leave_out, None)
        return mapping

    with path.open(encoding="utf-8") as file:
        return json.load(file, object_hook=lighter if leave_out else None)
