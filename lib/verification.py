"""What is on the disk, compared with its manifest: checksums, unpacked files, and layout."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import data, manifests


class Line(NamedTuple):
    """A sentence about a dataset or a file, and whether something is wrong with it."""

    text: str
    wrong: bool = False


def verified(name: str) -> Iterator[Line]:
    """One line per file or folder with its checksums, per unpacked file that has changed, and per
    split. The first split of a dataset has to be here, unless it shares its folder with others.

    Raises:
        UnknownName: there is no dataset or weight file of that name.
        FileNotFoundError: it is not here; the message says how to get it.
        ValueError: a checksum is not the published one, or a folder is not completely unpacked.

    Example:
        >>> [line.text for line in verified("mnist")][1:]
        ['mnist, split test: 1000 samples', 'mnist, split train: 4000 samples']
    """
    entry = manifests.entry(name)
    if "generator" in entry["source"]:
        yield Line(f"{name}: drawn here, from no files")
        return
    for path, files in manifests.verify(name):
        yield Line(
            f"{path}: {f'{files} file(s) as published' if files else 'no published checksum'}"
        )
        yield from _unpacked(name, path)
    if entry["kind"] == "datasets":
        yield from _layout(entry)


def all_verified() -> Iterator[Line]:
    """The lines of all datasets and weights, errors among them. What is not here is not wrong."""
    for name in (item.name for item in manifests.status()):
        try:
            manifests.where(name)
        except FileNotFoundError as error:
            yield Line(_first_line(error), wrong=isinstance(error, manifests.Unfinished))
            continue
        try:
            yield from verified(name)
        except (FileNotFoundError, ValueError) as error:
            yield Line(_first_line(error), wrong=True)


def _unpacked(name: str, path: Path) -> Iterator[Line]:
    files = manifests.unpacked(path)
    changed = [Line(text, wrong=True) for text in manifests.changed(files)]
    yield from changed
    if changed:
        remedy = f"python -m lib data fetch {name} replaces them"
        yield Line(
            f"{path}: {len(changed)} of {len(files)} unpacked file(s) differ; {remedy}", True
        )
    elif files:
        yield Line(f"{path}: {len(files)} file(s) as unpacked")


def _layout(entry: manifests.Entry) -> Iterator[Line]:
    """A line per split: its samples, or why it cannot be read."""
    name = entry["name"]
    sources = [other["source"] for other in manifests.read("datasets").values()]
    shared = sources.count(entry["source"]) > 1  # the folder may be there for another dataset
    splits = [*entry.get("splits", [])] or [None]
    for split in splits:
        label = f"{name}, split {split}" if split else name
        try:
            yield Line(f"{label}: {len(data.load(name, split=split))} samples")
        except (FileNotFoundError, ValueError) as error:
            optional = split != splits[0] or shared
            absent = isinstance(error, FileNotFoundError) and optional
            why = _first_line(error).removeprefix(f"{name}: ")
            yield Line(f"{label}: {why}", wrong=not absent)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
