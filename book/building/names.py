"""What readers call a table, a figure, a method or a metric, for the search: see `names.js`."""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lib.methods import METHODS
from lib.metrics import METRICS

from ..report import PAPERS
from ..report.labels import metric_title
from . import concordance
from .concordance import Item
from .executed import Executed

FILE = "named.js"  # among the static files


class Named(NamedTuple):
    """A result of the search.

    Attributes:
        title: as it is listed.
        page, anchor: where it leads.
        called: what finds it, without regard to case, spaces and hyphens.
    """

    title: str
    page: str
    anchor: str
    called: tuple[str, ...]


def items(listed: Iterable[Item], pages: Sequence[Executed]) -> list[Named]:
    """Tables and figures of the papers: where they are recomputed, or their row in the concordance.

    Args:
        pages: the executed notebooks.
    """
    titles = {page.short: page.title for page in pages}
    found = []
    for one in listed:
        paper = PAPERS[one.paper]
        called = (one.item, f"{paper} {one.item}", f"{one.item} {paper}", f"{one.paper} {one.item}")
        places = [place.partition("#") for place in one.at]
        found += [
            Named(f"{one.title}: {titles[page]}", f"notebooks/{page}", anchor, called)
            for page, _, anchor in places
            if page in titles
        ]
        if not any(page in titles for page, *_ in places):
            found.append(Named(f"{one.title}: not run", concordance.AT, one.anchor, called))
    return found


def registries() -> list[Named]:
    """The pages of methods and of metrics."""
    methods = [
        Named(method.title, f"book/methods/{name}", "", (name, method.title))
        for name, method in METHODS.items()
    ]
    return methods + [
        Named(
            metric_title(metric),
            f"book/metrics/{name}",
            "",
            (name, metric.title, metric.symbol, metric_title(metric)),
        )
        for name, metric in METRICS.items()
    ]


def script(found: Sequence[Named]) -> str:
    """As the script that the page of the search loads.

    Example:
        >>> script([*items(listed, pages), *registries()])
    """
    return f"named({json.dumps(found, ensure_ascii=False)});\n"
