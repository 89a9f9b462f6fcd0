"""Every page in the profile `paper`, on tiny copies of the real datasets and with untrained weights.

No page may fail for another reason than missing data. `pytest -m matrix
tests/book/test_published_setting.py` runs every page; without it a few cheap pages run.
"""

from pathlib import Path

import pytest

from book.experiments import pages, plan
from lib.data import DATASETS, load

from .published import affordable, datasets, published, smaller
from .strangers import Outcome, run

SAMPLE = ["calm/05_supersets", "statistics/01_intervals"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return datasets(tmp_path_factory.mktemp("published"))


def check(outcome: Outcome) -> None:
    if outcome.error:
        raise outcome.error
    assert "Departures from the published setting" in outcome.shown


@pytest.mark.parametrize("page", SAMPLE)
def test_a_page_runs(home, monkeypatch, page):
    published(home, monkeypatch)
    check(run(page, profile="paper"))


@pytest.mark.matrix
@pytest.mark.parametrize("page", [page for page in pages() if page not in SAMPLE])
def test_every_page_runs(home, monkeypatch, page):
    published(home, monkeypatch)
    check(run(page, profile="paper"))
