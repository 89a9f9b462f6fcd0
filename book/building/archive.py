"""The built book as one file for a release, with checksums; the same pages give the same bytes."""

import gzip
import sys
import tarfile
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from lib import __version__
from lib.paths import ROOT

from ..report.provenance import commit

NAME = "class-activation-maps-reproduced"
SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it


def archive(html: Path, out: Path, version: str) -> Path:
    """Pack a built book. The checksums of its files are inside the archive, that of the archive beside it.

    Args:
        html: the folder of `index.html`.
        out: the folder of the archive, made if it does not exist.
        version: of the release; it is part of the names of the archive and of the folder in it.

    Returns:
        The path of the archive.

    Raises:
        FileNotFoundError: there is no book in `html`.

    Example:
        >>> archive(Path("build/embedded/html"), Path("build/archive"), "0.1.0").name
        'class-activation-maps-reproduced-0.1.0.tar.gz'
    """
    if not (html / "index.html").is_file():
        raise FileNotFoundError(f"no book in {html}; `make book` builds it")
    folder = f"{NAME}-{version}"
    files = {
        path.relative_to(html).as_posix(): path.read_bytes()
        for path in sorted(html.rglob("*"))
        if path.is_file()
    }
    sums = "".join(f"{_sum(content)}  {name}\n" for name, content in files.items())
    out.mkdir(parents=True, exist_ok=True)
    packed = out / f"{folder}.tar.gz"
    with (
        packed.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as stream,
        tarfile.open(mode="w", fileobj=stream, format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in (files | {SUMS: sums.encode()}).items():
            entry = tarfile.TarInfo(f"{folder}/{name}")  # without an owner or a date
            entry.size = len(content)
            tar.addfile(entry, BytesIO(content))
    (out / SUMS).write_text(f"{_sum(packed.read_bytes())}  {packed.name}\n", "utf-8")
    return packed


def _sum(content: bytes) -> str:
    return sha256(content).hexdigest()


if __name__ == "__main__":
    html, out = map(Path, sys.argv[1:3])
    version = sys.argv[3] if len(sys.argv) > 3 else f"{__version__}-{commit(ROOT).split()[0]}"
    print(archive(html, out, version))
