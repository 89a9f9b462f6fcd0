"""The contents of the book: the pages of `_toc.yml`, and the parameters of its notebooks."""

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jupytext
import yaml
from nbformat import NotebookNode

from lib.errors import unknown

from ..parameters import assigned

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def pages(root: Path) -> list[str]:
    """The pages of `_toc.yml` in reading order, without suffix, relative to the project.

    Raises:
        FileNotFoundError: there is no `_toc.yml`: the book is built from a checkout, not from a wheel.
    """
    path = root / "_toc.yml"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; build the book from a checkout of the project")
    toc = yaml.safe_load(path.read_text("utf-8"))
    return list(_files(toc))


def _files(entry: dict) -> Iterator[str]:
    for key in ("root", "file"):
        if key in entry:
            yield entry[key]
    for key in ("parts", "chapters", "sections"):
        for below in entry.get(key, []):
            yield from _files(below)


def notebooks(root: Path) -> list[Path]:
    """The percent scripts of the notebooks among the pages.

    Raises:
        FileNotFoundError: `_toc.yml` names a script that is not there.
    """
    found = [root / f"{page}.py" for page in pages(root) if page.startswith("notebooks/")]
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(f"_toc.yml lists {path.relative_to(root)}, which is not there")
    return found


def chosen(root: Path, names: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin with one of `names`, such as "opticam/07"; without names, all.

    Raises:
        UnknownName: no notebook begins with a name; the message lists all notebooks.
    """
    found = {f"{path.parent.name}/{path.stem}": path for path in notebooks(root)}
    for name in names:
        if not any(page.startswith(name) for page in found):
            raise unknown("page", name, found)
    return [p for page, p in found.items() if not names or page.startswith(tuple(names))]


def link(to: str, at: str) -> str:
    """The relative address of the built page `to`, with or without an anchor, from the page `at`.

    Example:
        >>> link("notebooks/opticam/07_localization#tables", at="book/scoreboard")
        '../notebooks/opticam/07_localization.html#tables'
    """
    page, hash_, anchor = to.partition("#")
    return posixpath.relpath(f"{page}.html", posixpath.dirname(at)) + hash_ + anchor


def script(path: Path) -> NotebookNode:
    """The notebook of a percent script; the script needs no header."""
    notebook = jupytext.read(path)
    notebook.metadata = NotebookNode(kernelspec=KERNEL)
    for cell in notebook.cells:
        cell.metadata.pop("cell_marker", None)  # how the script marks its text
    return notebook


def parameters(path: Path) -> dict[str, Any]:
    """The parameters of a notebook with their defaults.

    Raises:
        ValueError: it has not exactly one cell tagged `parameters`, or that cell computes.
    """
    cells = [cell for cell in script(path).cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"{path}: one cell is to be tagged 'parameters', found {len(cells)}")
    return assigned(cells[0].source)
