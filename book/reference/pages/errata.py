"""The errata of the papers: the printed text, the error in it, and the evidence."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml

from lib.errors import unknown
from lib.manifests import StrictLoader
from lib.paths import MANIFESTS

from ... import report
from ...building.usage import about
from ...report import PAPERS
from ...report.labels import method_title, metric_label
from ...report.markup import evidence_html
from .demonstrations import DEMONSTRATIONS, Shown
from .known import Known

FILE = MANIFESTS / "book" / "errata.yaml"


@dataclass(frozen=True)
class Erratum:
    """An error of a paper; its fields are those of `data_manifests/book/errata.yaml`."""

    id: str
    title: str
    paper: str
    place: str
    says: str
    found: str
    page: str
    cells: tuple[tuple[str, ...], ...] = ()
    order: str = ""
    computed: str = ""
    claim: str = ""
    output: str = ""

    def __post_init__(self) -> None:
        if self.paper not in PAPERS:
            raise unknown(f"paper in erratum {self.id!r}:", self.paper, PAPERS)
        if self.computed and self.computed not in DEMONSTRATIONS:
            raise unknown(f"demonstration of erratum {self.id!r}:", self.computed, DEMONSTRATIONS)
        if self.order and not self.cells:
            raise ValueError(f"erratum {self.id!r}: an order is one of cells")

    @property
    def printed(self) -> list[str]:
        """The numbers of its cells as the paper prints them."""
        return [_cell(self.paper, *cell) for cell in self.cells]


def read(path: Path = FILE) -> list[Erratum]:
    """All errata, in the order of the file.

    Raises:
        ValueError: a field is missing or wrong, or the paper's numbers do not have the stated order, so
            that there is no error.
    """
    with path.open(encoding="utf-8") as file:
        entries = yaml.load(file, StrictLoader)
    valid = [f.name for f in fields(Erratum)]
    found = []
    for entry in entries:
        for key in entry:
            if key not in valid:
                raise unknown(f"field in erratum {entry.get('id')!r}:", key, valid)
        cells = tuple(tuple(map(str, cell)) for cell in entry.get("cells", ()))
        found.append(Erratum(**{**entry, "cells": cells}))
        _check_order(found[-1])
    return found


def _cell(paper: str, table: str, network: str, method: str, metric: str) -> str:
    cells = report.published(paper, table)
    wanted = {"network": network, "method": method, "metric": metric}
    for name, value in wanted.items():
        cells = cells[cells[name] == value]
    if len(cells) != 1:
        raise ValueError(f"table {table} of {paper} has {len(cells)} cells of {wanted}; name one")
    return cells["printed"].iloc[0]


def _check_order(erratum: Erratum) -> None:
    """Check that the printed numbers have the order that the erratum states."""
    if not erratum.order:
        return
    numbers = [float(text) for text in erratum.printed]
    chain = re.split(r"\s*([<>])\s*", erratum.order)
    for i in range(0, len(chain) - 2, 2):
        left, sign, right = numbers[int(chain[i]) - 1], chain[i + 1], numbers[int(chain[i + 2]) - 1]
        if not (left < right if sign == "<" else left > right):
            raise ValueError(
                f"erratum {erratum.id!r}: {left:g} {sign} {right:g} is wrong: it is none"
            )


# The page ---------------------------------------------------------------------------------------


def page(known: Known, source: Path) -> str:
    """All errata by paper, and the notes on single numbers, as Markdown.

    Args:
        source: holds the executed notebooks, whose outputs some errata show.
    """
    by_paper: dict[str, list[Erratum]] = {paper: [] for paper in PAPERS}
    for erratum in read():
        by_paper[erratum.paper].append(erratum)
    sections = []
    for paper, errata in by_paper.items():
        parts = [entry(erratum, known, source) for erratum in errata]
        if notes := remarks(paper, known):
            parts.append(f"### Notes on single numbers of {PAPERS[paper]}\n\n{notes}")
        if parts:
            sections.append("\n\n".join([f"## {PAPERS[paper]}", *parts]))
    return "\n\n".join(sections) + "\n"


def entry(erratum: Erratum, known: Known, source: Path) -> str:
    """One erratum: the printed text, the error, and the evidence."""
    shown = Shown({})
    if erratum.computed:
        shown = DEMONSTRATIONS[erratum.computed]([float(text) for text in erratum.printed])
    values = {str(i): text for i, text in enumerate(erratum.printed, 1)} | shown.values
    says, found = (_filled(text, values) for text in (erratum.says, erratum.found))
    title = next(
        (p.title for p in known.pages if p.name == f"notebooks/{erratum.page}"), erratum.page
    )
    blocks = [
        f"(erratum-{erratum.id})=\n### {erratum.title}",
        f"**{erratum.place}.** {says}",
        f"**Found:** {found}",
        table(shown.headings, shown.rows) if shown.rows else "",
        _claim(erratum, known),
        _output(erratum, source),
        f"More on the page [{title}](../notebooks/{erratum.page}).",
    ]
    return "\n\n".join(filter(None, blocks))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its numbers filled in; a missing number is an error that lists the existing ones."""

    def value(found: re.Match) -> str:
        if found[1] not in values:
            raise unknown("number of an erratum", found[1], values)
        return values[found[1]]

    return re.sub(r"\{(\w+)\}", value, text)


