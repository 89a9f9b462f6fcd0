"""Where things lie: the repository, its manifests, its build products, and the user's data."""

import os
from pathlib import Path

import pooch

_HERE = Path(__file__).parent
ROOT = _HERE.parent
# An installed wheel carries the manifests inside the package; a checkout has them beside it.
MANIFESTS = (
    _HERE / "data_manifests" if (_HERE / "data_manifests").is_dir() else ROOT / "data_manifests"
)
BUILD = ROOT / "build"


def data_home() -> Path:
    """The folder of downloaded data and weights: $CAMS_DATA, or the user's cache folder."""
    return Path(os.environ.get("CAMS_DATA") or pooch.os_cache("cams"))
