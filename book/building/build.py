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

    Returns:
        The path of `index.html`, or of the first of the pages.

    Raises:
        UnknownName: no such profile or page, or a parameter that no notebook has.
        BookError: notebooks failed (the others were executed all the same), or a page has warnings.

    Example:
        >>> build("smoke").name
        'index.html'
    """
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    builds = BUILD if root == ROOT else root / "build"
    out = Path(out or builds / ("pages" if pages else profile)).expanduser().resolve()
    chosen = contents.chosen(root, pages)
    tasks = plan(root, out / "executed", {"profile": profile, **(parameters or {})}, chosen)
    if failures := execute(tasks, jobs):
        report = "\n\n".join(map(str, failures))
        raise BookError(f"{len(failures)} of {len(tasks)} notebooks failed:\n\n{report}")
    only = chosen if pages else None
    stage(root, out / "executed", out / "source", profile, only, parameters or {})
    if warnings := publish(out / "source", out / "html", strict=not pages):
        raise BookError(f"the pages in {out / 'source'} have warnings:\n\n{warnings}")
    first = chosen[0].relative_to(root).with_suffix(".html") if pages else "index.html"
    return out / "html" / first
