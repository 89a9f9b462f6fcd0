"""Write the tree that Jupyter Book reads: written pages, executed notebooks, generated parts."""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from .. import reference
from ..parameters import WHERE
from ..report import RULE, VERDICTS_MIME
from ..report.markup import STYLE, claims_html
from ..report.provenance import plain
from . import board, claims, concordance, contents, cost, front, names, scoreboard
from .answers import answer, cautions
from .execute import plan
from .executed import Executed, read
from .html import figures
from .rerun import fold
from .runs import options, runs

REFERENCES = "book/references"
GENERATED = Path("book/_generated")
_TITLE = re.compile(r"^# .+$", re.M)

PROFILE_NOTES = {
    "smoke": "a few images, in double precision, to see that every page runs. Its numbers carry no weight, "
    "and the verdicts say so.",
    "embedded": "the photographs and networks that ordinary Python packages carry, without any download.",
    "paper": "the published datasets and networks.",
}


def stage(
    root: Path,
    executed: Path,
    source: Path,
    profile: str,
    only: Sequence[Path] | None = None,
    parameters: Mapping[str, Any] = {},
) -> None:
    """Write the book's tree to `source`, at the same relative paths as in the project.

    Args:
        only: write these notebooks and the references, in place of all pages.
        parameters: of the notebooks, in addition to the profile.

    Raises:
        ValueError: a notebook shows an image without alternative text.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=_not_pages)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, source / name)
    if only:
        below = [*(path.relative_to(root).with_suffix("").as_posix() for path in only)]
        (source / "_toc.yml").write_text(_toc(*below, REFERENCES), "utf-8")
    listed = contents.pages(source)
    for text in (source / "book").rglob("*.md"):
        if text.relative_to(source).with_suffix("").as_posix() not in listed:
            text.unlink()
    scripts = only or contents.notebooks(root)
    tasks = plan(root, executed, {"profile": profile, **parameters}, scripts)
    pages = read(root, executed, scripts, tasks)
    verdicts = [verdict for page in pages for verdict in page.verdicts]
    found = scoreboard.judged(verdicts)
    titles = {page.name: page.title for page in pages}
    told = cautions()
    for page in pages:
        notebook = _staged(page, told.get(page.short, ""), profile, _about(root))
        for output in (one for cell in notebook.cells for one in cell.get("outputs", [])):
            figures.store(output.get("data", {}), source / "book" / "_static")
        target = source / f"{page.name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    claims.write(found, titles, source, whole=not only)
    if only:
        return
    (source / GENERATED).mkdir(parents=True)
    parts = {
        "picture": front.picture(pages, source / GENERATED),
        "test_beds": front.test_beds(),
        "rule": RULE,
        "profile": _built_with(profile, parameters),
        "summary": board.summary(found),
        "board": board.table(found, titles),
        "concordance": concordance.concordance(concordance.items(), pages),
        "options": options(profile),
        "runs": runs(profile, root),
        "cost": cost.table(root),
    }
    for name, text in parts.items():
        (source / GENERATED / f"{name}.md").write_text(text, "utf-8")
    facts = front.facts(pages, found) | cost.facts(root)
    for text in (source / "book").glob("*.md"):
        text.write_text(_with_facts(text.read_text("utf-8"), facts), "utf-8")
    has_reference = "book/methods" in listed
    named = names.items(concordance.items(), pages) + (names.registries() if has_reference else [])
    files = {
        "claims.csv": claims.table(found.to_dict("records")),
        "claims.json": board.as_json(found),
        names.FILE: names.script(named),
    }
    for name, text in files.items():
        (source / "book" / "_static" / name).write_text(text, "utf-8")
    reference.write(source, verdicts, whole=has_reference)


def _with_facts(text: str, facts: Mapping[str, str]) -> str:
    """A page with the values that its text inserts by name, such as {{ papers }}."""
    if "{{" not in text:
        return text
    return f"---\n{yaml.safe_dump({'myst': {'substitutions': dict(facts)}}, allow_unicode=True)}---\n\n{text}"


def _staged(page: Executed, caution: str, profile: str, book: Mapping[str, str]) -> NotebookNode:
    """The notebook of a page as the book shows it: the answer comes first, and how to run it is folded."""
    notebook = deepcopy(page.notebook)
    marked: set[str] = set()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            _link_claims(output, page.name, marked)
    cells = []
    for i, cell in enumerate(notebook.cells):
        cells += _prepared(cell, f"{page.name}, cell {i}")
        if "parameters" in cell.metadata.get("tags", []):
            cells.append(new_markdown_cell(fold(page, profile, book)))
    notebook.cells = [*_answered(cells, answer(page, caution))]
    return notebook


def _answered(cells: Iterable[NotebookNode], box: str) -> Iterator[NotebookNode]:
    """The cells, with the box under the first title."""
    waiting = True
    for cell in cells:
        title = _TITLE.search(cell.source) if waiting and cell.cell_type == "markdown" else None
        if title:
            waiting = False
            cell.source = f"{cell.source[: title.end()]}\n\n{box}\n{cell.source[title.end() :]}"
        yield cell


def _link_claims(output: NotebookNode, page: str, marked: set[str]) -> None:
    """Give the table of claims links to the claims' own pages, and an anchor for each claim."""

    def mark(claim: str) -> tuple[str, str]:
        anchor = "" if claim in marked else claims.anchor(claim)
        marked.add(claim)
        return anchor, contents.link(claims.name(claim), page)

    records = output.get("data", {}).pop(
        VERDICTS_MIME, None
    )  # already collected; a page cannot show it
    output.get("metadata", {}).pop("differences", None)
    if records:
        output.data["text/html"] = STYLE + claims_html(pd.DataFrame(records), mark)


