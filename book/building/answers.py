"""The answer of a page, on its first screen: its verdicts, the deciding difference, what they rest on."""

from collections import Counter
from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
import yaml

from lib.manifests import StrictLoader
from lib.paths import MANIFESTS

from ..report import PAPERS, SYMBOLS, combine
from ..report.markup import verdict_html
from . import claims
from .contents import link
from .executed import Executed
from .scoreboard import judged

DECIDED = ("holds", "fails", "doubted")
_PLURAL = {"holds": "hold", "fails": "fail"}

NONE = "This page judges no claim of a paper."


def cautions() -> dict[str, str]:
    """The caution of each page, by its short name, from `data_manifests/book/cautions.yaml`."""
    with (MANIFESTS / "book" / "cautions.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, StrictLoader)


def answer(page: Executed, caution: str = "") -> str:
    """The box under the title of a page, as HTML; empty for a page of no paper without verdicts or caution.

    Args:
        caution: a sentence or two, see `cautions`.

    Example:
        >>> "hold" in answer(page)
        True
    """
    found = judged(page.verdicts)
    told = {"Answer": NONE} if page.paper in PAPERS else {}
    if len(found):
        told = {
            "Answer": _counts(found),
            "First decided claim": _headline(found, page.name),
            "Rests on": _bases(found),
        }
    if caution:
        told["Caution"] = escape(caution)
    items = "".join(f"<dt>{term}</dt><dd>{html}</dd>" for term, html in told.items() if html)
    listed = f'<dl class="cams-answer">{items}</dl>' if items else ""
    box = f"{_banner(page)}{listed}{_each(found, page.name)}"
    return f'<div class="cams-first">{box}</div>\n' if box else ""


def _banner(page: Executed) -> str:
    if not page.stale:
        return ""
    commit = page.provenance.get("commit", "")
    at = f" at commit {escape(commit)}" if commit else ""
    return (
        '<p class="cams-stale"><strong>Out of date.</strong> The inputs of this page have changed since it was '
        f"executed{at}, so its numbers may no longer hold. <code>python -m lib book --page {escape(page.short)}</code> "
        "computes them again.</p>"
    )


def statements(found: pd.DataFrame) -> pd.DataFrame:
    """One row per statement of a paper, with the verdict over its claims.

    Args:
        found: the result of `scoreboard.judged`.
    """
    return found.groupby(["paper", "statement"], sort=False)["verdict"].agg(combine).reset_index()


def _counts(found: pd.DataFrame) -> str:
    """How many statements hold, fail, and so on."""
    of = statements(found)["verdict"]
    counts = Counter(of)
    chips = " ".join(_chip(verdict, counts[verdict]) for verdict in SYMBOLS if counts[verdict])
    n = len(of)
    return f'<span class="cams-counts">{chips}</span> of {n} statement{"s" if n > 1 else ""}'


def _chip(verdict: str, n: int) -> str:
    words = _PLURAL.get(verdict, verdict) if n > 1 else verdict
    return f'<span class="cams-verdict {verdict.split()[0]}">{SYMBOLS[verdict]} {n} {words}</span>'


def first_decided(found: pd.DataFrame) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The first claim of a page that holds, fails or is doubted, or else its first claim; and the result on
    the first network that has this verdict.

    Args:
        found: the result of `scoreboard.judged`.
    """
    rows = found.to_dict("records")
    row = next((row for row in rows if row["verdict"] in DECIDED), rows[0])
    return row, next(
        (one for one in row["each"] if one["verdict"] == row["verdict"]), row["each"][0]
    )


def _headline(found: pd.DataFrame, at: str) -> str:
    row, one = first_decided(found)
    to = link(claims.name(row["id"]), at)
    none = "" if row["verdict"] in DECIDED else "No claim is decided; the first is: "
    network = f" (<code>{escape(one['network'])}</code>)" if one["network"] else ""
    evidence = f"<br><strong>{escape(one['evidence'])}</strong>{network}" if one["evidence"] else ""
    return (
        f'{none}<a href="{to}">{escape(row["text"].rstrip("."))}</a> '
        f"{verdict_html(row['verdict'])}{claims.on_networks(row)}{evidence}"
    )


def _bases(found: pd.DataFrame) -> str:
    """What the verdicts rest on, with the networks in each case."""
    networks: dict[str, dict[str, None]] = {}
    for each in found["each"]:
        for one in each:
            if one["rests_on"]:
                networks.setdefault(one["rests_on"], {})[one["network"]] = None
    return "; ".join(
        f"{escape(basis)} ({', '.join(f'<code>{escape(name)}</code>' for name in names)})"
        for basis, names in networks.items()
    )


def _each(found: pd.DataFrame, at: str) -> str:
    """Every claim with its verdict, folded."""
    if found.empty:
        return ""
    items = "".join(
        f'<li>{verdict_html(row["verdict"])} <a href="{link(claims.name(row["id"]), at)}">{escape(row["text"])}</a></li>'
        for row in found.to_dict("records")
    )
    n = len(found)
    title = f"All {n} claims, each with its evidence" if n > 1 else "The claim, with its evidence"
    return f"<details><summary>{title}</summary><ul>{items}</ul></details>"
