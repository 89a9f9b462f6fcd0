"""Lay out the tree that Jupyter Book reads: written pages, executed notebooks, generated parts."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from ..report import RULE, VERDICTS_MIME
from ..report.provenance import plain
from . import contents, scoreboard
from .runs import options, runs

GENERATED = Path("book/_generated")

PROFILE_NOTES = {
    "smoke": "a few images, in double precision, to see that every page runs. Its numbers carry no weight, "
    "and the verdicts say so.",
    "embedded": "the photographs and networks that ordinary packages carry, nothing downloaded.",
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
        only: these notebooks with the references, in place of all pages.
        parameters: of the notebooks, beside the profile.

    Raises:
        ValueError: a notebook shows an image without alternative text.
    """
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=_not_pages)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, source / name)
    verdicts = []
    if only:
        below = [*(path.relative_to(root).with_suffix("").as_posix() for path in only)]
        (source / "_toc.yml").write_text(_toc(*below, "book/references"), "utf-8")
    for script in only or contents.notebooks(root):
        page = script.relative_to(root).with_suffix("")
        notebook = nbformat.read(executed / page.with_suffix(".ipynb"), as_version=4)
        verdicts += scoreboard.verdicts(notebook, page.as_posix())
        notebook.cells = [
            part
            for i, cell in enumerate(notebook.cells)
            for part in _prepared(cell, f"{page}, cell {i}")
        ]
        target = source / page.with_suffix(".ipynb")
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)
    parts = {
        "rule": RULE,
        "profile": _built_with(profile, parameters),
        "summary": scoreboard.summary(verdicts),
        "claims": scoreboard.claims(verdicts),
        "options": options(profile),
        "runs": runs(profile, root),
    }
    (source / GENERATED).mkdir(parents=True)
    for name, text in parts.items():
        (source / GENERATED / f"{name}.md").write_text(text, "utf-8")


def _built_with(profile: str, parameters: Mapping[str, Any]) -> str:
    """In words, which profile made this copy, and what came in place of what it says."""
    said = f"This copy was built with the `{profile}` profile: {PROFILE_NOTES[profile]}"
    if parameters:
        given = ", ".join(f"`{name}` {plain(value)}" for name, value in parameters.items())
        said += f" In place of what the profile says, pages ran with {given}."
    return said


def _toc(first: str, *others: str) -> str:
    chapters = "".join(f"  - file: {page}\n" for page in others)
    return f"format: jb-book\nroot: {first}\nchapters:\n{chapters}"


def _not_pages(folder: str, names: list[str]) -> set[str]:
    """What lies beside the pages and makes them: the package."""
    packages = {name for name in names if (Path(folder) / name / "__init__.py").is_file()}
    return packages | {name for name in names if name.endswith((".py", ".yaml", "__pycache__"))}


def _prepared(cell: NotebookNode, place: str) -> list[NotebookNode]:
    for output in cell.get("outputs", []):
        if _is_image(output) and not output.metadata.get("alt"):
            raise ValueError(
                f"{place}: an image without alternative text; "
                "show it by book.report.show(figure, alt=...)"
            )
        output.get("data", {}).pop(VERDICTS_MIME, None)  # collected; no page can show it
    if cell.cell_type == "code":
        _fold(cell)
    return list(figures_apart(cell))


def _fold(cell: NotebookNode) -> None:
    """Code waits behind a click, but for the parameters and what a notebook marks `show-input`."""
    tags = set(cell.metadata.get("tags", []))
    if not tags & {
        "parameters",
        "injected-parameters",
        "show-input",
        "remove-input",
        "remove-cell",
    }:
        cell.metadata["tags"] = sorted(tags | {"hide-input"})


def figures_apart(cell: NotebookNode) -> Iterator[NotebookNode]:
    """The cell, and behind it one cell for each figure that it shows.

    MyST-NB takes alternative text, caption and name from the metadata of the cell, once for all of
    its outputs; ours come with each output. So each figure gets a cell of its own.
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
    # Not without source: MyST-NB skips an empty cell together with its outputs.
    return new_code_cell("# shown by the cell above", metadata={"tags": ["remove-input"]})


def _figure_cell(output: NotebookNode) -> NotebookNode:
    cell = _output_cell()
    cell.outputs = [output]
    figure = {key: output.metadata[key] for key in ("caption", "name") if output.metadata.get(key)}
    cell.metadata["mystnb"] = {"image": {"alt": output.metadata["alt"]}, "figure": figure}
    return cell
