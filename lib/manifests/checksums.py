"""Checksums: those that manifests state, and those of the files that `fetch` has unpacked.

Beside the files of each archive that was unpacked, `.checksums/<archive>.sha256` lists them in the
format of the program sha256sum. The archive itself was compared with the manifest before.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from .finding import find, remedy
from .reading import Entry, entry, parts

LISTS = ".checksums"


class Verified(NamedTuple):
    """The result of `verify`: the path, and the number of files with the published checksum."""

    path: Path
    files: int


def locate(entry: Entry, root: str | Path | None = None) -> Path:
    """The file or folder of an entry's (first) source, with every published checksum verified.

    Raises:
        FileNotFoundError: as in `find`, or a file of the folder is missing.
        ValueError: a file's SHA-256 does not begin with (or equal) the manifest's.

    Example:
        >>> locate(read("weights")["tf_efficientnet_lite0"]).name
        'efficientnet-lite0-57934424.pth'
    """
    path = find(entry, root)
    for file, expected in _published(entry, path).items():
        if not file.is_file():
            raise FileNotFoundError(f"{entry['name']}: no file {file}.\n{remedy(entry)}")
        check_file(file, expected, remedy(entry))
    return path


def _published(entry: Entry, path: Path) -> dict[Path, str]:
    if "files" in entry:
        return {path / name: sha256 for name, sha256 in entry["files"].items()}
    return {path: entry["sha256"]} if entry.get("sha256") else {}


def check_file(file: Path, expected: str, remedy: str) -> None:
    """Raises a ValueError if the SHA-256 of a file does not begin with `expected`."""
    if wrong := wrong_checksum(file, expected):
        raise ValueError(f"{wrong}.\nThe file is damaged or another version; remove it. {remedy}")


def wrong_checksum(file: Path, expected: str, algorithm: str = "sha256") -> str:
    """What is wrong with the checksum of a file; empty if it begins with `expected`."""
    got = digest(file, algorithm)
    label = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
    if got.startswith(expected):
        return ""
    return f"wrong checksum of {file}: expected {label} {expected}, got {got}"


def digest(file: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def verify(name: str) -> list[Verified]:
    """Verify the checksums of each source of a dataset or weight file; errors as in `locate`.

    Example:
        >>> [found.files for found in verify("imagenet_embedded")]
        [20, 100]
    """
    located = [(part, locate(part)) for part in parts(entry(name))]
    return [Verified(path, len(_published(part, path))) for part, path in located]


# Of unpacked files ------------------------------------------------------------------------------


def list_file(folder: Path, archive: str) -> Path:
    """The list of the files of an archive; it exists if the archive is completely unpacked."""
    return folder / LISTS / f"{archive}.sha256"


def write_list(folder: Path, archive: str) -> None:
    """Lists the files of a folder with their checksums, as those of an archive."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{digest(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in tqdm(files, desc=f"checksums of {archive}", unit=" file", disable=None)
    ]
    target = list_file(folder, archive)
    target.parent.mkdir()
    part = Path(f"{target}.part")
    part.write_text("".join(lines), "utf-8")
    part.replace(target)


def unpacked(folder: Path, archive: str = "*") -> dict[Path, str]:
    """The files that `fetch` has unpacked in a folder, of one archive or of all, with their
    checksums; none if it is a file.

    Example:
        >>> unpacked(find(entry("kvasir")))
    """
    lines = [
        line.split("  ", 1)
        for path in sorted((folder / LISTS).glob(f"{archive}.sha256"))
        for line in path.read_text("utf-8").splitlines()
    ]
    return {folder / name: sha256 for sha256, name in lines}


def changed(files: dict[Path, str]) -> Iterator[str]:
    """One line for each of these files that is missing or has another checksum."""
    for file, sha256 in tqdm(files.items(), desc="checksums", unit=" file", disable=None):
        if not file.is_file():
            yield f"no file {file}"
        elif wrong := wrong_checksum(file, sha256):
            yield wrong
