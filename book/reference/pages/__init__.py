"""The pages of the reference part that are generated from data when a book is staged."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

from lib.methods import METHODS
from lib.metrics import METRICS

from ...building import usage
from .. import comparison, maps
from ..comparison import COMPARED_MIME
from ..maps import MAPS_MIME
from . import cite, errata, methods, metrics
from .known import Known, claim_pages

SCRIPTS = "../../_static"  # from a page in notebooks/reference, as built


def write(source: Path, verdicts: Sequence[Mapping[str, Any]], *, whole: bool = True) -> None:
    """Write the pages of methods, metrics and errata, and the files of the gallery and the comparison.

    Args:
        source: the staged tree, with its notebooks.
        verdicts: as the scoreboard reads them.
        whole: whether the book has all of its pages; else only the outputs of its notebooks are completed.

    Example:
        >>> write(out / "source", verdicts)
    """
    shown = {
        mime: _published(source, mime, whole)
        for mime in (MAPS_MIME, COMPARED_MIME)
    }  # fmt: skip
    if not whole:
        return
    known = Known(
        pages=usage.pages(source, verdicts),
        verdicts=verdicts,
        maps=shown[MAPS_MIME],
        compared=shown[COMPARED_MIME],
        claim_pages=claim_pages(source),
    )
    for kind, registry, made in (("methods", METHODS, methods), ("metrics", METRICS, metrics)):
        folder = source / "book" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name in registry:
            (folder / f"{name}.md").write_text(made.page(name, known), "utf-8")
    parts = {
        "methods": methods.index(known),
        "metrics": metrics.index(known),
        "errata": errata.page(known, source),
        "cite": f"```bibtex\n{cite.bibtex(cite.citation())}\n```\n",
    }
    (source / "book/_generated").mkdir(parents=True, exist_ok=True)
    for name, text in parts.items():
        (source / "book/_generated" / f"{name}.md").write_text(text, "utf-8")


def _published(source: Path, mime: str, whole: bool) -> dict[str, Any] | None:
    """The data of a type in the notebooks; their outputs are replaced by those of a page of the book."""
    found = None
    for path in sorted(source.glob("notebooks/*/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        carrying = [
            output
            for cell in notebook.cells
            for output in cell.get("outputs", [])
            if mime in output.get("data", {})
        ]
        for output in carrying:
            found = _data(output.data.pop(mime))
            output.data["text/html"] = _SHOWN[mime](found, source / "book/_static", whole)
        if carrying:
            nbformat.write(notebook, path)
    return found


def _data(carried: Any) -> dict[str, Any]:
    """The data of an output, which a notebook has as data, as text, or as lines of text."""
    if isinstance(carried, list):
        carried = "".join(carried)
    return json.loads(carried) if isinstance(carried, str) else carried


def _gallery(data: Mapping[str, Any], static: Path, whole: bool) -> str:
    """The gallery with its pictures as files, and with the script of its controls."""
    for name, picture in maps.pictures(data).items():
        path = static / "maps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    pages = "../../book/methods" if whole else ""
    html = maps.grids(data, source=lambda name, _: f"{SCRIPTS}/maps/{name}", method_pages=pages)
    return f'{html}<script src="{SCRIPTS}/gallery.js"></script>'


def _comparison(data: Mapping[str, Any], static: Path, whole: bool) -> str:
    """The comparison of any two methods, with its data in the page and as a file."""
    text = comparison.as_text(data)
    static.mkdir(parents=True, exist_ok=True)
    (static / "compare.json").write_text(text, "utf-8")
    within = text.replace("</", "<\\/")
    pages = ' data-methods="../../book/methods" data-metrics="../../book/metrics"' if whole else ""
    return (
        f'<div class="compare-two"{pages}></div>'
        f'<p><a href="{SCRIPTS}/compare.json" download>All pairs, as JSON</a>: means, per-image differences with their '
        "intervals, n and p, seconds and passes.</p>"
        f"{comparison.against_one(data)}"
        f'<script type="application/json" class="compare-data">{within}</script>'
        f'<script src="{SCRIPTS}/compare.js"></script>'
    )


_SHOWN = {MAPS_MIME: _gallery, COMPARED_MIME: _comparison}
