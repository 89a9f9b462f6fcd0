"""Differences with their intervals as a table whose rows are drawn over one axis."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.ticker import MaxNLocator

from lib.statistics import Interval

from ..report.labels import bounds, meaningful, method_title, metric_label, number

Record = Mapping[str, Any]  # of `report.evidence.record`


def forest(differences: Sequence[Record]) -> str:
    """One table per metric, one row per difference, drawn and in numbers; the deciding one is highlighted.

    Positions are shares of the width, so that a drawing fits phones and large screens. Colours are those
    of the page. The drawing repeats the text beside it, so that no reader needs to see it.

    Args:
        differences: of one claim on one network, each as `report.evidence.record` returns it.
    """
    metrics = dict.fromkeys(one["metric"] for one in differences)
    return "".join(_table([one for one in differences if one["metric"] == m]) for m in metrics)


def told(differences: Sequence[Record]) -> str:
    """The side of the line on which the intervals lie, in words.

    Example:
        >>> told(differences)
        '9 of 11 intervals lie on the claimed side; 2 on both sides: LIME and Score-CAM.'
    """
    sides = {
        side: [one for one in differences if lies(one) == side]
        for side in ("for", "against", "open")
    }
    n = len(differences)
    lie = "interval lies" if n == 1 else "intervals lie"
    words = [f"{len(sides['for'])} of {n} {lie} on the claimed side"]
    if sides["against"]:
        words.append(f"{len(sides['against'])} on the other side: {_names(sides['against'])}")
    if sides["open"]:
        words.append(f"{len(sides['open'])} on both sides: {_names(sides['open'])}")
    return "; ".join(words) + "."


def lies(one: Record) -> str:
    """Whether the interval of a difference is "for" the claim, "against" it, or leaves it "open"."""
    low, high, line = one["low"], one["high"], one["line"]
    if low is None or high is None or one["same"]:
        return "open"
    if one["side"] == "within":
        inside, outside = -line < low and high < line, high < -line or low > line
        return "for" if inside else "against" if outside else "open"
    above, below = low > line, high < line
    if one["side"] == "below":
        above, below = below, above
    return "for" if above else "against" if below else "open"


def name(one: Record) -> str:
    """The name of a row: the rival, or the method where there is no rival."""
    rival = method_title(one["rival"]) if one["rival"] else method_title(one["method"])
    if one["times"] == 1:
        return rival
    if one["side"] == "below":  # the method is multiplied, see `report.evidence`
        return f"{rival} ({one['times']:g} times {method_title(one['method'])})"
    return f"{one['times']:g} times {rival}"


def value(one: Record) -> str:
    """Mean and interval as a page prints them.

    Example:
        >>> value(one)
        '−6.8 [−12.5, −2.4]'
    """
    if one["mean"] is None:
        return "–"
    if _identity(one):
        return f"largest {one['high']:.0e}".replace("-", "−")
    label = metric_label(one["metric"])
    low, high = (math.nan if one[end] is None else one[end] for end in ("low", "high"))
    shown = Interval(one["mean"], low, high, one["n"])
    digits = meaningful(shown, label)
    return f"{number(shown.mean, digits)} {bounds(shown, digits)}".strip()


def unit(one: Record) -> str:
    """The unit; that of a difference of percentages is points."""
    of = metric_label(one["metric"]).unit
    return "points" if one["rival"] and of == "%" else of


def _identity(one: Record) -> bool:
    return metric_label(one["metric"]).identity and not one["rival"]


def _names(some: Sequence[Record]) -> str:
    *few, last = dict.fromkeys(map(name, some))
    return f"{', '.join(few)} and {last}" if few else last


# Drawn ------------------------------------------------------------------------------------------


def _table(rows: Sequence[Record]) -> str:
    axis = _Axis(rows)
    methods = {one["method"] for one in rows}
    body = "".join(_row(one, axis, alone=len(methods) == 1) for one in rows)
    return (
        f'<table class="cams forest"><caption>{_caption(rows)}</caption>'
        f'<thead><tr><th scope="col">{_heading(rows)}</th><th scope="col" class="drawn">{axis.title}</th>'
        f'<th scope="col">{"Largest of all images" if _identity(rows[0]) else "Mean [95 % interval]"}</th></tr></thead>'
        f'<tbody>{body}</tbody><tfoot><tr><td></td><td class="drawn">{axis.ticks()}</td><td></td></tr></tfoot></table>\n'
    )


def _caption(rows: Sequence[Record]) -> str:
    first, methods = rows[0], {one["method"] for one in rows}
    label = metric_label(first["metric"])
    ours = method_title(first["method"])
    measure = f"{label.symbol}{' (' + unit(first) + ')' if unit(first) else ''}"
    if not first["rival"]:
        text = f"{measure} of each method" if len(methods) > 1 else f"{measure} of {ours}"
        line = f"the line is the threshold of the claim, {number(first['line'], _decimals(first['line']))}"
    elif len(methods) > 1:
        text, line = f"{measure} of the first method minus that of the second", "the line is zero"
    else:
        text, line = f"{measure} of {ours} minus that of each rival", "the line is zero"
    if first["side"] == "within":
        line = "the lines are the largest differences that the claim allows"
    better = "higher is better" if label.higher_is_better else "lower is better"
    return escape(f"{text}; {better}. The claimed side is shaded; {line}.")


def _heading(rows: Sequence[Record]) -> str:
    if len({one["method"] for one in rows}) > 1:
        return "Methods"
    return "Against" if rows[0]["rival"] else "Method"


def _row(one: Record, axis: "_Axis", alone: bool) -> str:
    label = (
        name(one)
        if alone or not one["rival"]
        else f"{method_title(one['method'])} against {name(one)}"
    )
    decides = ' <span class="decides">decides</span>' if one["decides"] else ""
    same = "<br><small>the same on every image</small>" if one["same"] else ""
    kind = ' class="deciding"' if one["decides"] else ""
    return (
        f'<tr{kind}><th scope="row">{escape(label)}{decides}</th><td class="drawn">{axis.drawn(one)}</td>'
        f"<td>{escape(value(one))}{same}<br><small>n = {one['n']}</small></td></tr>"
    )


def _decimals(value: float) -> int:
    return max(0, -math.floor(math.log10(abs(value)))) if 0 < abs(value) < 1 else 0


class _Axis:
    """The axis of a table, which maps values to shares of the width."""

    def __init__(self, rows: Sequence[Record]) -> None:
        first = rows[0]
        self.lines = (
            [-first["line"], first["line"]] if first["side"] == "within" else [first["line"]]
        )
        self.side = first["side"]
        ends = [one[key] for one in rows for key in ("low", "high", "mean") if one[key] is not None]
        low, high = min([*ends, *self.lines]), max([*ends, *self.lines])
        room = 0.08 * (high - low) or 1.0
        self.low, self.high = low - room, high + room
        self.title = '<span class="visually-hidden">drawn</span>'

    def at(self, value: float) -> float:
        """The position of a value, in per cent of the width."""
        return round(100 * (value - self.low) / (self.high - self.low), 2)

    def drawn(self, one: Record) -> str:
        """The interval and the mean over the shaded claimed side, and the line."""
        left, right = {
            "above": (self.at(self.lines[0]), 100.0),
            "below": (0.0, self.at(self.lines[0])),
            "within": (self.at(self.lines[0]), self.at(self.lines[-1])),
        }[self.side]
        parts = [
            f'<rect class="wanted" x="{left}%" width="{round(right - left, 2)}%" y="0" height="100%"/>'
        ]
        parts += [
            f'<line class="zero" x1="{self.at(x)}%" x2="{self.at(x)}%" y1="0" y2="100%"/>'
            for x in self.lines
        ]
        if one["low"] is not None and one["high"] is not None:
            low, high = self.at(one["low"]), self.at(one["high"])
            parts.append(f'<line class="interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>')
        if one["mean"] is not None:
            x = self.at(one["mean"])
            parts.append(
                f'<circle class="mean" cx="{x}%" cy="50%" r="{5 if one["decides"] else 4}"/>'
            )
        return f'<svg aria-hidden="true" focusable="false">{"".join(parts)}</svg>'

    def ticks(self) -> str:
        """The numbers of the axis."""
        found = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        shown = [x for x in found if self.low <= x <= self.high]
        step = abs(found[1] - found[0])
        texts = []
        for x in shown:
            at = self.at(x)
            anchor = "start" if at < 8 else "end" if at > 92 else "middle"
            text = number(x, _decimals(step)) if step >= 1e-4 else f"{x:.0e}".replace("-", "−")
            texts.append(f'<text x="{at}%" y="70%" text-anchor="{anchor}">{text}</text>')
        return f'<svg aria-hidden="true" focusable="false">{"".join(texts)}</svg>'
