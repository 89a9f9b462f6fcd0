"""The entries of `book/references.bib`: whom to cite for a method or a metric."""

from functools import cache
from pathlib import Path

from pybtex.database import BibliographyData, Entry, parse_file

from lib.errors import unknown

FILE = Path(__file__).parents[2] / "references.bib"


@cache
def _all() -> BibliographyData:
    return parse_file(FILE)


def entry(key: str) -> Entry:
    """The entry of that key, or an error that lists them all."""
    if key not in _all().entries:
        raise unknown("reference", key, _all().entries)
    return _all().entries[key]


def bibtex(key: str) -> str:
    """The entry as it is copied into a bibliography."""
    return entry(key).to_string("bibtex").strip()


def link(key: str) -> str:
    """Where the paper lies; empty where the entry does not say.

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
