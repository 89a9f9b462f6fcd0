"""Unpacking archives into a folder that looks complete only when it is."""

import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from tqdm import tqdm

from .finding import UNFINISHED

_BROKEN = (tarfile.TarError, BadZipFile, EOFError, zlib.error)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .zip, .tar, .tgz or .tar.gz; any other file is copied. Nothing lands outside the
    folder.

    Raises:
        ValueError: the archive is broken, or has a path outside the folder.
    """
    folder.mkdir(parents=True)
    show = {"desc": f"unpacking {archive.name}", "unit": " file", "disable": None}
    try:
        if archive.suffix == ".zip":
            with ZipFile(archive) as file:
                file.extractall(folder, tqdm(file.namelist(), **show))
        elif archive.suffix in (".tar", ".tgz", ".gz"):
            with tarfile.open(archive) as file:
                file.extractall(folder, tqdm(file, **show), filter="data")
        else:
            shutil.copy(archive, folder)
    except _BROKEN as error:
        why = str(error).partition(":\n")[0]  # tarfile goes on with a line per compression
        raise ValueError(f"{archive.name} cannot be unpacked: {why}") from error


def merge(folders: Iterable[Path], place: Path) -> None:
    """Move the files of folders, on the same disk, into one that may have others. While it does so,
    the folder is marked as unfinished; called again, it goes on."""
    place.mkdir(parents=True, exist_ok=True)
    (place / UNFINISHED).touch()
    for folder in folders:
        shutil.copytree(folder, place, copy_function=os.replace, dirs_exist_ok=True)
    (place / UNFINISHED).unlink()
