"""Tables in regions that scroll and that the keyboard reaches, with the scope of each header."""

import re
from html import escape

from .metadata import plain

# A table, with the container that scrolls if it has one: ours, the theme's, or the theme's in ours.
_TABLE = re.compile(
    r'(<div class="(table-scroll(?: long)?)">\s*)?(<div class="pst-scrollable-table-container">\s*)?'
    r"(<table\b.*?</table>)",
    re.DOTALL,
)
_CAPTION = re.compile(r"(<caption\b[^>]*>)(.*?)(</caption>)", re.DOTALL)
_HEAD = re.compile(r"<thead\b.*?</thead>", re.DOTALL)
_HEADER = re.compile(r"<th\b([^>]*)>(.*?)</th>", re.DOTALL)
_FIRST = re.compile(r"(<tr\b[^>]*>\s*)<(th|td)\b([^>]*)>")
_FRAME = '<table border="1" class="dataframe'  # as pandas writes it
_CELL = re.compile(r"(<td\b[^>]*>)([^<]*)</td>")
_MISSING = {"", "NaN", "nan", "None", "NaT", "&lt;NA&gt;"}
_MINUS = re.compile(r"(?<![\w.–-])-(?=[\d.])")
_TOGETHER = re.compile(r"\[[^\]]*\]|\d+ × \d+")
_STYLE = re.compile(
    r"<style\b[^>]*>[^<]*\btable\b[^<]*</style>|<style scoped>.*?</style>", re.DOTALL
)
_TITLE = re.compile(r"<h[1-4]\b.*?</h[1-4]>", re.DOTALL)


def regions(body: str) -> str:
    """A page in which each table is in a region that scrolls, labelled by its caption or section.

    Args:
        body: HTML.

    Example:
        >>> regions("<table><thead><tr><th>n</th></tr></thead></table>")
        '<div class="table-scroll" role="region" tabindex="0" aria-label="Table 1">...'
    """
    body = _STYLE.sub("", body)
    parts, end = [], 0
    for i, found in enumerate(_TABLE.finditer(body), 1):
        ours, classes, theirs, table = found.groups()
        region = (
            f'<div class="{classes or "table-scroll"}" role="region" tabindex="0" '
            f'aria-label="{_label(i, found)}">'
        )
        opened = f"<div>{region}" if ours and theirs else region
        closed = "" if ours or theirs else "</div>"
        parts += [body[end : found.start()], opened, _scoped(table), closed]
        end = found.end()
    return "".join([*parts, body[end:]])


def _label(i: int, found: re.Match) -> str:
    caption = _CAPTION.search(found[4])
    titles = _TITLE.findall(found.string, 0, found.start())
    said = plain(caption[0]) if caption else plain(titles[-1]) if titles else ""
    return escape(f"Table {i}: {said[:120]}" if said else f"Table {i}", quote=True)


def _scoped(table: str) -> str:
    """The table with the scope of each header; for `tables.css`, the caption is in an element and the first
    cell of each row is marked."""
    table = _CAPTION.sub(r"\1<span>\2</span>\3", table, count=1)
    if _FRAME in table:
        table = _CELL.sub(_readable, table.replace(_FRAME, '<table class="frame'))
    head = _HEAD.search(table)
    before, after = (table[: head.end()], table[head.end() :]) if head else ("", table)
    return _rows(before, "col") + _rows(after, "row")


def _readable(cell: re.Match) -> str:
    """A cell of a data frame for readers: a minus sign in place of a hyphen, a dash for a missing value,
    and no line break within an interval or a size."""
    text = "–" if cell[2].strip() in _MISSING else _MINUS.sub("−", cell[2])
    text = _TOGETHER.sub(lambda part: part[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
    return f"{cell[1]}{text}</td>"


def _rows(part: str, of: str) -> str:
    part = _HEADER.sub(lambda th: _header(*th.groups(), of), part)
    below = 0  # rows that a first cell above still spans

    def first(row: re.Match) -> str:
        nonlocal below
        if below:
            below -= 1
            return row[0]
        spanned = re.search(r'\browspan="?(\d+)', row[3])
        below = int(spanned[1]) - 1 if spanned else 0
        return f"{row[1]}<{row[2]} data-first{row[3]}>"

    return _FIRST.sub(first, part)


def _header(attributes: str, text: str, of: str) -> str:
    if not plain(text):
        return f"<td{attributes}>{text}</td>"
    if "scope=" not in attributes:
        group = "group" if re.search(rf'{of}span="?(?!1\b)\d', attributes) else ""
        attributes = f' scope="{of}{group}"{attributes}'
    return f"<th{attributes}>{text}</th>"
