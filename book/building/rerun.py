"""The part of a page that says how to run it again and how to cite it."""

import re
import shlex
from collections.abc import Mapping
from html import escape
from typing import Any

from ..parameters import WHERE, assigned
from .executed import Executed

PROMPT = "Run this page, or cite it"


def fold(page: Executed, profile: str, book: Mapping[str, str]) -> str:
    """The commands that compute a page again, its parameters, and its BibTeX entry, as Markdown.

    Args:
        profile: with which this copy was made.
        book: its title, author and year.
    """
    declared = page.source("parameters")
    theirs = assigned(page.source("injected-parameters").removeprefix("# Parameters\n"))
    given = {key: value for key, value in theirs.items() if key not in ("profile", *WHERE)}
    mine = []
    if "root" in assigned(declared):
        own = {"root": "pictures"} | ({"cost": "smoke"} if "cost" in assigned(declared) else {})
        mine = [
            "With your own images, in the folder `pictures`:",
            _code("bash", command(page.short, "embedded", own, out="mine")),
        ]
    parts = [
        f'<details class="cams-run" id="run-this-page"><summary>{PROMPT}{_cost(page)}</summary>',
        "Run this in the folder of the project, after `make env`. Stored results are not computed again:",
        _code("bash", command(page.short, profile, given)),
        *mine,
        "The parameters of this page, each with its meaning:",
        _code("python", declared),
        "To cite this page:",
        _code("bibtex", bibtex(page, book)),
        "</details>\n",
    ]
    return "\n\n".join(parts)


def _cost(page: Executed) -> str:
    """How long this copy of the page took, and on what; empty where the execution has not said it."""
    device = page.provenance.get("device")
    if page.seconds is None or not device:
        return ""
    return f' <span class="cams-cost">{page.seconds:,.0f} s on {escape(device)}</span>'


def command(page: str, profile: str, parameters: Mapping[str, Any], out: str = "") -> str:
    """The complete command that executes a page.

    Example:
        >>> command("opticam/07_localization", "embedded", {"root": "my pictures"})
        ".venv/bin/python -m lib book --page opticam/07_localization --profile embedded -p root 'my pictures'"
    """
    words = [".venv/bin/python", "-m", "lib", "book", "--page", page, "--profile", profile]
    for name, value in parameters.items():
        words += ["-p", name, str(value)]
    return shlex.join([*words, *(["--out", out] if out else [])])


def bibtex(page: Executed, book: Mapping[str, str]) -> str:
    """The BibTeX entry of a page.

    Args:
        book: its title, author and year.

    Example:
        >>> bibtex(page, {"title": "Maps", "author": "They", "year": "2026"}).splitlines()[0]
        '@incollection{cams-opticam-07,'
    """
    key = re.sub(r"[^\w]+", "-", "-".join(part.split("_")[0] for part in page.short.split("/")))
    made = page.provenance
    version = ", ".join(
        f"{what} {value}"
        for what, value in (
            ("version", made.get("versions", {}).get("lib")),
            ("commit", made.get("commit")),
        )
        if value
    )
    fields = {
        "title": page.title,
        "author": f"{{{book['author']}}}",
        "booktitle": book["title"],
        "year": book["year"],
        "note": version[:1].upper() + version[1:],
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@incollection{{cams-{key},\n{lines}}}"


def _code(language: str, text: str) -> str:
    return f"```{{code-block}} {language}\n{text}\n```"
