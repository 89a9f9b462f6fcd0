"""The pages that use a method or a metric, from the code of pages and from their verdicts."""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat

from lib.errors import UnknownName
from lib.methods import METHODS
from lib.metrics import METRICS

from .. import report
from ..report.claims import Claim, claims
from ..report.labels import variant_of
from ..report.published import printed_methods

Verdicts = Iterable[Mapping[str, str]]


@dataclass(frozen=True)
class Page:
    """A notebook of the book.

    Attributes:
        name: the path from the project's root, without a suffix.
        title: the first heading.
        methods, metrics: those that the code of the page names, or that are in claims which it judges.
        tables: the tables of its paper that it shows.
    """

    name: str
    title: str
    methods: frozenset[str]
    metrics: frozenset[str]
    tables: tuple[str, ...]

    @property
    def paper(self) -> str:
        return Path(self.name).parent.name


def pages(source: Path, verdicts: Verdicts = ()) -> list[Page]:
    """The notebooks below a folder, in the order of their names.

    Args:
        source: holds the folder `notebooks`.
        verdicts: as the scoreboard reads them.

    Example:
        >>> [page.title for page in pages(source) if "score_cam" in page.methods]
    """
    judged: dict[str, set[str]] = {}
    for verdict in verdicts:
        judged.setdefault(verdict["page"], set()).add(verdict["id"])
    return [
        _page(path, path.relative_to(source).with_suffix("").as_posix(), judged)
        for path in sorted(source.glob("notebooks/*/*.ipynb"))
    ]


def _page(path: Path, name: str, judged: Mapping[str, set[str]]) -> Page:
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    named, tables, asked = _named(
        cell.source for cell in notebook.cells if cell.cell_type == "code"
    )
    paper = path.parent.name
    for table in asked:
        named |= set(_printed(paper, table)["method"])
    for table in tables:
        named |= set(_printed(paper, table)["metric"])
    for claim in about(paper):
        if claim.id in judged.get(name, ()):
            named |= methods_of(claim) | {*claim.metrics}
    methods = {variant_of(label).method for label in named}
    return Page(
        name,
        title[1] if title else path.stem,
        frozenset(methods & METHODS.keys()),
        frozenset(named & METRICS.keys()),
        tuple(tables),
    )


def _printed(paper: str, table: str):
    try:
        return report.published(paper, table)
    except UnknownName:  # a table whose numbers are not entered
        return report.published("opticam").iloc[:0]


def _named(cells: Iterable[str]) -> tuple[set[str], list[str], list[str]]:
    """All strings in the code; the tables that it shows; the tables whose methods it asks for."""
    named, tables, asked = set(), [], []
    for source in cells:
        try:
            tree = ast.parse(source)
        except SyntaxError:  # a command of IPython
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if not isinstance(first, ast.Constant):
                    continue
                if node.func.attr == "table":
                    tables.append(str(first.value))
                if node.func.attr == "methods_of":
                    asked.append(str(first.value))
    return named, list(dict.fromkeys(tables)), asked


# Claims -----------------------------------------------------------------------------------------


def about(paper: str) -> list[Claim]:
    """The claims of a paper; none if it is no paper of the book."""
    try:
        return claims(paper)
    except UnknownName:
        return []


def methods_of(claim: Claim) -> set[str]:
    """The labels of the methods that a claim is about or compares with."""
    rivals = claim.rivals
    if claim.kind in ("above", "below", "untested"):
        rivals = []
    elif rivals == "others":
        rivals = printed_methods(claim.paper, claim.place, claim.networks)
    return ({*rivals} - {*claim.excluding}) | ({claim.method} if claim.method else set())