def _about(root: Path) -> dict[str, str]:
    """The title, author and year of the book."""
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8")) or {}
    return {
        "title": config.get("title", ""),
        "author": config.get("author", ""),
        "year": str(config.get("copyright", "")),
    }


def _built_with(profile: str, parameters: Mapping[str, Any]) -> str:
    """The profile that made this copy, and the parameters that replaced its values, in words."""
    said = f"This copy was built with the `{profile}` profile: {PROFILE_NOTES[profile]}"
    replaced = (f"`{k}` {plain(value)}" for k, value in parameters.items() if k not in WHERE)
    if given := ", ".join(replaced):
        said += f" Pages ran with {given} in place of the values of the profile."
    return said


def _toc(first: str, *others: str) -> str:
    chapters = "".join(f"  - file: {page}\n" for page in others)
    return f"format: jb-book\nroot: {first}\nchapters:\n{chapters}"


def _not_pages(folder: str, names: list[str]) -> set[str]:
    """The files beside the pages that belong to the package."""
    packages = {name for name in names if (Path(folder) / name / "__init__.py").is_file()}
    return packages | {name for name in names if name.endswith((".py", ".yaml", "__pycache__"))}


def _prepared(cell: NotebookNode, place: str) -> list[NotebookNode]:
    for output in cell.get("outputs", []):
        if _is_image(output) and not output.metadata.get("alt"):
            raise ValueError(
                f"{place}: an image without alternative text; "
                "show it by book.report.show(figure, alt=...)"
            )
    if cell.cell_type == "code":
        _fold(cell)
    return list(figures_apart(cell))


def _fold(cell: NotebookNode) -> None:
    """Fold the code of a cell, unless it is marked `show-input`. The parameters are shown with the command
    that runs the page."""
    tags = set(cell.metadata.get("tags", []))
    if tags & {"parameters", "injected-parameters"}:
        cell.metadata["tags"] = sorted(tags | {"remove-cell"})
    elif not tags & {"show-input", "remove-input", "remove-cell"}:
        cell.metadata["tags"] = sorted(tags | {"hide-input"})


def figures_apart(cell: NotebookNode) -> Iterator[NotebookNode]:
    """The cell, followed by one cell for each figure that it shows.

    MyST-NB takes alternative text, caption and name from the metadata of the cell, once for all of
    its outputs. Ours come with each output, so each figure gets a cell of its own.
    """
    if not any(map(_is_image, cell.get("outputs", []))):
        yield cell
        return
    outputs, cell.outputs = cell.outputs, []
    current = cell
    for output in outputs:
        if _is_image(output):
            yield current
            yield _figure_cell(output)
            current = _output_cell()
        else:
            current.outputs.append(output)
    if current.outputs:
        yield current


def _is_image(output: NotebookNode) -> bool:
    return any(mime.startswith("image/") for mime in output.get("data", {}))


def _output_cell() -> NotebookNode:
    # With a source, since MyST-NB skips an empty cell together with its outputs.
    return new_code_cell("# shown by the cell above", metadata={"tags": ["remove-input"]})


def _figure_cell(output: NotebookNode) -> NotebookNode:
    cell = _output_cell()
    cell.outputs = [output]
    figure = {key: output.metadata[key] for key in ("caption", "name") if output.metadata.get(key)}
    cell.metadata["mystnb"] = {"image": {"alt": output.metadata["alt"]}, "figure": figure}
    return cell
