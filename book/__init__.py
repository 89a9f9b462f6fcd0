"""The book: pages written by hand, and the package that makes the other pages.

It says what each page runs (`profiles.yaml`) and what its tables and figures show, and it turns
notebooks into HTML.
"""

from importlib import import_module
from typing import Any

__all__ = ["Page", "batch", "fewer", "in_one_sentence"]


def __getattr__(name: str) -> Any:
    """Import on demand the names that notebooks use; the command line does not load `page` and figures."""
    if name in __all__:
        return getattr(import_module(".page", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
