"""The scoreboard: what became of each claim, read from the executed notebooks."""

from collections import Counter
from collections.abc import Iterable
from html import escape
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
from nbformat import NotebookNode

from ..report import SYMBOLS, VERDICTS_MIME, combine
from ..report.markup import verdict_html

PAPERS = {
    "opticam": "Opti-CAM",
    "liftcam": "LIFT-CAM",
    "contrast": "Why Not Other Classes?",
    "diffcam": "DiffCAM",
    "calm": "CALM",
}

Verdict = dict[str, Any]  # paper, id, place, text, network, verdict, evidence, page


def verdicts(notebook: NotebookNode, page: str) -> list[Verdict]:
    """The verdicts that the tables of a notebook carry, each with the page it stands on."""
    return [
        {**verdict, "page": page}
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        for verdict in output.get("data", {}).get(VERDICTS_MIME, [])
    ]


def judged(found: Iterable[Verdict]) -> pd.DataFrame:
    """One row a claim: its verdict over all networks, and the networks' own in `each`.

    A claim that stands on several pages counts once, where it is judged first.
    """
    first: dict[tuple, Verdict] = {}
    for verdict in found:
        first.setdefault((verdict["paper"], verdict["id"], verdict["network"]), verdict)
    rows = []
    for (paper, name), group in groupby(_by_paper(first.values()), key=lambda v: (v["paper"], v["id"])):
        each = list(group)
        rows.append(
            {
                "paper": paper,
                "id": name,
                "place": each[0]["place"],
                "text": each[0]["text"],
                "page": each[0]["page"],
                "verdict": combine(verdict["verdict"] for verdict in each),
                "each": each,
            }
        )
    return pd.DataFrame(rows, columns="paper id place text page verdict each".split())


def _by_paper(found: Iterable[Verdict]) -> list[Verdict]:
    """In the book's order of papers, else in the order of appearance."""
    found = list(found)
    claims = list(dict.fromkeys((verdict["paper"], verdict["id"]) for verdict in found))
    papers = list(PAPERS)
    return sorted(
        found,
        key=lambda v: (papers.index(v["paper"]), claims.index((v["paper"], v["id"]))),
    )


# Pages ------------------------------------------------------------------------------------------


def summary(found: Iterable[Verdict]) -> str:
    """One row a paper: how many of its claims hold, fail, and so on."""
    table = judged(found)
    if table.empty:
        return "No claim has been judged yet.\n"
    shown = [verdict for verdict in SYMBOLS if verdict in set(table["verdict"])]
    head = "".join(f"<th>{verdict_html(verdict)}</th>" for verdict in shown)
    rows = []
    for paper, claims in table.groupby("paper", sort=False):
        counts = Counter(claims["verdict"])
        cells = "".join(f"<td>{counts[verdict] or '·'}</td>" for verdict in shown)
        rows.append(f'<tr><th scope="row">{escape(PAPERS[paper])}</th>{cells}<td>{len(claims)}</td></tr>')
    return _scroll(
        f'<table class="summary"><thead><tr><th>Paper</th>{head}<th>claims</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def claims(found: Iterable[Verdict]) -> str:
    """One table a paper: every claim, where it is made and judged, its verdict, and the evidence."""
    sections = []
    for paper, table in judged(found).groupby("paper", sort=False):
        rows = "".join(map(_claim_row, table.to_dict("records")))
        head = "<tr><th>Claim</th><th>Verdict</th><th>Evidence</th></tr>"
        html = _scroll(f'<table class="claims"><thead>{head}</thead><tbody>{rows}</tbody></table>')
        sections.append(f"## {PAPERS[paper]}\n\n{html}")
    return "\n\n".join(sections) or "No claim has been judged yet.\n"


def _claim_row(claim: dict[str, Any]) -> str:
    # Raw HTML, so the link is written as the built pages lie: this one is in book/.
    link = f"../{PurePosixPath(claim['page'])}.html"
    evidence = "".join(f"<li>{_evidence(verdict)}</li>" for verdict in claim["each"] if verdict["evidence"])
    return (
        f'<tr id="{escape(claim["id"])}"><td>{escape(claim["text"])} '
        f'<a href="{escape(link)}">{escape(claim["place"])}</a></td>'
        f"<td>{verdict_html(claim['verdict'])}</td><td><ul>{evidence}</ul></td></tr>"
    )


def _evidence(verdict: Verdict) -> str:
    return f"{SYMBOLS[verdict['verdict']]} <code>{escape(verdict['network'])}</code> {escape(verdict['evidence'])}"


def _scroll(table: str) -> str:
    return f'<div class="table-scroll">{table}</div>\n'
