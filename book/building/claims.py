"""A page for each claim: the claim, the verdict on each network, and every difference behind it."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from ..report import PAPERS, Claim
from ..report.claims import claims as claims_of
from ..report.labels import method_title, metric_label, symbols, variant_of
from ..report.markup import verdict_html
from .contents import link
from .forest import forest, told, unit
from .scoreboard import Verdict

Row = Mapping[str, Any]  # of `scoreboard.judged`

FOLDER = "book/claims"
FILES = "_static/claims"  # of the built book: one CSV per claim

_IN_WORDS = {
    "better": "{method} is better than each rival in {metrics}",
    "worse": "{method} is worse than each rival in {metrics}",
    "larger": "the {metrics} of {method} is larger than {times}that of each rival",
    "smaller": "{times}the {metrics} of {method} is smaller than that of each rival",
    "alike": "{method} differs from each rival by less than {threshold} in {metrics}",
    "beaten": "at least one rival is better than {method} in {metrics}",
    "above": "{method} is above {threshold} in {metrics}",
    "below": "{method} is below {threshold} in {metrics}",
    "no_winner": "no method is better than all others in each of {metrics}: every method is beaten by another in one of them",
}
_DIFFER = ("holds", "fails", "doubted", "equal", "undecided")  # verdicts that differences decide
_COLUMNS = (
    "paper id place page network rests_on verdict metric unit method rival times mean low high n p side line same decides"
).split()


def name(identifier: str) -> str:
    """The name of a claim's page.

    Example:
        >>> name("opticam-best-average-gain")
        'book/claims/opticam-best-average-gain'
    """
    return f"{FOLDER}/{identifier}"


def anchor(identifier: str) -> str:
    """The anchor of the row of a claim on the page that judges it."""
    return f"claim-{identifier}"


def known() -> dict[str, Claim]:
    """The claims of all papers in the manifests, by id."""
    return {claim.id: claim for paper in PAPERS for claim in claims_of(paper)}


def write(judged: pd.DataFrame, titles: Mapping[str, str], source: Path, whole: bool) -> None:
    """Write the page and the CSV of each claim into a staged tree.

    Args:
        judged: the result of `scoreboard.judged`.
        titles: the titles of the pages, by name.
        source: the staged tree.
        whole: whether the tree has the scoreboard too.
    """
    declared = known()
    (source / FOLDER).mkdir(parents=True, exist_ok=True)
    files = source / "book" / FILES
    files.mkdir(parents=True, exist_ok=True)
    rows = judged.to_dict("records")
    statements: dict[tuple[str, str], list] = {}
    for row in rows:
        statements.setdefault((row["paper"], row["statement"]), []).append(row)
    for row in rows:
        beside = [one for one in statements[row["paper"], row["statement"]] if one is not row]
        text = page(row, declared.get(row["id"]), beside, titles, whole)
        (source / f"{name(row['id'])}.md").write_text(text, "utf-8")
        (files / f"{row['id']}.csv").write_text(table([row]), "utf-8")


def page(
    row: Row,
    claim: Claim | None,
    beside: Sequence[Row],
    titles: Mapping[str, str],
    whole: bool = True,
) -> str:
    """The Markdown of a claim's page.

    Args:
        row: one row of `scoreboard.judged`.
        claim: the claim as declared; None if the manifests no longer have it.
        beside: the rows of the other claims of the same statement.
        titles: the titles of the pages, by name.
        whole: whether the book has its scoreboard.
    """
    at = name(row["id"])
    sections = "\n\n".join(_network(one) for one in row["each"])
    return (
        f"---\norphan: true\n---\n\n# {_markdown(row['text'].rstrip('.'))}\n\n"
        f"A claim of {{cite:t}}`{row['paper']}`: {_markdown(row['place'])}.\n\n"
        f"{_summary(row, claim, beside, titles, whole, at)}\n{sections}\n"
    )


def _summary(
    row: Row,
    claim: Claim | None,
    beside: Sequence[Row],
    titles: Mapping[str, str],
    whole: bool,
    at: str,
) -> str:
    """The facts about a claim, as a list of terms."""
    judges = link(f"{row['page']}#{anchor(row['id'])}", at)
    told = {"Verdict": f"{verdict_html(row['verdict'])}{on_networks(row)}"}
    if claim is not None and claim.kind in _IN_WORDS:
        told["It holds if"] = escape(in_words(claim)) + "."
    if bases := ", ".join(dict.fromkeys(one["rests_on"] for one in row["each"] if one["rests_on"])):
        told["It rests on"] = escape(bases)
    title = escape(titles.get(row["page"], row["page"]))
    told["Judged on"] = f'<a href="{judges}">{title}</a>'
    if beside:
        others = "".join(
            f'<li>{verdict_html(one["verdict"])} <a href="{one["id"]}.html">{escape(one["text"])}</a></li>'
            for one in beside
        )
        told["Same statement"] = (
            f"Claims from one sentence of the paper count as one statement.<ul>{others}</ul>"
        )
    told["Data"] = f'<a href="{_file(at, row["id"])}" download>CSV of all differences</a>'
    if whole:
        board = link(f"book/scoreboard#paper={row['paper']}", at)
        told["See also"] = f'<a href="{board}">all claims of {escape(PAPERS[row["paper"]])}</a>'
    items = "".join(f"<dt>{term}</dt><dd>{html}</dd>" for term, html in told.items())
    return f'<dl class="cams-answer">{items}</dl>\n'


def _file(at: str, identifier: str) -> str:
    """The path of a claim's CSV from a page."""
    return "../" * at.count("/") + f"{FILES}/{identifier}.csv"


