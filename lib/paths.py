"""Where things lie: the repository, its manifests, what is made here, and the user's data."""

import os
from pathlib import Path

import pooch

_HERE = Path(__file__).parent
ROOT = _HERE.parent
# An installed wheel carries the manifests inside the package; a checkout has them beside it.
_INSTALLED = (_HERE / "data_manifests").is_dir()
MANIFESTS = (_HERE if _INSTALLED else ROOT) / "data_manifests"


def data_home() -> Path:
    """The folder of downloaded data and weights: $CAMS_DATA, or the user's cache folder."""
    return Path(os.environ.get("CAMS_DATA") or pooch.os_cache("cams")).expanduser()


def build_folder() -> Path:
    """The folder of results and trained networks: $CAMS_BUILD; else `build` in a checkout that can
    be written to, or else `build` in the user's cache folder."""
    if chosen := os.environ.get("CAMS_BUILD"):
        return Path(chosen).expanduser()
    build = ROOT / "build"
    writable = os.access(build if build.exists() else ROOT, os.W_OK)
    return build if writable and not _INSTALLED else pooch.os_cache("cams") / "build"


BUILD = build_folder()


def standing() -> Path:
    """The folder in which the user gave the command: $PWD, where it is a folder, else the current
    one. A notebook's kernel runs in the notebook's folder, but has the $PWD of who started it."""
    shell = Path(os.environ.get("PWD") or "")
    return shell if shell.is_absolute() and shell.is_dir() else Path.cwd()


def given(path: str | Path) -> Path:
    """The absolute path that the user means: ~ is the home folder, and a relative path begins where
    the user stands if something is there, else in the current folder.

    Example:
        >>> given("weights/resnet50.pth")
        PosixPath('/home/me/project/weights/resnet50.pth')
    """
    path = Path(path).expanduser()
    there = standing() / path  # which is the path itself where it is absolute
    return there if there.exists() else Path.cwd() / path
