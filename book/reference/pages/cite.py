"""How to cite this book: the BibTeX of `CITATION.cff`, and of a page in it."""

from pathlib import Path
from typing import Any

import yaml

from lib.paths import ROOT

KEY = "class_activation_maps_reproduced"


def citation(root: Path = ROOT) -> dict[str, Any]:
    """The content of `CITATION.cff`."""
    return yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))


def bibtex(of: dict[str, Any], title: str = "", page: str = "") -> str:
    """The entry of the book, or of one of its pages.

    Args:
        of: the content of `CITATION.cff`.
        title, page: the heading and the path of a page, such as "notebooks/opticam/07_localization".

    Example:
        >>> print(bibtex(citation()).splitlines()[0])
        @software{class_activation_maps_reproduced,
    """
    key = "_".join([KEY, *Path(page).parts[-1:]]) if page else KEY
    fields = {
        "author": " and ".join(map(_author, of["authors"])),
        "title": f"{title}, in: {of['title']}" if title else of["title"],
        "version": str(of["version"]),
        "date": str(of.get("date-released", "")),
        "url": of.get("url") or of.get("repository-code", ""),
        "doi": of.get("doi", ""),
        "note": f"page {page}" if page else "",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@software{{{key},\n" + ",\n".join(lines) + "\n}"


def _author(author: dict[str, str]) -> str:
    """A person by family and given name; a group in braces, which BibTeX does not take apart."""
    if "name" in author:
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"