def on_networks(row: Mapping[str, Any]) -> str:
    """How many of several networks have the verdict of a claim.

    Example:
        >>> on_networks(row)
        ' on 1 of 2 networks'
    """
    each = [verdict["verdict"] for verdict in row["each"] if verdict["network"]]
    return f" on {each.count(row['verdict'])} of {len(each)} networks" if len(each) > 1 else ""


def _network(verdict: Verdict) -> str:
    """The result on one network."""
    title = (
        f"On {_markdown(verdict['network'])}" if verdict["network"] else "Why there is no verdict"
    )
    decides = escape(verdict["evidence"])
    differences = verdict.get("differences") or []
    lines = [f"<p>{verdict_html(verdict['verdict'])} {decides}</p>"]
    if why := _why(verdict, differences):
        lines.append(f"<p>{escape(why)}</p>")
    return (
        f'## {title}\n\n<div class="cams-evidence">\n'
        + "\n".join(lines)
        + f"\n{forest(differences)}</div>"
    )


def _why(verdict: Verdict, differences: Sequence[Mapping[str, Any]]) -> str:
    """The reason of a verdict, in words."""
    what = verdict["verdict"]
    if not differences:
        if what == "not run" and not verdict["evidence"]:
            return "The method, the metric or a network of this kind did not run in this copy."
        return (
            "The notebook of this copy has kept only the deciding difference."
            if what in _DIFFER
            else ""
        )
    reason = {
        "undecided": "Not every interval lies on the claimed side, and no difference certainly lies on the other side.",
        "fails": "A difference lies on the other side, also after Holm's correction over all differences.",
        "doubted": "A difference lies on the other side, also after Holm's correction. A test bed can cast doubt on a claim, but cannot refute it.",
        "equal": "Only rivals with the same values on every image keep the claim from holding.",
        "not enough images": "A verdict needs more images.",
    }.get(what, "")
    return f"{told(differences)} {reason}".strip()


def in_words(claim: Claim) -> str:
    """The condition under which a claim holds, in words.

    Example:
        >>> in_words(known()["opticam-best-average-gain"])
        'Opti-CAM is better than each rival in AG'
    """
    if claim.kind not in _IN_WORDS:
        return claim.reason
    times = f"{claim.factor:g} times " if claim.factor != 1 else ""
    words = _IN_WORDS[claim.kind].format(
        method=method_title(claim.method) if claim.method else "",
        metrics=symbols(claim.metrics),
        times=times,
        threshold=_threshold(claim),
    )
    if claim.where:
        met = " and ".join(
            f"the {metric_label(metric).symbol} of {method_title(method)} is {side} {_scaled(at, metric)}"
            for method, metric, side, at in claim.where
        )
        words += f"; only images count on which {met}"
    return words


def _threshold(claim: Claim) -> str:
    return "" if claim.threshold is None else _scaled(claim.threshold, claim.metrics[0])


def _scaled(value: float, metric: str) -> str:
    label = metric_label(metric)
    return f"{value * label.scale:g} {label.unit}".strip().replace("-", "−")


def _markdown(text: str) -> str:
    """A text in which all marks of Markdown are escaped."""
    return re.sub(r"([\\`*_{}\[\]<>$|#~])", r"\\\1", text)


# As data ----------------------------------------------------------------------------------------


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """The differences behind claims as CSV; a verdict without differences has one row.

    Args:
        rows: rows of `scoreboard.judged`.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for verdict in row["each"]:
            for one in verdict.get("differences") or [{}]:
                own = {"unit": unit(one)} if one else {}
                writer.writerow({**verdict, **one, **own})
    return text.getvalue()


def methods(claim: Claim | None) -> list[str]:
    """The titles of the methods that a claim is about, without their variants.

    Example:
        >>> methods(known()["opticam-best-average-gain"])
        ['Opti-CAM']
    """
    return (
        []
        if claim is None or claim.method is None
        else [method_title(variant_of(claim.method).method)]
    )
