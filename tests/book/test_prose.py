"""Prose states no result: a decimal on a page is one that the paper prints, or a setting listed here."""

import re

import pandas as pd
import pytest

from book.building.contents import notebooks
from lib.paths import MANIFESTS, ROOT

CELL = re.compile(r"^# %% \[markdown\]\n(.*?)(?=^# %%|\Z)", re.DOTALL | re.MULTILINE)
# Not prose: formulas, code, roles, and the targets of links.
ELSEWHERE = re.compile(
    r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\{[a-z:]+\}|\]\([^()]*\)|^```.*?$", re.DOTALL | re.MULTILINE
)
NUMBERED = re.compile(
    r"(sections?|wordnet)\s\d+\.\d+(\.\d+)?((,| and| to)\s\d+\.\d+)*", re.IGNORECASE
)
DECIMAL = re.compile(r"(?<![\w.])\d+\.\d+(?![.\d])")

# Settings, thresholds, and values that a paper prints in its text alone.
GIVEN: dict[str, set[str]] = {
    "opticam/09_survey": {
        "58.15",
        "58.158",
        "58.026",
        "73.4",
        "76.1",
    },  # 442 / 760, 441 / 760; top 1
    "opticam/10_medical": {"83.2", "89.5", "89.8"},  # accuracies, in the paper's text
    "liftcam/03_approximation": {"0.5", "0.9"},  # read off the paper's figure
    "calm/03_attribution_maps": {"1.28"},  # million images
    "calm/06_depth": {"0.3", "0.5"},  # overlaps with a box
}


def decimals(script: str) -> set[str]:
    """The decimals in the prose of a notebook's script."""
    prose = " ".join(ELSEWHERE.sub(" ", cell) for cell in CELL.findall(script))
    return set(DECIMAL.findall(NUMBERED.sub(" ", prose)))


def printed(paper: str) -> set[str]:
    """The values that the tables of a paper print."""
    path = MANIFESTS / "published" / f"{paper}.csv"
    return set(pd.read_csv(path, dtype=str)["printed"].dropna()) if path.is_file() else set()


@pytest.mark.parametrize(
    "path", notebooks(ROOT), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_decimals_in_prose_are_printed_or_settings(path):
    page = f"{path.parent.name}/{path.stem}"
    found = decimals(path.read_text("utf-8"))
    assert found - printed(path.parent.name) == GIVEN.get(page, set())


def test_a_typed_result_is_found():
    script = '# %% [markdown]\n"""\nAs section 4.2 says, $a = 0.5$ and `b=0.5`; the gain is 81.3 %.\n"""\n'
    assert decimals(script) == {"81.3"}
