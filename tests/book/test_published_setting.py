"""Every page in the profile `paper`, on tiny copies of the real datasets and with untrained weights.

No page may fail for another reason than missing data. `pytest -m matrix
tests/book/test_published_setting.py` runs every page; without it a few cheap pages run.
"""

from pathlib import Path

import pytest

from book.experiments import pages, plan
from lib.data import DATASETS, load
from lib.paths import ROOT

from .. import tiny_datasets
from .published import affordable, datasets, published, smaller
from .strangers import run

SAMPLE = [
    "calm/05_supersets",
    "calm/06_depth",
    "contrast/06_input_space",
    "statistics/01_intervals",
]
AS_PUBLISHED = "None: networks, images and options are the published ones"
# The datasets of the published setting that are read from a folder.
READ = {
    name
    for page in pages()
    for experiment in plan(page, "paper").experiments
    for name in (experiment.dataset, (experiment.reference or experiment.__dict__)["dataset"])
    if "folder" in DATASETS[name]["source"] and "package" not in DATASETS[name]["source"]
}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return datasets(tmp_path_factory.mktemp("published"))


def check(home: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    """The page runs to its end, and says that nothing departs."""
    published(home, monkeypatch)
    outcome = run(page, profile="paper")
    if outcome.error:
        raise outcome.error
    if "page.departures()" in (ROOT / f"notebooks/{page}.py").read_text("utf-8"):
        assert AS_PUBLISHED in outcome.shown


@pytest.mark.parametrize("page", SAMPLE)
def test_a_page_runs(home, monkeypatch, page):
    check(home, monkeypatch, page)


@pytest.mark.matrix
@pytest.mark.parametrize("page", [page for page in pages() if page not in SAMPLE])
def test_every_page_runs(home, monkeypatch, page):
    check(home, monkeypatch, page)


@pytest.mark.parametrize("name", sorted(READ))
def test_a_tiny_copy_lies_where_the_manifest_says_in_every_split_that_is_used(
    home, monkeypatch, name
):
    published(home, monkeypatch)
    for split in {None, "train"} & {None, *DATASETS[name]["splits"]}:
        found = load(name, split=split)
        assert len(found) and len(found.readable()) == len(found)


def test_every_published_dataset_has_a_tiny_copy():
    assert READ <= tiny_datasets.MAKERS.keys()


@pytest.mark.parametrize("page", pages())
def test_every_split_of_references_exists(page):
    for experiment in plan(page, "paper").experiments:
        if experiment.reference:
            split = experiment.reference.get("split")
            assert split in DATASETS[experiment.reference["dataset"]]["splits"]


def test_a_missing_dataset_is_one_sentence_at_the_head_of_a_page(tmp_path, monkeypatch):
    published(tmp_path / "empty", monkeypatch)
    outcome = run("opticam/05_bounding_boxes", profile="paper")
    assert outcome.cell <= 3 and isinstance(outcome.error, FileNotFoundError)
    assert outcome.stopped.startswith("imagenet: not found at ")


def test_the_plan_keeps_what_is_published_but_numbers():
    own, full = (
        affordable("diffcam/03_localization", "paper"),
        plan("diffcam/03_localization", "paper"),
    )
    assert own.experiments == full.experiments and own.notes == full.notes
    assert own.settings.keys() - {"without"} == full.settings.keys() - {"without"}
    assert smaller(None, 3) == 3 and smaller("", 3) == "" and smaller(None, None) is None
    assert smaller({"a": {"n": 100}, "b": "x", "c": 2.5}, {"a": {"n": 1}, "b": "y", "c": 0.5}) == {
        "a": {"n": 1}, "b": "x", "c": 0.5,
    }  # fmt: skip
