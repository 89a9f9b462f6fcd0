"""From the sources of a project to its book."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lib.errors import unknown
from lib.paths import BUILD, ROOT

from ..parameters import PROFILES
from . import contents
from .execute import execute, plan
from .publish import publish
from .stage import stage


class BookError(ValueError):
    """The book cannot be built; the message names the pages that fail."""


def build(
    profile: str = "embedded",
    *,
    root: Path = ROOT,
    out: Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    pages: Sequence[str] = (),
    as_is: bool = False,
) -> Path:
    """Execute the notebooks of `_toc.yml` where they are stale, and build the HTML book.

    Args:
        profile: "smoke" (seconds, for tests), "embedded" (what packages carry), or "paper" (the
            published setting: the full datasets, a GPU).
        root: the project, with `_toc.yml`, `_config.yml`, `book/` and `notebooks/`.
        out: where everything goes, by default `build/<profile>`, or `build/pages` for some pages.
        parameters: further notebook parameters; each notebook gets those that it declares.
        jobs: how many notebooks run at a time: by default one on a GPU, else one per two cores and at
            least two.
        scheduler: of Dask, on whose workers the notebooks run, see `execute`.
        pages: only these notebooks, each given by the beginning of its name, such as "opticam/07"; links
            to other pages are then dead.
        as_is: execute nothing; a page whose inputs have changed since says so.

    Returns:
        The path of `index.html`, or of the first of the pages.

    Raises:
        UnknownName: no such profile or page, or a parameter that no notebook has.
        BookError: notebooks failed (the others were executed nevertheless), or were never executed, or
            a page has warnings.

    Example:
        >>> build("smoke").name
        'index.html'
    """
    out = _folder(profile, root, out, pages)
    chosen = contents.chosen(root, pages)
    tasks = plan(root, out / "executed", {"profile": profile, **(parameters or {})}, chosen)
    if as_is and (missing := [task.name for task in tasks if not task.output.is_file()]):
        raise BookError(f"never executed: {', '.join(missing)}")
    if failures := [] if as_is else execute(tasks, jobs, scheduler):
        report = "\n\n".join(map(str, failures))
        raise BookError(f"{len(failures)} of {len(tasks)} notebooks failed:\n\n{report}")
    only = chosen if pages else None
    stage(root, out / "executed", out / "source", profile, only, parameters or {})
    if warnings := publish(out / "source", out / "html", strict=not pages):
        raise BookError(f"the pages in {out / 'source'} have warnings:\n\n{warnings}")
    first = chosen[0].relative_to(root).with_suffix(".html") if pages else "index.html"
    return out / "html" / first


def stale(
    profile: str = "embedded",
    *,
    root: Path = ROOT,
    out: Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    pages: Sequence[str] = (),
) -> list[str]:
    """The names of the notebooks that `build` would execute: those whose inputs have changed since their
    execution, and those that were never executed. Arguments and errors are those of `build`.

    Example:
        >>> stale("smoke", pages=["opticam/07"])
        ['opticam/07_localization']
    """
    out = _folder(profile, root, out, pages)
    chosen = contents.chosen(root, pages)
    tasks = plan(root, out / "executed", {"profile": profile, **(parameters or {})}, chosen)
    return [task.name for task in tasks if not task.fresh]


def _folder(profile: str, root: Path, out: Path | None, pages: Sequence[str]) -> Path:
    """Where a build goes."""
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    builds = BUILD if root == ROOT else root / "build"
    return Path(out or builds / ("pages" if pages else profile)).expanduser().resolve()
