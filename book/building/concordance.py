"""Every table and figure of the papers: where the book recomputes it, how completely, and on which images."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import yaml
from bs4 import BeautifulSoup
from docutils.nodes import make_id
from nbformat import NotebookNode

from lib.errors import unknown
from lib.manifests import StrictLoader
from lib.paths import MANIFESTS

from ..report import PAPERS
from ..report.markup import item_name
from .contents import link
from .executed import Executed

AT = "book/concordance"


@dataclass(frozen=True)
class Item:
    """A table or figure of a paper; see `data_manifests/book/concordance.yaml`.

    Attributes:
        at: pages, each with an anchor, without the folder of notebooks.
        partly: what is missing of the item.
        not_run: why it is not recomputed.
    """

    paper: str
    item: str
    shows: str
    at: tuple[str, ...] = ()
    partly: str = ""
    not_run: str = ""

    def __post_init__(self) -> None:
        if bool(self.at) == bool(self.not_run):
            raise ValueError(
                f"{self.title}: say either where it is recomputed (at) or why not (not_run)"
            )

    @property
    def title(self) -> str:
        """As captions name it.

        Example:
            >>> Item("opticam", "Figure A4", "...", at=("opticam/11_selectivity#figure-a4",)).title
            'Opti-CAM, figure A4'
        """
        return item_name(self.paper, self.item)

    @property
    def anchor(self) -> str:
        return make_id(f"{self.paper} {self.item}")


def items() -> list[Item]:
    """All tables and figures in the list, in the book's order of papers.

    Raises:
        UnknownName: a paper that the book does not have.
        ValueError: an entry has neither a page nor a reason why it is not run, or has both.
    """
    with (MANIFESTS / "book" / "concordance.yaml").open(encoding="utf-8") as file:
        listed = yaml.load(file, StrictLoader)
    found = []
    for paper, entries in listed.items():
        if paper not in PAPERS:
            raise unknown("paper", paper, PAPERS)
        found += [_item(paper, entry) for entry in entries]
    return sorted(found, key=lambda one: [*PAPERS].index(one.paper))


def _item(paper: str, entry: Mapping[str, Any]) -> Item:
    at = entry.get("at", ())
    return Item(paper, **{**entry, "at": (at,) if isinstance(at, str) else tuple(at)})


def anchors(notebook: NotebookNode) -> set[str]:
    """The anchors of a page: its headings, its labels, and its figures."""
    named = {
        make_id(output["metadata"]["name"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("metadata", {}).get("name")
    }
    texts = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = {make_id(heading) for heading in re.findall(r"^#+ (.+)$", texts, re.M)}
    return named | headings | {make_id(mark) for mark in re.findall(r"^\((.+)\)=$", texts, re.M)}


# What is missing of a table ---------------------------------------------------------------------


def gaps(page: Executed, anchor: str, title: str) -> list[str]:
    """The printed cells of a table that have no number on a page, in words, for each network of the page.

    Args:
        anchor: the heading above the table.
        title: of the table. If no caption names it, all tables under the heading count.
    """
    tables = [table for output in _under(page.notebook, anchor) for table in _comparisons(output)]
    own = [
        table for table in tables if table.caption and table.caption.text.startswith(f"{title}.")
    ]
    return [words for table in own or tables if (words := _missing(table))]


def _under(notebook: NotebookNode, anchor: str) -> Iterator[NotebookNode]:
    """The outputs between a heading and the next one."""
    here = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^#+ (.+)$", cell.source, re.M):
                here = make_id(heading) == anchor
        elif here:
            yield from cell.get("outputs", [])


def _comparisons(output: NotebookNode) -> list[Any]:
    html = output.get("data", {}).get("text/html", "")
    return (
        BeautifulSoup(html, "html.parser").select("table.comparison")
        if "comparison" in html
        else []
    )


def _missing(table: Any) -> str:
    """The rows of a comparison table in which a printed number has no number of ours beside it."""
    missing = []
    for row in table.tbody.find_all("tr"):
        cells = row.find_all("td")
        pairs = [
            (theirs.text.strip(), ours.text.strip())
            for theirs, ours in zip(cells[::2], cells[1::2])
        ]
        printed = [ours for theirs, ours in pairs if re.match(r"[−-]?\d", theirs)]
        without = [ours for ours in printed if not re.match(r"[−-]?\d", ours)]
        if without:
            name = row.th.find(string=True, recursive=False).strip()
            missing.append(
                name
                if len(without) == len(printed)
                else f"{name} ({len(without)} of {len(printed)})"
            )
    network = table.caption.find("code") if table.caption else None
    where = f"on {network.text} " if network else ""
    return f"{where}without {', '.join(missing)}" if missing else ""


# The page ---------------------------------------------------------------------------------------


def concordance(listed: Sequence[Item], pages: Sequence[Executed]) -> str:
    """One table per paper, one row per item: its status, what it rests on, and the seconds of its page.

    Args:
        pages: the executed notebooks; an item of any other page is listed as not in this copy.
    """
    by_name = {page.short: page for page in pages}
    head = "".join(
        f'<th scope="col">{word}</th>'
        for word in ("Item", "What it shows", "Recomputed", "Rests on", "Time of the page")
    )
    sections = []
    for paper, title in PAPERS.items():
        rows = "".join(_row(one, by_name) for one in listed if one.paper == paper)
        table = f'<table class="cams concordance"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
        sections.append(f"## {title}\n\n{table}\n")
    return "\n".join(sections)


def counts(listed: Sequence[Item]) -> dict[str, int]:
    """How many tables and figures there are, and how many of them are recomputed."""
    return {"items": len(listed), "recomputed": sum(not one.not_run for one in listed)}


def _row(one: Item, pages: Mapping[str, Executed]) -> str:
    here = [pages[place.partition("#")[0]] for place in one.at if place.partition("#")[0] in pages]
    cells = [
        escape(one.shows),
        _recomputed(one, pages),
        escape(_bases(one, here)) or "–",
        _time(here),
    ]
    row = "".join(f"<td>{cell}</td>" for cell in cells)
    # The paper is named above the table; here it is for searches and for screen readers.
    paper = f'<span class="visually-hidden">{escape(PAPERS[one.paper])}, </span>'
    return f'<tr id="{one.anchor}"><th scope="row">{paper}{escape(one.item)}</th>{row}</tr>'


def _recomputed(one: Item, pages: Mapping[str, Executed]) -> str:
    """The status, with links to the pages."""
    if one.not_run:
        return f"<strong>not run</strong>: {escape(one.not_run)}"
    links, missing = [], [one.partly] if one.partly else []
    for place in one.at:
        name, _, anchor = place.partition("#")
        if page := pages.get(name):
            links.append(f'<a href="{link(f"notebooks/{place}", AT)}">{escape(page.title)}</a>')
            missing += gaps(page, anchor, one.title) if one.item.startswith("Table") else []
    if not links:
        return "<strong>not run</strong>: its page is not in this copy"
    status = "partly" if missing else "computed"
    why = f"<br><small>{escape('; '.join(missing))}</small>" if missing else ""
    return f"<strong>{status}</strong>: {', '.join(dict.fromkeys(links))}{why}"


def _bases(one: Item, pages: Sequence[Executed]) -> str:
    """What the verdicts on the claims of an item rest on; without such claims, all verdicts of its pages."""
    verdicts = [verdict for page in pages for verdict in page.verdicts if verdict["rests_on"]]
    own = [verdict for verdict in verdicts if re.match(rf"{one.item}\b", verdict["place"])]
    return ", ".join(dict.fromkeys(verdict["rests_on"] for verdict in own or verdicts))


def _time(pages: Sequence[Executed]) -> str:
    known = [page.seconds for page in dict.fromkeys(pages) if page.seconds is not None]
    return f"{sum(known):,.0f} s" if known else "–"
