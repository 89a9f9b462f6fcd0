"""The scoreboard: the table of all claims, to filter and sort, and the summary on the front page."""

import json
from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from ..report import PAPERS, SYMBOLS, Claim
from ..report.labels import metric_label
from ..report.markup import verdict_html
from . import claims
from .answers import statements
from .contents import link

AT = "book/scoreboard"
NOTHING = "No claim has been judged yet.\n"

# The columns of the summary: the heading, and the verdicts that are counted under it.
_COUNTED = {
    "holds": ("holds",),
    "fails": ("fails",),
    "doubted": ("doubted",),
    "equal": ("equal",),
    "undecided": ("undecided",),
    "untested": ("not enough images", "not testable here", "not run"),
}

_HYPHENED = {
    "undecided": "unde&shy;cided",
    "untested": "un&shy;tested",
    "doubted": "doubt&shy;ed",
}  # on a phone


def summary(found: pd.DataFrame) -> str:
    """One row per paper: how many of its statements hold, fail, and so on. Claims from one sentence are one
    statement, which holds if all of them hold.

    Args:
        found: the result of `scoreboard.judged`.
    """
    if found.empty:
        return NOTHING
    table = statements(found)
    seen = set(table["verdict"])
    columns = {word: of for word, of in _COUNTED.items() if seen & set(of)}
    head = "".join(f'<th scope="col">{_heading(word, of)}</th>' for word, of in columns.items())
    rows = []
    for paper, of in table.groupby("paper", sort=False):
        counts = Counter(of["verdict"])
        cells = "".join(
            f"<td>{_count(paper, verdicts, counts)}</td>" for verdicts in columns.values()
        )
        name = f'<a href="scoreboard.html#paper={paper}">{escape(PAPERS[paper])}</a>'
        rows.append(f'<tr><th scope="row">{name}</th>{cells}<td>{len(of)}</td></tr>')
    return (
        f'<table class="cams summary"><thead><tr><th scope="col">Paper</th>{head}<th scope="col">all</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>\n"
    )


def _heading(word: str, verdicts: tuple[str, ...]) -> str:
    symbol = SYMBOLS[verdicts[-1]]
    kind = verdicts[0].split()[0]
    return f'<span class="cams-verdict {kind}" aria-hidden="true">{symbol}</span> {_HYPHENED.get(word, word)}'


def _count(paper: str, verdicts: tuple[str, ...], counts: Counter) -> str:
    n = sum(counts[verdict] for verdict in verdicts)
    if not n:
        return "·"
    shown = ",".join(verdict for verdict in verdicts if counts[verdict])
    return f'<a href="scoreboard.html#paper={paper}&amp;verdict={shown.replace(" ", "+")}">{n}</a>'


def table(found: pd.DataFrame, titles: Mapping[str, str]) -> str:
    """One row per claim: paper, claim and place, verdict, what it rests on, method and metric.

    Args:
        found: the result of `scoreboard.judged`.
        titles: the titles of the pages, by name.
    """
    if found.empty:
        return NOTHING
    declared = claims.known()
    head = "".join(
        f'<th scope="col" data-sort="{key}">{word}</th>'
        for key, word in {
            "paper": "Paper",
            "claim": "Claim",
            "verdict": "Verdict",
            "basis": "Rests on",
            "method": "Method",
            "metric": "Metric",
        }.items()
    )
    rows = "".join(_row(row, declared.get(row["id"]), titles) for row in found.to_dict("records"))
    return (
        '<div class="cams-board" id="board"><table class="cams board">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>\n"
    )


def _row(row: Mapping[str, Any], claim: Claim | None, titles: Mapping[str, str]) -> str:
    bases = dict.fromkeys(one["rests_on"] for one in row["each"] if one["rests_on"])
    methods = claims.methods(claim)
    metrics = [metric_label(metric).symbol for metric in claim.metrics] if claim else []
    data = {
        "paper": row["paper"],
        "verdict": row["verdict"],
        "basis": "|".join(bases),
        "method": "|".join(methods),
        "metric": "|".join(metrics),
        "page": row["page"].removeprefix("notebooks/"),
        "statement": row["statement"],
    }
    attributes = "".join(f' data-{key}="{escape(value)}"' for key, value in data.items())
    page = escape(titles.get(row["page"], row["page"]))
    judges = link(f"{row['page']}#{claims.anchor(row['id'])}", AT)
    return (
        f'<tr id="{escape(row["id"])}"{attributes}><td>{escape(PAPERS[row["paper"]])}</td>'
        f'<td><a href="{link(claims.name(row["id"]), AT)}">{escape(row["text"].rstrip("."))}</a>'
        f'<br><small>{escape(row["place"])}, on <a href="{judges}">{page}</a></small></td>'
        f"<td>{verdict_html(row['verdict'])}<small>{claims.on_networks(row)}</small></td>"
        f"<td>{escape(', '.join(bases)) or '–'}</td><td>{escape(', '.join(methods)) or '–'}</td>"
        f"<td>{escape(', '.join(metrics)) or '–'}</td></tr>"
    )


def as_json(found: pd.DataFrame) -> str:
    """All claims with their verdicts and differences, as JSON.

    Args:
        found: the result of `scoreboard.judged`.
    """
    own = ("paper", "id", "statement", "place", "text", "page", "verdict")
    of_network = ("network", "rests_on", "verdict", "evidence")
    data = [
        {key: row[key] for key in own}
        | {
            "networks": [
                {key: one[key] for key in of_network} | {"differences": one.get("differences", [])}
                for one in row["each"]
            ]
        }
        for row in found.to_dict("records")
    ]
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1)
