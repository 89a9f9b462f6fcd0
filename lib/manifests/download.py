"""A download that goes on where it was stopped (RFC 9110, sections 13.1.5 and 14)."""

import shutil
from pathlib import Path

from tqdm import tqdm

CHUNK = 2**16  # bytes; at most so many are lost when the connection is cut
TIMEOUT = 30  # seconds in which a server sends nothing


def download(url: str, part: Path, *, unpacked: bool = False) -> None:
    """Download a file to `part`, going on from what an earlier call left there.

    `<part>.version` keeps the server's ETag, or else the date of the file. With it the server sends
    the rest of that version only, and otherwise the whole file. Without it, or if the server cannot
    send a part, the download begins anew.

    Args:
        unpacked: whether there has to be room for the content of this archive too, which is taken
            to be as large as the archive.

    Raises:
        requests.RequestException: there is no connection, it was cut, or the server refuses. What
            has come is kept.
        OSError: the disk has not enough room; nothing is downloaded.
    """
    import requests

    version = version_file(part)
    known = version.read_text() if version.exists() and part.exists() else ""
    start = part.stat().st_size if known else 0
    # Of bytes as they are stored: a part of a compressed transfer could not be continued.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": known}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        answer = response.headers
        if response.status_code == 416 and answer.get("Content-Range") == f"bytes */{start}":
            return  # there is no more
        if start and not _usable(response, start, known):
            version.unlink()
            return download(url, part, unpacked=unpacked)
        response.raise_for_status()
        start = start if response.status_code == 206 else 0
        rest = int(answer.get("Content-Length", 0))
        _check_room(part, rest + unpacked * (start + rest))
        if not start:
            part.unlink(missing_ok=True)  # before its version changes
            version.write_text(_version(answer))
        with part.open("ab") as file, _bar(part, start, rest) as bar:
            for chunk in response.iter_content(CHUNK):
                bar.update(file.write(chunk))


def version_file(part: Path) -> Path:
    """The file that tells which version of a file a part is of."""
    return Path(f"{part}.version")


def _usable(response, start: int, known: str) -> bool:
    """Whether an answer to a question for the rest of the known version is this rest, the whole
    file, or an error that says nothing about the part."""
    if response.status_code == 206:
        begins = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        return begins and _version(response.headers) in ("", known)
    return response.status_code != 416


def _version(headers) -> str:
    """What tells this version of a file from others; a weak ETag does not."""
    tag = headers.get("ETag", "")
    return headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(
            f"{part.parent} has room for {free / 1e9:.1f} GB, and {needed / 1e9:.1f} GB are needed: "
            "make room, or set CAMS_DATA to a folder on another disk"
        )


def _bar(part: Path, start: int, rest: int) -> tqdm:
    """A bar on a terminal."""
    size = {"initial": start, "total": start + rest or None}
    units = {"unit": "B", "unit_scale": True, "unit_divisor": 1000}
    return tqdm(desc=part.stem, disable=None, **size, **units)
