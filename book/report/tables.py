"""The tables of a page: the paper's numbers beside ours, and the claims with their verdicts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lib.statistics import Interval, by_image, column, mean_ci, mean_of, paired_difference

from .claims import Claim
from .labels import bounds, meaningful, method_title, metric_label, number
from .markup import STYLE, claims_html, comparison_html, item_name
from .published import architectures, counterparts, kind, of_the_same_data, published
from .verdicts import cell_verdict, judge

VERDICTS_MIME = "application/vnd.cams.verdicts+json"
_SCALES = {"%": 100}  # from our units to the printed ones


@dataclass(frozen=True)
class Table:
    """A table that a notebook displays; `frame` has the same content as plain data."""

    frame: pd.DataFrame
    html: str
    text: str
    records: list[dict[str, str]] | None = None  # verdicts on claims, for the scoreboard
    differences: list[list[dict]] | None = None  # behind each verdict, for the claims' pages

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        bundle = {"text/html": self.html, "text/plain": self.text}
        if self.records is None:
            return bundle, {}
        # Beside the output: a replayed notebook is compared by what it shows.
        return bundle | {VERDICTS_MIME: self.records}, {"differences": self.differences}


def comparison(
    paper: str, table: str | int, frame: pd.DataFrame, *, same_data: bool = False
) -> Table:
    """A published table with our numbers beside it, once for each network of an evaluation frame.

    The rows are the paper's methods in the paper's order, then the methods that only we ran. A network
    of a kind that the table does not have is left out. If all networks are of such a kind, our numbers
    are shown alone. Without any number of ours, the paper's are shown alone.

    Args:
        same_data: whether to show only those of the paper's networks of the same kind whose images are
            of the same sort, if there are any.

    Returns:
        A `Table`. Its frame has, in printed units: network, method, title, metric, paper (the printed
        strings by network), mean, low, high, n, verdict. A verdict compares only numbers for the same
        sort of data. Times have no verdict, since they depend on the machine.

    Example:
        >>> comparison("opticam", 1, frame)
    """
    cells = published(paper, table)
    kinds = {kind(network) for network in cells["network"]}
    own = architectures(frame)
    networks = [name for name in own if kind(name, own[name]) in kinds] or [*own] or [""]
    parts = [
        _compare(cells, frame[frame["network"] == network], network, same_data)
        for network in networks
    ]
    whole = pd.concat(parts, ignore_index=True)
    lines = whole.assign(paper=[" · ".join(paper.values()) for paper in whole["paper"]])
    text = _text(lines.drop(columns=["method", "n"]), decimals=2 if all(cells["unit"]) else 3)
    name = item_name(paper, table)
    return Table(whole, STYLE + "".join(comparison_html(part, name) for part in parts), text)


def _compare(
    cells: pd.DataFrame, frame: pd.DataFrame, network: str, same_data: bool
) -> pd.DataFrame:
    units = dict(zip(cells["metric"], cells["unit"]))
    images, dataset = by_image(frame), "".join(frame["dataset"].unique())
    if network:
        printed_networks = list(cells["network"].unique())
        architecture = architectures(frame).get(network, "CNN")
        alike = counterparts(network, printed_networks, architecture)
        alike = same_data and of_the_same_data(alike, dataset) or alike
        cells = cells[cells["network"].isin(alike)]
        units = dict(zip(cells["metric"], cells["unit"])) or units
    in_paper = dict(zip(cells["method"], cells["title"]))
    rows = []
    for method in dict.fromkeys([*in_paper, *frame["method"].unique()]):
        title = method_title(method, in_paper.get(method))
        for metric, unit in units.items():
            theirs = cells[(cells["method"] == method) & (cells["metric"] == metric)]
            printed = dict(zip(theirs["network"], theirs["printed"]))
            ours = mean_of(column(images, metric, method), metric_label(metric).range)
            ours = ours.scaled(_SCALES.get(unit, 1))
            alike = (
                [printed[name] for name in of_the_same_data(printed, dataset)]
                if ours.n
                else [*printed.values()]
            )
            judged = alike and metric != "seconds"
            verdict = cell_verdict(alike, ours, unit) if judged else ""
            rows.append((network, method, title, metric, printed, *ours, verdict))
    columns = "network method title metric paper mean low high n verdict".split()
    return pd.DataFrame(rows, columns=columns)


def measured(frame: pd.DataFrame) -> pd.DataFrame:
    """The means of an evaluation frame in the format of a `comparison`, without a paper's numbers.

    Example:
        >>> show(forest(measured(frame)), alt="...")
    """
    rows = []
    for (network, method, metric), of in frame.groupby(["network", "method", "metric"], sort=False):
        label = metric_label(metric)
        mean = mean_ci(of["value"], of["group"], bounds=label.range).scaled(label.scale)
        rows.append((network, method, method_title(method), metric, {}, *mean))
    return pd.DataFrame(rows, columns="network method title metric paper mean low high n".split())


def cross(
    measured: pd.DataFrame,
    rows: str | list[str],
    columns: str | list[str],
    decimals: int | None = None,
) -> pd.DataFrame:
    """Means with their intervals as a table of texts: "mean [low, high]".

    Args:
        measured: as the function `measured` returns it; rows without a value are left out.
        rows, columns: the columns of `measured` that name the rows and columns of the table.
        decimals: by default as many as are meaningful for the interval.

    Example:
        >>> cross(measured(frame), rows="title", columns="network")
    """
    texts = []
    for row in measured.query("n > 0").itertuples():
        interval = Interval(row.mean, row.low, row.high, row.n)
        digits = meaningful(interval, metric_label(row.metric)) if decimals is None else decimals
        texts.append(f"{number(row.mean, digits)} {bounds(interval, digits)}".rstrip())
    said = measured.query("n > 0").assign(text=texts)
    table = said.pivot_table("text", rows, columns, aggfunc="first", sort=False).fillna("–")
    return table.rename_axis(
        index=[None] * table.index.nlevels, columns=[None] * table.columns.nlevels
    )


def plain(compared: pd.DataFrame) -> pd.DataFrame:
    """The frame of a `comparison` as a table for a file: one column for each network of the paper, and a
    column for the unit of the metric.

    Example:
        >>> plain(comparison("opticam", 1, frame).frame).to_csv("table_1.csv")
    """
    papers = [
        {f"paper, {network}": value for network, value in row.items()} for row in compared["paper"]
    ]
    printed = pd.DataFrame(papers, index=compared.index)
    units = [metric_label(metric).unit for metric in compared["metric"]]
    columns = ["network", "method", "title", "metric", "mean", "low", "high", "n"]
    told = compared.reindex(columns=[*columns, "verdict"]).dropna(axis="columns", how="all")
    told.insert(told.columns.get_loc("metric") + 1, "unit", units)
    return told.join(printed)


def claims_table(claims: Iterable[Claim], frame: pd.DataFrame) -> Table:
    """The claims with their verdicts over the networks of an evaluation frame.

    When a page displays the table, its output also carries the verdicts on each network as
    `VERDICTS_MIME`. The scoreboard is collected from these.

    Example:
        >>> claims_table(claims("opticam", "Table 1"), frame)
    """
    judged = judge(claims, frame)
    text = _text(judged[["id", "network", "rests_on", "verdict", "evidence"]])
    records = judged.drop(columns="differences").to_dict("records")
    return Table(judged, STYLE + claims_html(judged), text, records, [*judged["differences"]])


def changed(
    frame: pd.DataFrame, network: str, metric: str, old: str, new: str, decimals: int = 2
) -> str:
    """How a mean changes from one method to another, as "old → new [interval of the change]"; empty if
    the old one did not run.

    Args:
        decimals: for a metric that is not in per cent; one in per cent has one decimal.
    """
    of = frame[(frame["network"] == network) & (frame["metric"] == metric)]
    values = of.groupby("method")["value"].mean()
    if old not in values:
        return ""
    label = metric_label(metric)
    form = ".1f" if label.unit == "%" else f".{decimals}f"
    change = paired_difference(of, metric, new, old, label.range).scaled(label.scale)
    bounds = f" [{change.low:+{form}}, {change.high:+{form}}]" if change.low == change.low else ""
    means = f"{label.scale * values[old]:{form}} → {label.scale * values[new]:{form}}"
    return (means + bounds).replace("-", "−")


def leaders(compared: pd.DataFrame, metric: str) -> str:
    """The method with the best mean on each network, in words, for readers who do not see a figure.
    Fake-CAM is left out, and so are methods that see fewer images than others.

    Args:
        compared: the frame of a `comparison` table.

    Example:
        >>> leaders(comparison("opticam", 1, frame).frame, "average_gain")
        "on tf_efficientnet_lite0 the highest AG is Opti-CAM's, 81 %"
    """
    label = metric_label(metric)
    rows = compared.query("method != 'fake_cam' and metric == @metric and n > 0")
    words = []
    for network, of in rows.groupby("network", sort=False):
        of = of[of["n"] == of["n"].max()]
        best = of.loc[of["mean"].idxmax() if label.higher_is_better else of["mean"].idxmin()]
        value = f"{best['mean']:.0f} %" if label.unit == "%" else f"{best['mean']:.2f}"
        which = "highest" if label.higher_is_better else "lowest"
        words.append(f"on {network} the {which} {label.symbol} is {best['title']}'s, {value}")
    return "; ".join(words)


def scrolled(frame: pd.DataFrame) -> Table:
    """A long table in a box that scrolls.

    Example:
        >>> scrolled(pd.DataFrame({"synset": ids, "classes": sizes}))
    """
    html = f'<div class="table-scroll long">{frame.to_html()}</div>'
    return Table(frame, html, frame.to_string())


def means(frame: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The mean of each metric for each method of an evaluation frame, named and scaled as in tables.

    Returns:
        Index network and method, one column per metric; NaN where a method was not run.

    Example:
        >>> means(frame, ["average_drop", "average_gain"]).round(1)
    """
    found = frame.pivot_table("value", ["network", "method"], "metric", sort=False)[[*metrics]]
    labels = [metric_label(metric) for metric in metrics]
    found = found.mul([label.scale for label in labels])
    found.columns = [label.symbol for label in labels]
    return found.rename(method_title, level="method")


def _text(frame: pd.DataFrame, decimals: int = 2) -> str:
    return frame.to_string(index=False, na_rep="–", float_format=f"{{:.{decimals}f}}".format)
