"""The entries of `book/references.bib`: the papers to cite for methods and metrics."""

from functools import cache
from pathlib import Path

from pybtex.database import BibliographyData, Entry, parse_file

from lib.errors import unknown

FILE = Path(__file__).parents[2] / "references.bib"


@cache
def _all() -> BibliographyData:
    return parse_file(FILE)


def entry(key: str) -> Entry:
    """The entry of a key; an unknown key is an error that lists all keys."""
    if key not in _all().entries:
        raise unknown("reference", key, _all().entries)
    return _all().entries[key]


def bibtex(key: str) -> str:
    """The BibTeX of an entry."""
    return entry(key).to_string("bibtex").strip()


def link(key: str) -> str:
    """The address of the paper; empty if the entry has none.

    Example:
        >>> link("opticam")
        'https://doi.org/10.1016/j.cviu.2024.104101'
    """
    fields = entry(key).fields
    if "doi" in fields:
        return f"https://doi.org/{fields['doi']}"
    if fields.get("archiveprefix", "").lower() == "arxiv":
        return f"https://arxiv.org/abs/{fields['eprint']}"
    return fields.get("url", "")
