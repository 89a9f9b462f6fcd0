"""The HTML of the tables: plain tables with a few classes, legible in light and dark pages."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from lib.statistics import Interval

from .claims import PAPERS
from .labels import bounds, meaningful, metric_label, number
from .verdicts import SYMBOLS, combine

_NOT_RANKED = {"fake_cam"}  # Opti-CAM: "Bold: best, excluding Fake-CAM"

STYLE = """<style>
.table-scroll {overflow-x: auto; margin: 0 0 1.5em}
.table-scroll table.cams {width: auto; table-layout: auto; border-collapse: collapse;
  font-size: .84em; line-height: 1.4; font-variant-numeric: tabular-nums}
.table-scroll table.cams.claims {width: 100%}
.table-scroll table.cams caption {caption-side: top; text-align: left; padding: 0 0 .5em;
  font-size: 1em}
.table-scroll table.cams :is(th, td) {padding: .3em .45em; text-align: right;
  vertical-align: top; border: 0; max-width: none; white-space: nowrap; background: none}
.table-scroll table.cams :is(th:first-child, .prose) {text-align: left}
.table-scroll table.cams td.prose {white-space: normal; min-width: 13em}
.table-scroll table.cams.claims td:first-child {width: 42%}
.table-scroll table.cams tr > .group {border-left: 1px solid #8884}
.table-scroll table.cams thead tr:last-child > * {border-bottom: 1px solid #888a}
.table-scroll table.cams thead th.metric {text-align: center}
.table-scroll table.cams tbody tr + tr > * {border-top: 1px solid #8883}
.table-scroll table.cams tbody th {font-weight: normal; position: sticky; left: 0;
  background: var(--pst-color-background, #fff)}
.table-scroll table.cams small {opacity: .75}
.table-scroll table.cams p {margin: 0 0 0 1.2em; text-indent: -1.2em; font-size: .86em}
.cams-verdict {display: inline-block; padding: 0 .45em; border-radius: .6em; font-size: .86em;
  white-space: nowrap; background: #e6e6ea; color: #3c3c46}
.cams-verdict.agrees, .cams-verdict.holds {background: #d5eee2; color: #0a4a33}
.cams-verdict.above, .cams-verdict.below {background: #fbe3c4; color: #663300}
.cams-verdict.doubted {background: #f6e3e6; color: #5f2430}
.cams-verdict.fails {background: #f7d6da; color: #75101d}
</style>
"""


def verdict_html(verdict: str) -> str:
    """A verdict as a word with a symbol; the colour only repeats the word."""
    if not verdict:
        return ""
    return f'<span class="cams-verdict {verdict.split()[0]}">{SYMBOLS[verdict]} {verdict}</span>'


def comparison_html(part: pd.DataFrame, name: str = "") -> str:
    """The table of one network, one row per method, with the paper's numbers and ours for each metric.

    Args:
        name: the name of the paper's table, see `item_name`.
    """
    metrics = list(part["metric"].unique())
    headings = [escape(metric_label(metric).heading) for metric in metrics]
    groups = "".join(f'<th colspan="2" class="group metric">{heading}</th>' for heading in headings)
    columns = '<th class="group">paper</th><th>here</th>' * len(metrics)
    best = {metric: _best(part[part["metric"] == metric], metric) for metric in metrics}
    rows = []
    for _, cells in part.groupby("method", sort=False):
        row = [f"<th>{escape(cells['title'].iloc[0])}{_own_sample(cells, part)}</th>"]
        for cell in cells.itertuples():
            row += [_paper_cell(cell, best[cell.metric]), _our_cell(cell, best[cell.metric])]
        rows.append(f"<tr>{''.join(row)}</tr>")
    head = f'<tr><th rowspan="2">Method</th>{groups}</tr><tr>{columns}</tr>'
    return _table(_caption(part, name), head, rows, "comparison")


def item_name(paper: str, table: str | int) -> str:
    """The name of a paper's table or figure in captions, so that a search finds it.

    Example:
        >>> item_name("opticam", 5), item_name("diffcam", "Figure 10")
        ('Opti-CAM, table 5', 'DiffCAM, figure 10')
    """
    text = str(table)
    item = text[0].lower() + text[1:] if text.startswith(("Table ", "Figure ")) else f"table {text}"
    return f"{PAPERS.get(paper, paper)}, {item}"


def _caption(part: pd.DataFrame, name: str) -> str:
    theirs = ", ".join(dict.fromkeys(network for paper in part["paper"] for network in paper))
    network, n = part["network"].iloc[0], _n(part)
    images = "image" if n == 1 else "images"
    ours = f"<code>{escape(network)}</code>, {n} {images}" if network else "not run"
    lines = ", one below the other" if "," in theirs else ""
    times = " T: seconds, here per image." if "seconds" in set(part["metric"]) else ""
    theirs = theirs or "no network of this kind"
    title = f"<b>{escape(name)}.</b> " if name else ""
    return (
        f"{title}<b>Here:</b> {ours}, mean [95 % interval]. <b>Paper:</b> {theirs}{lines}.{times}"
    )


def _n(part: pd.DataFrame) -> int:
    """The largest number of images of any row of a table."""
    return part.loc[part["metric"] != "seconds", "n"].max()


def _own_sample(cells: pd.DataFrame, part: pd.DataFrame) -> str:
    """The number of images of a row, if other rows of the table have more."""
    n = _n(cells)
    return f" <small>n = {n}</small>" if 0 < n < _n(part) else ""


def _best(cells: pd.DataFrame, metric: str) -> dict[str, float]:
    """The best value of each column, by the paper's network; and of "here", if all rows have the same
    number of images."""
    label = metric_label(metric)
    ranked = cells[~cells["method"].isin(_NOT_RANKED)]
    if label.unit == "s":
        return {}
    values = [{name: float(text) for name, text in paper.items()} for paper in ranked["paper"]]
    columns = pd.DataFrame(values, index=ranked.index)
    if ranked.loc[ranked["n"] > 0, "n"].nunique() == 1:
        columns = columns.assign(here=ranked["mean"])
    return dict(columns.max() if label.higher_is_better else columns.min())


def _paper_cell(cell: Any, best: dict[str, float]) -> str:
    numbers = [
        _bold(text, float(text) == best.get(name), cell) for name, text in cell.paper.items()
    ]
    return f'<td class="group">{"<br>".join(numbers) or "–"}</td>'


def _our_cell(cell: Any, best: dict[str, float]) -> str:
    if cell.metric == "seconds":
        time = Interval(cell.mean, cell.low, cell.high, cell.n)
        return f"<td>{number(time.mean, 2)} <small>{bounds(time, 2)}</small></td>"
    if not cell.n:
        return f"<td>{verdict_html(cell.verdict) or '–'}</td>"
    interval = Interval(cell.mean, cell.low, cell.high, cell.n)
    decimals = meaningful(interval, metric_label(cell.metric))
    mean = _bold(number(cell.mean, decimals), cell.mean == best.get("here"), cell)
    within = bounds(interval, decimals)
    return f"<td>{mean} <small>{within}</small><br>{verdict_html(cell.verdict)}</td>"


def _bold(text: str, is_best: bool, cell: Any) -> str:
    return f"<b>{text}</b>" if is_best and cell.method not in _NOT_RANKED else text


def claims_html(
    judged: pd.DataFrame, marked: Callable[[str], tuple[str, str]] | None = None
) -> str:
    """One row per claim: its place in the paper, the verdict, and the deciding evidence on each network.

    Args:
        marked: gives the anchor of a claim's row and the address of its own page, by the claim's id.
    """
    rows = []
    for name, claim in judged.groupby("id", sort=False):
        text, place = (escape(claim[column].iloc[0]) for column in ("text", "place"))
        evidence = "".join(
            _evidence(row) for row in claim.itertuples() if row.network or row.evidence
        )
        anchor, page = marked(name) if marked else ("", "")
        row = f'<tr id="{escape(anchor)}">' if anchor else "<tr>"
        more = f' <a href="{escape(page)}">all evidence</a>' if page else ""
        rows.append(
            f'{row}<td class="prose">{text}<br><small>{place}{more}</small></td>'
            f'<td class="prose">{verdict_html(combine(claim["verdict"]))}{evidence}</td></tr>'
        )
    head = '<tr><th scope="col">Claim</th><th scope="col" class="prose">Verdict, and what decides it</th></tr>'
    return _table("", head, rows, "claims")


def _evidence(row: Any) -> str:
    return f"<p>{evidence_html(row._asdict())}</p>"


def evidence_html(verdict: Mapping[str, str]) -> str:
    """A verdict on one network, with the deciding evidence and what it rests on."""
    network = f"<code>{escape(verdict['network'])}</code> " if verdict["network"] else ""
    rests_on = f" <small>({escape(verdict['rests_on'])})</small>" if verdict["rests_on"] else ""
    why = escape(verdict["evidence"] or verdict["verdict"])
    return f"{SYMBOLS[verdict['verdict']]} {network}{why}{rests_on}"


def _table(caption: str, head: str, rows: list[str], kind: str) -> str:
    caption = f"<caption>{caption}</caption>" if caption else ""
    body = "\n".join(rows)
    return (
        f'<div class="table-scroll"><table class="cams {kind}">{caption}\n'
        f"<thead>{head}</thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
    )
