"""The verdict on each claim, read from the executed notebooks."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from nbformat import NotebookNode

from lib.errors import unknown

from ..report import PAPERS, VERDICTS_MIME, combine

__all__ = ["Verdict", "judged", "verdicts"]

Verdict = dict[str, Any]  # a row of `report.judge`, and the page


def verdicts(notebook: NotebookNode, page: str) -> list[Verdict]:
    """The verdicts in the tables of a notebook, each with its page, and with the differences behind it if the
    notebook has kept them."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            told = output.get("data", {}).get(VERDICTS_MIME, [])
            kept = output.get("metadata", {}).get("differences") or [[]] * len(told)
            found += [
                {**verdict, "page": page} | ({"differences": differences} if differences else {})
                for verdict, differences in zip(told, kept)
            ]
    return found


def judged(found: Iterable[Verdict]) -> pd.DataFrame:
    """One row per claim, in the book's order of papers: its verdict over all networks, and in `each` the
    verdict on each network.

    A claim that several pages judge counts on the first page that ran what it needs.

    Raises:
        UnknownName: a verdict on a paper that the book does not know.
    """
    claims: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in found:
        if verdict["paper"] not in PAPERS:
            raise unknown("paper", verdict["paper"], PAPERS)
        claims.setdefault((verdict["paper"], verdict["id"]), []).append(verdict)
    rows = []
    for (paper, name), stands in claims.items():
        page = next((v["page"] for v in stands if v["verdict"] != "not run"), stands[0]["page"])
        each = [verdict for verdict in stands if verdict["page"] == page]
        verdict = combine(one["verdict"] for one in each)
        statement, place, text = (each[0][key] for key in ("statement", "place", "text"))
        rows.append((paper, name, statement, place, text, page, verdict, each))
    rows.sort(key=lambda row: list(PAPERS).index(row[0]))
    return pd.DataFrame(rows, columns="paper id statement place text page verdict each".split())
