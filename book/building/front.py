"""The numbers of the front page, which are counted from the book."""

import csv
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lib.data import DATASETS
from lib.manifests import networks
from lib.paths import MANIFESTS

from ..report import PAPERS
from . import concordance
from .answers import statements
from .executed import Executed

PICTURE = "opticam-table-1"  # the figure that the front page shows
_WORDS = "no one two three four five six seven eight nine ten eleven twelve".split()


def facts(pages: Sequence[Executed], found: pd.DataFrame) -> dict[str, str]:
    """The values that the text of the front page inserts, by name.

    Args:
        pages: the executed notebooks.
        found: the result of `scoreboard.judged`.

    Example:
        >>> facts(pages, found)["papers"]
        'five'
    """
    judged = statements(found)["verdict"] if len(found) else []
    return {
        "papers": counted(len(PAPERS)),
        "pages": str(sum(page.paper in PAPERS for page in pages)),
        "claims": str(len(found)),
        "statements": str(len(judged)),
        "photographs": DATASETS["imagenet_embedded"]["title"],
        "doubtful": counted(_doubtful()),
        "digits": DATASETS["mnist"]["title"],
        "drawn": counted(len(_drawn())),
    } | {name: str(n) for name, n in concordance.counts(concordance.items()).items()}


def counted(n: int) -> str:
    """A number as prose writes it.

    Example:
        >>> counted(5), counted(40)
        ('five', '40')
    """
    return _WORDS[n] if n < len(_WORDS) else str(n)


def _doubtful() -> int:
    """The number of photographs with a label that may be wrong."""
    file = MANIFESTS / "datasets" / DATASETS["imagenet_embedded"]["boxes"]["file"]
    with file.open(newline="", encoding="utf-8") as rows:
        return len({row["file"] for row in csv.DictReader(rows) if row["doubtful"] == "1"})


def _drawn() -> dict[str, dict]:
    """The datasets whose images a program draws, by name."""
    return {name: entry for name, entry in DATASETS.items() if "generator" in entry["source"]}


def test_beds() -> str:
    """A list of the drawn datasets, with the networks that are trained on images of the same program."""
    recipes = {
        name: entry["recipe"] for name, entry in networks().items() if not name.endswith("_quick")
    }
    lines = []
    for name, entry in _drawn().items():
        module = entry["source"]["generator"].partition(":")[0]
        trained = [
            f"`{network}`" for network, recipe in recipes.items() if recipe.startswith(f"{module}:")
        ]
        lines.append(
            f"* *{name}*: {entry['title']}"
            + (f"; networks: {', '.join(trained)}" if trained else "")
            + "."
        )
    return "\n".join(lines) + "\n"


def picture(pages: Sequence[Executed], folder: Path) -> str:
    """The figure of the front page as Markdown, with its file in the folder of generated parts; empty if no
    page has it.

    Args:
        folder: `book/_generated` of a staged tree.
    """
    for page in pages:
        for output in page.outputs():
            if output.get("metadata", {}).get("name") == PICTURE:
                mime, data = next((m, d) for m, d in output.data.items() if m.startswith("image/"))
                file = folder / f"front.{mime.removeprefix('image/')}"
                file.write_bytes(b64decode(data))
                return (
                    f"```{{figure}} /book/_generated/{file.name}\n:alt: {output.metadata.alt}\n\n"
                    f"[{page.title}](/{page.name}): {output.metadata.caption}\n```\n"
                )
    return ""
