"""The reference part of the book: the gallery, the comparison of methods, and a page for each of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write(source: Path, verdicts: Sequence[Mapping[str, Any]], *, whole: bool = True) -> None:
    """Write the pages that are made from data into a staged tree; see `pages.write`."""
    from .pages import write as write_pages  # here, so that a notebook loads no page

    write_pages(source, verdicts, whole=whole)


__all__ = ["write"]
