"""What a copy of the book ran: the plan of a profile as tables, page by page."""

import re
from html import escape
from pathlib import Path

from .. import experiments
from ..report import PAPERS

_PARTS = PAPERS | {"reference": "Methods and metrics"}


def runs(profile: str, root: Path) -> str:
    """One table per paper, one row per experiment: its network, its images, and its own settings.

    Args:
        root: the project; the titles are those of its notebooks.

    Example:
        >>> "birds_vgg" in runs("embedded", ROOT)
        True
    """
    papers: dict[str, list[str]] = {}
    for page in experiments.pages():
        notebook = root / "notebooks" / f"{page}.py"
        if not notebook.is_file():
            continue
        paper = page.partition("/")[0]
        plan = experiments.plan(page, profile)
        several = len(plan.experiments)  # none of a page that draws its values itself
        head = (
            f'<td rowspan="{several}"><a href="../notebooks/{page}.html">'
            f"{escape(_title(notebook))}</a>{_settings(plan)}</td>"
        )
        for i, experiment in enumerate(plan.experiments):
            cells = "".join(f"<td>{cell}</td>" for cell in _cells(experiment))
            row = cells if i else head + cells
            papers.setdefault(paper, []).append(f"<tr>{row}</tr>")
    columns = ("Page and its settings", "Network", "Images", "Other settings")
    heading = "".join(f'<th scope="col">{name}</th>' for name in columns)
    return "\n\n".join(
        f'## {_PARTS[paper]}\n\n<div class="table-scroll"><table class="runs"><thead><tr>{heading}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        for paper, rows in papers.items()
    )


def options(profile: str) -> str:
    """The options of methods in a profile, as a list."""
    plan = experiments.plan(experiments.pages()[0], profile)
    lines = [f"* `{method}`: {_told(values)}" for method, values in plan.options.items()]
    return "\n".join(lines) + "\n"


def _cells(experiment: experiments.Experiment) -> list[str]:
    layer = f", at <code>{escape(experiment.layer)}</code>" if experiment.layer else ""
    number = "all" if experiment.images is None else str(experiment.images)
    crops = ", six crops of each" if experiment.crops else ""
    otherwise = [f"without {', '.join(experiment.without)}"] if experiment.without else []
    otherwise += [f"{m}: {_told(options)}" for m, options in experiment.options.items()]
    otherwise += [f"{_words(name)}: {_told(value)}" for name, value in experiment.settings.items()]
    return [
        f"<code>{escape(experiment.network)}</code>{layer}",
        f"{number} of {escape(experiment.dataset)}{crops}",
        escape("; ".join(otherwise)),
    ]


def _settings(plan: experiments.Plan) -> str:
    told = "; ".join(f"{_words(name)}: {_told(value)}" for name, value in plan.settings.items())
    return f"<br><small>{escape(told)}</small>" if told else ""


def _words(name: str) -> str:
    return name.replace("_", " ")


def _title(notebook: Path) -> str:
    """The first heading of a page."""
    found = re.search(r"^# (?!%%|---)(.+)$", notebook.read_text("utf-8"), re.M)
    return found[1] if found else notebook.stem


def _told(value: object) -> str:
    """A value of the file without the syntax of Python; no limit is "all"."""
    if value is None:
        return "all"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_told(of)}" for key, of in value.items()) or "none"
    listed = ", ".join(map(_told, value)) if isinstance(value, list | tuple) else str(value)
    return listed or "none"