def _claim(erratum: Erratum, known: Known) -> str:
    """The verdicts on the claim that shows an erratum, for each network."""
    if not erratum.claim:
        return ""
    if erratum.claim not in [claim.id for claim in about(erratum.paper)]:
        raise ValueError(f"erratum {erratum.id!r}: {erratum.paper} has no claim {erratum.claim!r}")
    found = [v for v in known.verdicts if v["id"] == erratum.claim]
    lines = "".join(f"<li>{evidence_html(verdict)}</li>" for verdict in found)
    return (
        f"<ul>{lines}</ul>"
        if lines
        else "The page that shows this is not in this copy of the book."
    )


def _output(erratum: Erratum, source: Path) -> str:
    """The output of the cell that shows an erratum, from its page."""
    path = source / f"notebooks/{erratum.page}.ipynb"
    if not erratum.output or not path.is_file():
        return ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and erratum.output in cell.source:
            tables = [
                output.data["text/html"]
                for output in cell.outputs
                if "text/html" in output.get("data", {})
            ]
            if tables:
                return f'<div class="table-scroll" tabindex="0">{_plain(tables[0])}</div>'
    raise ValueError(f"erratum {erratum.id!r}: no cell of {erratum.page} shows {erratum.output!r}")


def _plain(html: str) -> str:
    """A table of pandas in the style of this page; blank lines are removed, since they end HTML in Markdown."""
    html = re.sub(
        r"<style.*?</style>|<div>|</div>| border=\"1\"| style=\".*?\"", "", html, flags=re.DOTALL
    )
    html = "".join(line.strip() for line in html.splitlines())
    head, _, body = html.replace('class="dataframe"', 'class="cams errata"').partition("</thead>")
    scoped = (
        part.replace("<th>", f'<th scope="{scope}">')
        for part, scope in ((head, "col"), (body, "row"))
    )
    return "</thead>".join(scoped)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table as HTML; the first column has the headers of the rows."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams errata"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


# Notes ------------------------------------------------------------------------------------------


def remarks(paper: str, known: Known) -> str:
    """The notes on published numbers, one row for all numbers of a table with the same note."""
    cells = report.published(paper)
    cells = cells[cells["note"] != ""]
    rows = []
    for (name, note), of in cells.groupby(["table", "note"], sort=False):
        where = next((p for p in known.pages if p.paper == paper and name in p.tables), None)
        place = (
            f'<a href="../{where.name}.html">{escape(_table(name))}</a>'
            if where
            else escape(_table(name))
        )
        rows.append(
            f'<tr><th scope="row">{place}</th><td>{_numbers(of)}</td><td class="prose">{escape(note)}</td></tr>'
        )
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Place", "Printed", "Note"))
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams errata"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _table(name: Any) -> str:
    return str(name) if str(name).startswith("Figure") else f"Table {name}"


def _numbers(cells: pd.DataFrame) -> str:
    """The numbers of a note: each of them if they are few, else their number."""
    if len(cells) > 3:
        return f"{len(cells)} numbers"
    return "<br>".join(
        f"{escape(row.printed)}: {escape(method_title(row.method, row.title))}, "
        f"{escape(metric_label(row.metric).symbol)}, {escape(row.network)}"
        for row in cells.itertuples()
    )
