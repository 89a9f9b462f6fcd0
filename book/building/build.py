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
    """The book cannot be built; says which pages are to blame."""


def build(
    profile: str = "embedded",
    *,
    root: Path = ROOT,
    out: Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    jobs: int | None = None,
    pages: Sequence[str] = (),
    as_is: bool = False,
) -> Path:
    """Execute the notebooks of `_toc.yml` where they are stale, and build the HTML book.

    Args:
        profile: "smoke" (seconds, for tests), "embedded" (what packages carry), or "paper" (the
            published setting: the full datasets, a GPU).
        root: the project, with `_toc.yml`, `_config.yml`, `book/` and `notebooks/`.
        out: where everything goes, by default `build/<profile>`, or `build/pages` for some pages.
        parameters: further notebook parameters; a notebook gets those that it has.
        jobs: notebooks at a time, by default two, or one for two cores, and one on a GPU.
        pages: these notebooks alone, each by its beginning such as "opticam/07"; links to other
            pages lead nowhere then.
        as_is: execute nothing; a page whose inputs have changed since says so.

    Returns:
        The path of `index.html`, or of the first of the pages.

    Raises:
        UnknownName: no such profile or page, or a parameter that no notebook has.
        BookError: notebooks failed (the others were executed all the same), or were never executed, or a
            page has warnings.

    Example:
        >>> build("smoke").name
        'index.html'
    """
    out = _folder(profile, root, out, pages)
    chosen = contents.chosen(root, pages)
    tasks = plan(root, out / "executed", {"profile": profile, **(parameters or {})}, chosen)
    if as_is and (missing := [task.name for task in tasks if not task.output.is_file()]):
        raise BookError(f"never executed: {', '.join(missing)}")
    if failures := [] if as_is else execute(tasks, jobs):
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
    """The notebooks that `build` would execute, by name: those whose inputs have changed since they were
    executed, and those that never were. Arguments and errors as of `build`.

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
