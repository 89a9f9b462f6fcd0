"""Paths: the repository, its manifests, results and trained networks, and the user's data."""

import os
import tempfile
from pathlib import Path

import pooch

_HERE = Path(__file__).parent
ROOT = _HERE.parent
# An installed wheel carries the manifests inside the package; a checkout has them beside it.
_INSTALLED = (_HERE / "data_manifests").is_dir()
MANIFESTS = (_HERE if _INSTALLED else ROOT) / "data_manifests"


def standing() -> Path:
    """The folder in which the user gave the command: $PWD if it is a folder, else the current one.

    A notebook's kernel runs in the notebook's folder, but has the
    $PWD of the process that started it.
    """
    shell = Path(os.environ.get("PWD") or "")
    return shell if shell.is_absolute() and shell.is_dir() else Path.cwd()


def absolute(path: str | Path) -> Path:
    """The absolute path for a program: ~ is the home folder, and a relative path begins in the
    current folder.

    Raises:
        ValueError: the path begins with the ~ of a user without a home folder.

    Example:
        >>> absolute("~/results")
        PosixPath('/home/me/results')
    """
    return Path.cwd() / _from_home(path)


def given(path: str | Path) -> Path:
    """The absolute path for a notebook's parameter: as `absolute`, but relative paths begin in the
    folder in which the user gave the command, unless the path exists in the current folder only.

    Example:
        >>> given("weights/resnet50.pth")
        PosixPath('/home/me/project/weights/resnet50.pth')
    """
    there, here = standing() / _from_home(path), absolute(path)  # equal for an absolute path
    return here if here.exists() and not there.exists() else there


def _from_home(path: str | Path) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"a path is text or a pathlib.Path, got {path!r}: name a file or a folder")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{str(path)!r} begins in the home folder of a user who has none: give the whole path, "
            "or ./ before the ~"
        ) from None


def data_home() -> Path:
    """The folder of downloaded data and weights: $CAMS_DATA, or the user's cache folder."""
    return _chosen("CAMS_DATA") or pooch.os_cache("cams")


def build_folder() -> Path:
    """The folder of results and trained networks: $CAMS_BUILD, or else the first writable one of
    `build` in a checkout, `build` in the user's cache folder, and a temporary folder."""
    if chosen := _chosen("CAMS_BUILD"):
        return chosen
    temporary = Path(tempfile.gettempdir()) / f"cams-{getattr(os, 'getuid', int)()}" / "build"
    places = [] if _INSTALLED else [ROOT / "build"]
    places += [pooch.os_cache("cams") / "build", temporary]
    return next(filter(_writable, places), temporary)


def _chosen(variable: str) -> Path | None:
    """The folder that an environment variable names, relative to the folder in which the user gave
    the command: a kernel, which inherits the variable, runs in another folder."""
    name = os.environ.get(variable)
    return standing() / _from_home(name) if name else None


def _writable(folder: Path) -> bool:
    """Whether files can be written into a folder, which may not exist yet."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


BUILD = build_folder()
