"""The data behind the pages of methods and metrics: the staged notebooks and their outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ...building.scoreboard import PAPERS, judged
from ...building.usage import Page, about, methods_of
from ...report.claims import Claim
from ...report.labels import variant_of


@dataclass(frozen=True)
class Known:
    """The book around a method or a metric.

    Attributes:
        pages: its notebooks.
        verdicts: on all claims, each with its page.
        maps: the data of the gallery; None if it is not in this book.
        compared: the data of the comparison of all methods; None if it is not in this book.
        claim_pages: the ids of the claims that have their own page.
    """

    pages: Sequence[Page] = ()
    verdicts: Sequence[Mapping[str, Any]] = ()
    maps: Mapping[str, Any] | None = None
    compared: Mapping[str, Any] | None = None
    claim_pages: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def claims(self) -> list["Judged"]:
        """All claims with their verdicts, in the book's order of papers."""
        table = judged(self.verdicts)
        found = {(row.paper, row.id): row for row in table.itertuples()}
        return [
            Judged(claim, found[paper, claim.id].verdict, found[paper, claim.id].page)
            for paper in PAPERS
            for claim in about(paper)
            if (paper, claim.id) in found
        ]

    def about_method(self, name: str) -> tuple[list["Judged"], list["Judged"]]:
        """The claims about a method or one of its variants, and those that compare other methods with it."""
        own = [one for one in self.claims if _is(one.claim.method, name)]
        others = [
            one
            for one in self.claims
            if one not in own and any(_is(label, name) for label in methods_of(one.claim))
        ]
        return own, others

    def about_metric(self, name: str) -> list["Judged"]:
        """The claims that a metric decides."""
        return [one for one in self.claims if name in one.claim.metrics]

    def costs(self, method: str) -> dict[str, Mapping[str, Any]]:
        """The cost of a method, by network."""
        networks = self.compared["networks"] if self.compared else ()
        return {net["network"]: net["costs"][method] for net in networks if method in net["costs"]}


@dataclass(frozen=True)
class Judged:
    """A claim, the verdict over all networks, and the page that decides it."""

    claim: Claim
    verdict: str
    page: str


def _is(label: str | None, method: str) -> bool:
    return label is not None and variant_of(label).method == method


def claim_pages(source: Path) -> frozenset[str]:
    """The ids of the claims that have their own page below the folder of the book's sources."""
    return frozenset(path.stem for path in source.glob("book/claims/*.md"))
