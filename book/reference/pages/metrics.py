"""A page for each metric, and the table of all of them, from the registry `METRICS`."""

import math
from html import escape

from lib.metrics import METRICS, Metric

from ...report.labels import metric_title
from . import parts, sources
from .docstrings import docstring
from .known import Known


def page(name: str, known: Known) -> str:
    """The page of a metric, as Markdown.

    Example:
        >>> page("average_drop", known).splitlines()[0]
        '# Average drop (AD)'
    """
    metric = METRICS[name]
    value, measure = docstring(metric.value), docstring(metric.measure)
    found = known.about_metric(name)
    blocks = [
        f"# {metric_title(metric)}",
        f"`{name}`. {value.sentence}",
        f"## Equation\n\n{value.formula}" if value.formula else "",
        "\n\n".join(["## How it is done here", *value.notes]) if value.notes else "",
        f"## What is measured\n\n{' '.join([measure.sentence, measure.formula, *measure.notes])} {_facts(metric)}",
        f"## Options\n\n{parts.options(metric.options, measure.arguments)}",
        f"## Cost\n\n{_cost(name, known)}",
        f"## Verdicts that the metric decides\n\n{parts.listed(known, found)}" if found else "",
        f"## Where the book uses it\n\n{parts.pages(known, 'metrics', name)}",
        f"## Source\n\n{sources.block(metric.measure)}\n{sources.block(metric.value)}",
        f"## Cite\n\n{parts.cite(metric.paper)}",
        "See also [the table of all metrics](../metrics).",
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _facts(metric: Metric) -> str:
    """Which values are better, the range, the class and the kind of map."""
    low, high = (_bound(value, metric) for value in metric.range)
    better = "Higher" if metric.higher_is_better else "Lower"
    of = "label" if metric.target == "label" else "predicted class"
    said = f"{better} is better; values are from {low} to {high}. The target class is the {of}."
    if metric.whole:
        said += " The metric is computed over all images of a dataset together."
    if metric.signed:
        said += " The map keeps its sign."
    needed = [name for name, must in metric.given.items() if must]
    if needed:
        said += f" The metric needs {' and '.join(f'`{name}`' for name in needed)} in addition to image and map."
    return said


def _bound(value: float, metric: Metric) -> str:
    if math.isinf(value):
        return "−∞" if value < 0 else "∞"
    unit = " %" if metric.unit == "%" else ""
    return f"{value * metric.scale:.3g}{unit}".replace("-", "−")


def _cost(name: str, known: Known) -> str:
    work = (known.compared or {}).get("metric_passes", {}).get(name)
    if work is None:
        return "Not measured in this copy of the book.\n"
    network = known.compared["networks"][0]["network"]
    return (
        f"{work:.3g} forward passes per image on `{network}`, with the default options. For a metric that needs "
        "further maps, these are maps of Grad-CAM.\n"
    )


# The table of all -------------------------------------------------------------------------------


def index(known: Known) -> str:
    """The table of all metrics: symbol with arrow, what the metric measures, its cost."""
    passes = (known.compared or {}).get("metric_passes", {})
    rows = []
    for name, metric in METRICS.items():
        work = passes.get(name)
        rows.append(
            f'<tr><th scope="row"><a href="metrics/{name}.html">{escape(metric.title)}</a></th>'
            f"<td>{escape(metric.heading)}</td>"
            f'<td class="prose">{escape(docstring(metric.value).sentence)}</td>'
            f"<td>{'–' if work is None else f'{work:.3g}'}</td></tr>"
        )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("Metric", "Symbol", "What it measures", "Passes")
    )
    return (
        f'<div class="table-scroll" tabindex="0"><table class="cams index"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )
