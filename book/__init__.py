"""The book: pages written by hand, and the package that makes the others.

What each page runs (`profiles.yaml`), what its tables and figures show, and how notebooks become
HTML.
"""

from importlib import import_module
from typing import Any

__all__ = ["Page", "batch", "fewer", "in_one_sentence"]


def __getattr__(name: str) -> Any:
    """What notebooks take from here; the command line starts without it, and without figures."""
    if name in __all__:
        return getattr(import_module(".page", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
