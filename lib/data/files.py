"""Finding the files of a dataset, with errors that name what is missing or malformed."""

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
    """The first of these files or folders that exists.

    Raises:
        FileNotFoundError: none exists; the message names the first, `why` it is needed and how to
            get it.
    """
    for place in places:
        if place.exists():
            return place
    raise FileNotFoundError(
        f"{entry['name']}: nothing at {places[0]}{why and f': {why}'}.\n{manifests.remedy(entry)}"
    )


def some(entry: manifests.Entry, images: list, folder: Path) -> list:
    """The images found in a folder; a FileNotFoundError if there are none."""
    if not images:
        raise FileNotFoundError(f"no images in {folder}.\n{manifests.remedy(entry)}")
    return images


def check_complete(entry: manifests.Entry, files: Iterable[Path]) -> None:
    """Raises a FileNotFoundError that says how to get the files if a folder lacks some of them."""
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
    """The file of one sample is missing; like a damaged file, this is an error of that sample."""

    __str__ = ValueError.__str__


@contextmanager
def opening(path: Path, what: str, remedy: str = "replace or remove it") -> Iterator[BinaryIO]:
    """A file opened for reading; any error in the block becomes a ValueError that names the file.

    Args:
        what: the kind of file, such as "image".

    Raises:
        FileGone: the file is missing, or a link to nothing.
        ValueError: it is a folder or a device, may not be read, or its reader fails, with an error
            of any type.
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
    if path.exists():  # reading a pipe would block
        return OSError("it is a folder" if path.is_dir() else "it is no file")
    return FileNotFoundError("it links to nothing" if path.is_symlink() else "it is not there")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns errors that a malformed file raises in the block into a ValueError that names it."""
    try:
        yield
    except (ElementTree.ParseError, KeyError, TypeError, ValueError) as error:
        problem = f"no key {error}" if type(error) is KeyError else error
        raise ValueError(f"cannot read {path}: {problem}; take the file anew") from error


def read_table(path: Path, *columns: str) -> pd.DataFrame:
    """A comma-separated table with these columns; a ValueError names a missing one."""
    with reading(path):
        table = pd.read_csv(path, skipinitialspace=True)
        for column in columns:
            if column not in table:
                raise ValueError(f"no column {column!r} among {', '.join(table.columns)}")
    return table


def read_json(path: Path, leave_out: str | None = None) -> Any:
    """The content of a JSON file without one key, at any depth, that would take too much memory."""

    def lighter(mapping: dict) -> dict:
        mapping.pop(leave_out, None)
        return mapping

    with path.open(encoding="utf-8") as file:
        return json.load(file, object_hook=lighter if leave_out else None)
