"""Fetching what has a public address: download, verify, unpack, and move to its place.

What an interruption leaves lies beside the place, under its name and `.part`.
"""

import os
import shutil
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import unknown
from .checksums import (
    LISTS,
    changed,
    list_file,
    locate,
    unpacked,
    verify,
    write_list,
    wrong_checksum,
)
from .download import download, version_file
from .finding import UNFINISHED, fetched, place
from .reading import Entry, entry
from .unpacking import merge, unpack


def fetch(name: str, splits: Collection[str] = ()) -> Path:
    """Download a dataset or weight file, verify it, and move it to its place.

    An interrupted download goes on where it was stopped. A file that exists and is intact is not
    downloaded again; a damaged one is replaced, and so is what was unpacked of an archive and has
    changed. A download with a wrong checksum is removed. A folder that was put there by hand is
    left alone, with a warning.

    Args:
        splits: the splits of a dataset whose archives are downloaded; by default the first.

    Raises:
        UnknownName: the dataset has no such split.
        FileNotFoundError: the entry cannot be downloaded; the message says how to get it.
        ValueError: a download's checksum is not the manifest's, an archive cannot be unpacked, or
            another process is downloading the same.
        OSError: a server cannot be reached or refuses, or the disk has not enough room.

    Example:
        >>> fetch("voc", splits=["test", "trainval"])
    """
    wanted = entry(name)
    for split in splits:
        if split not in wanted.get("splits", ()):
            raise unknown(f"split of {name}", split, wanted.get("splits", ()))
    if not fetched(wanted):
        return verify(name)[0].path
    target = place(wanted)
    with _alone(name, target):
        if "downloads" in wanted:
            _fetch_folder(wanted, splits, target)
        elif not (target.exists() and _sound(wanted)):
            source = wanted["source"] | {"sha256": wanted["sha256"]}
            _obtain(name, source, Path(f"{target}.part"), target)
    return target


@contextmanager
def _alone(name: str, target: Path) -> Iterator[None]:
    """Keeps other processes from downloading the same at the same time."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{target}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another process is downloading {name}; wait for its end") from None
    try:
        yield
    finally:
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def _sound(entry: Entry) -> bool:
    try:
        locate(entry)
    except ValueError:
        return False
    return True


def _obtain(name: str, source: Mapping, part: Path, target: Path, **options: bool) -> None:
    """Download a file, verify it and move it to its place."""
    import requests

    url = source["url"]
    try:
        download(url, part, **options)
    except requests.RequestException as error:
        kept = ": the same command goes on from what has come" if part.exists() else ""
        raise OSError(
            f"{name} cannot be downloaded from {url}: {_reason(error)}; try again later{kept}"
        ) from None
    for algorithm in ("sha256", "md5"):
        if wrong := source.get(algorithm) and wrong_checksum(part, source[algorithm], algorithm):
            part.unlink()
            version_file(part).unlink()
            raise ValueError(
                f"{wrong}.\nThe download from {url} is removed. Try again; if it repeats, the "
                "publisher has changed the file."
            )
    os.replace(part, target)
    version_file(part).unlink()


def _reason(error: Exception) -> str:
    from requests.exceptions import ChunkedEncodingError

    if error.response is not None:
        return f"it answers {error.response.status_code}"
    cut = isinstance(error, ChunkedEncodingError)
    return "the connection was cut" if cut else "there is no connection"


# Folders ----------------------------------------------------------------------------------------


def _fetch_folder(entry: Entry, splits: Collection[str], target: Path) -> None:
    """Unpack all archives beside the target, and then move their files there together."""
    if target.exists() and not (target / LISTS).is_dir() and not (target / UNFINISHED).exists():
        warnings.warn(
            f"{target} was put there by hand, so nothing is downloaded; "
            f"`python -m lib data verify {entry['name']}` checks it",
            stacklevel=3,
        )
        return
    staging = Path(f"{target}.part")
    if (target / UNFINISHED).exists():
        _merge(staging, target)
    for source in _wanted(entry, splits, target):
        archive = staging / _file(source)
        if not list_file(_content(archive), archive.name).exists():
            _unpacked(entry["name"], source, archive)
        archive.unlink(missing_ok=True)
    _merge(staging, target)


def _content(archive: Path) -> Path:
    """The folder into which an archive is unpacked by itself."""
    return archive.parent / "unpacked" / archive.name


def _merge(staging: Path, target: Path) -> None:
    """Move the files of all archives that are completely unpacked to the target."""
    folders = [
        folder
        for folder in staging.glob("unpacked/*")
        if any(list_file(at, folder.name).exists() for at in (folder, target))
    ]
    if folders:
        merge(folders, target)
    for folder in (*folders, staging / "unpacked", staging):
        _remove_without_files(folder)


def _wanted(entry: Entry, splits: Collection[str], target: Path) -> list[Mapping]:
    """The downloads that these splits need (by default the first), but are not here; and those that
    are here, but have changed."""
    named = {*(splits or entry.get("splits", [])[:1])}
    return [
        source
        for source in entry["downloads"]
        if any(changed(unpacked(target, _file(source))))
        or not list_file(target, _file(source)).exists()
        and ("splits" not in source or named & {*source["splits"]})
    ]


def _file(source: Mapping) -> str:
    """The name of a download."""
    return source.get("file", source["url"].rpartition("/")[2])


def _unpacked(name: str, source: Mapping, archive: Path) -> None:
    """Download an archive, unpack it into a folder of its own, and list its files."""
    folder = _content(archive)
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        _obtain(name, source, Path(f"{archive}.part"), archive, unpacked=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        unpack(archive, folder / source.get("into", ""))
    except ValueError as error:
        archive.unlink()
        shutil.rmtree(folder)
        raise ValueError(
            f"{name}: {error}. The download from {source['url']} is removed."
        ) from None
    write_list(folder, archive.name)


def _remove_without_files(folder: Path) -> None:
    if not any(path.is_file() for path in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)
