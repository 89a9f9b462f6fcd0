"""The parts that pages of methods and metrics share, as Markdown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ...report import PAPERS
from ...report.markup import verdict_html
from ...report.verdicts import SYMBOLS
from . import bibliography
from .known import Judged, Known

SHOWN = 14  # claims of a table that does not fold


def options(values: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """Options with their defaults and descriptions, as a list of definitions."""
    if not values:
        return "There are no options.\n"
    return "\n".join(
        f"`{name} = {shown(default)}`\n: {said.get(name, '')}\n" for name, default in values.items()
    )


def shown(value: Any) -> str:
    """A default as it is written in code; a long tuple or float is shortened."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple) and len(value) > 6:
        return f"({', '.join(map(repr, value[:3]))}, …)"
    return repr(value)


def pages(known: Known, kind: str, name: str) -> str:
    """The list of the pages of the book that use a method or metric, by paper and title."""
    found = [page for page in known.pages if name in getattr(page, kind)]
    if not found:
        return "No page of this book uses it. It is part of the library alone.\n"
    order = [*PAPERS]
    found.sort(key=lambda page: (order.index(page.paper) if page.paper in order else 99, page.name))
    return "".join(
        f"* {PAPERS[page.paper] + ': ' if page.paper in PAPERS else ''}[{page.title}](../../{page.name})\n"
        for page in found
    )


def verdicts(known: Known, found: Iterable[Judged]) -> str:
    """The table of claims with their verdicts, each with a link to its evidence."""
    rows = "".join(
        f"<tr><td>{verdict_html(one.verdict)}</td><td>{escape(one.claim.text)} "
        f'<a href="{evidence(known, one)}">{escape(PAPERS[one.claim.paper])}, '
        f"{escape(one.claim.place)}</a></td></tr>"
        for one in found
    )
    head = '<tr><th scope="col">Verdict</th><th scope="col">Claim, with a link to its evidence</th></tr>'
    return (
        f'<div class="table-scroll"><table class="cams taking-part"><thead>{head}</thead>'
        f"<tbody>{rows}</tbody></table></div>\n"
    )


def listed(known: Known, found: Sequence[Judged]) -> str:
    """The table of claims; a long one is folded under a sentence that counts the verdicts."""
    if len(found) <= SHOWN:
        return verdicts(known, found)
    counts = Counter(one.verdict for one in found)
    counted = ", ".join(f"{verdict} {counts[verdict]}" for verdict in SYMBOLS if verdict in counts)
    return folded(f"{len(found)} claims: {counted}", verdicts(known, found))


def folded(title: str, text: str) -> str:
    """A part that is folded under its title."""
    return f":::{{dropdown}} {title}\n{text}:::\n"


def evidence(known: Known, one: Judged) -> str:
    """The relative address of a claim's evidence from a page in `book/methods` or `book/metrics`."""
    if one.claim.id in known.claim_pages:
        return f"../claims/{one.claim.id}.html"
    return f"../../{one.page}.html"


def cite(key: str) -> str:
    """The citation of a paper, its address, and its BibTeX entry to copy."""
    where = bibliography.link(key)
    said = f"{{cite:t}}`{key}`" + (f", <{where}>" if where else "")
    return f"{said}\n\n```{{code-block}} bibtex\n{bibliography.bibtex(key)}\n```\n"
