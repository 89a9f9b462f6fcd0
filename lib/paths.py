"""Where things lie: the repository, its manifests, what is made here, and the user's data."""

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
    """The folder in which the user gave the command: $PWD, where it is a folder, else the current
    one. A notebook's kernel runs in the notebook's folder, but has the $PWD of who started it."""
    shell = Path(os.environ.get("PWD") or "")
    return shell if shell.is_absolute() and shell.is_dir() else Path.cwd()


def absolute(path: str | Path) -> Path:
    """The absolute path that a program means: ~ is the home folder, and a relative path begins in the
    current folder.

    Raises:
        ValueError: ~ is of a user who has no home folder.

    Example:
        >>> absolute("~/results")
        PosixPath('/home/me/results')
    """
    return Path.cwd() / _from_home(path)


def given(path: str | Path) -> Path:
    """The absolute path that a user means in a notebook's parameter: as of `absolute`, but a relative
    path begins where the user stands, unless something is there in the current folder alone.

    Example:
        >>> given("weights/resnet50.pth")
        PosixPath('/home/me/project/weights/resnet50.pth')
    """
    there, here = standing() / _from_home(path), absolute(path)  # the same where it is absolute
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
    """The folder of results and trained networks: $CAMS_BUILD; else the first that can be written to
    of `build` in a checkout, `build` in the user's cache folder, and one of temporary files."""
    if chosen := _chosen("CAMS_BUILD"):
        return chosen
    temporary = Path(tempfile.gettempdir()) / f"cams-{getattr(os, 'getuid', int)()}" / "build"
    places = [] if _INSTALLED else [ROOT / "build"]
    places += [pooch.os_cache("cams") / "build", temporary]
    return next(filter(_writable, places), temporary)


def _chosen(variable: str) -> Path | None:
    """The folder that an environment variable names, from where the user stands: a kernel, which
    inherits it, runs in another folder."""
    name = os.environ.get(variable)
    return standing() / _from_home(name) if name else None


def _writable(folder: Path) -> bool:
    """Whether something can be made in a folder, which may have to be made first."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


BUILD = build_folder()
