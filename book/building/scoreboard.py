"""The scoreboard: what became of each claim, read from the executed notebooks."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
from nbformat import NotebookNode

from lib.errors import unknown

from ..report import SYMBOLS, VERDICTS_MIME, combine
from ..report.markup import evidence_html, verdict_html

PAPERS = {
    "opticam": "Opti-CAM",
    "liftcam": "LIFT-CAM",
    "contrast": "Why Not Other Classes?",
    "diffcam": "DiffCAM",
    "calm": "CALM",
}

Verdict = dict[str, Any]  # a row of `report.judge`, and the page


def verdicts(notebook: NotebookNode, page: str) -> list[Verdict]:
    """The verdicts that the tables of a notebook carry, each with the page it stands on."""
    return [
        {**verdict, "page": page}
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for verdict in output.get("data", {}).get(VERDICTS_MIME, [])
    ]


def judged(found: Iterable[Verdict]) -> pd.DataFrame:
    """One row a claim, in the book's order of papers: its verdict over all networks, and `each`.

    A claim that stands on several pages counts on the first that ran what it needs.

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


# Pages ------------------------------------------------------------------------------------------


def summary(found: Iterable[Verdict]) -> str:
    """One row a paper: how many of its statements hold, fail, and so on. Claims of one sentence are one
    statement, which holds if all of them do."""
    table = judged(found)
    if table.empty:
        return "No claim has been judged yet.\n"
    table = table.groupby(["paper", "statement"], sort=False)["verdict"].agg(combine).reset_index()
    shown = [verdict for verdict in SYMBOLS if verdict in set(table["verdict"])]
    head = "".join(f"<th>{verdict_html(verdict)}</th>" for verdict in shown)
    rows = []
    for paper, claims in table.groupby("paper", sort=False):
        counts = Counter(claims["verdict"])
        cells = "".join(f"<td>{counts[verdict] or '·'}</td>" for verdict in shown)
        rows.append(
            f'<tr><th scope="row">{escape(PAPERS[paper])}</th>{cells}<td>{len(claims)}</td></tr>'
        )
    return _scroll(
        f'<table class="summary"><thead><tr><th>Paper</th>{head}<th>statements</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def claims(found: Iterable[Verdict]) -> str:
    """One table a paper: every claim, where it is made and judged, its verdict, the evidence."""
    sections = []
    for paper, table in judged(found).groupby("paper", sort=False):
        rows = "".join(map(_claim_row, table.to_dict("records")))
        head = "<tr><th>Claim</th><th>Verdict, and what decides it</th></tr>"
        html = _scroll(f'<table class="claims"><thead>{head}</thead><tbody>{rows}</tbody></table>')
        sections.append(f"## {PAPERS[paper]}\n\n{html}")
    return "\n\n".join(sections) or "No claim has been judged yet.\n"


def _claim_row(claim: dict[str, Any]) -> str:
    # Raw HTML, so the link is written as the built pages lie: this one is in book/.
    link = f"../{PurePosixPath(claim['page'])}.html"
    evidence = "".join(
        f"<li>{evidence_html(verdict)}</li>" for verdict in claim["each"] if verdict["evidence"]
    )
    decided_by = f"<ul>{evidence}</ul>" if evidence else ""
    return (
        f'<tr id="{escape(claim["id"])}"><td>{escape(claim["text"])} '
        f'<a href="{escape(link)}">{escape(claim["place"])}</a></td>'
        f"<td>{verdict_html(claim['verdict'])}{_networks(claim)}{decided_by}</td></tr>"
    )


def _networks(claim: dict[str, Any]) -> str:
    """On how many networks, where there are several."""
    each = [verdict["verdict"] for verdict in claim["each"] if verdict["network"]]
    if len(each) < 2:
        return ""
    return f" on {each.count(claim['verdict'])} of {len(each)} networks"


def _scroll(table: str) -> str:
    return f'<div class="table-scroll">{table}</div>\n'
