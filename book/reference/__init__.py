"""The reference part of the book: the gallery, the comparison of methods, a page per method and metric."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write(source: Path, verdicts: Sequence[Mapping[str, Any]], *, whole: bool = True) -> None:
    """Write the pages that are generated from data into a staged tree; see `pages.write`."""
    from .pages import write as write_pages  # imported here, so that notebooks do not load it

    write_pages(source, verdicts, whole=whole)


__all__ = ["write"]
