"""An executed page: its notebook, and the title, verdicts, seconds and provenance in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from .execute import Task
from .scoreboard import Verdict, verdicts


@dataclass(frozen=True, eq=False)
class Executed:
    """A page with its executed notebook.

    Attributes:
        name: as in `_toc.yml`.
        stale: whether its inputs have changed since.

    Example:
        >>> page.title, page.seconds
        ('Insertion and deletion', 92.1)
    """

    name: str
    notebook: NotebookNode
    stale: bool = False

    @property
    def short(self) -> str:
        """The name that commands take, such as "opticam/01_classification_metrics"."""
        return self.name.removeprefix("notebooks/")

    @property
    def paper(self) -> str:
        return self.short.partition("/")[0]

    @cached_property
    def title(self) -> str:
        """Its first heading."""
        texts = (cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")
        found = re.search(r"^# (.+)$", "\n".join(texts), re.M)
        return found[1] if found else self.name

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return verdicts(self.notebook, self.name)

    @property
    def seconds(self) -> float | None:
        """How long the execution took."""
        return self.notebook.metadata.get("book", {}).get("seconds")

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """The record of the footer; empty without a footer."""
        found = (output.get("metadata", {}).get("provenance") for output in self.outputs())
        return next(filter(None, found), {})

    def outputs(self) -> Iterator[NotebookNode]:
        """The outputs of all cells, in order."""
        for cell in self.notebook.cells:
            yield from cell.get("outputs", [])

    def source(self, tag: str) -> str:
        """The source of the first cell with a tag; empty if there is none."""
        tagged = (cell for cell in self.notebook.cells if tag in cell.metadata.get("tags", []))
        return next((cell.source for cell in tagged), "")


def read(
    root: Path, executed: Path, scripts: Sequence[Path], tasks: Sequence[Task]
) -> list[Executed]:
    """The executed notebooks of pages.

    Args:
        root: the project.
        executed: the folder of the executed notebooks, at the same relative paths.
        scripts: their sources.
        tasks: the tasks of these pages, with the inputs of now.
    """
    stale = {task.source for task in tasks if task.outdated}
    found = []
    for script in scripts:
        name = script.relative_to(root).with_suffix("")
        notebook = nbformat.read(executed / name.with_suffix(".ipynb"), as_version=4)
        found.append(Executed(name.as_posix(), notebook, script in stale))
    return found
