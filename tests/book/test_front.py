"""What the front page counts, and the figure that it shows."""

import re
from base64 import b64encode

from nbformat.v4 import new_code_cell, new_output

from book.building import cost
from book.building.front import PICTURE, counted, facts, picture, test_beds
from book.building.scoreboard import judged
from lib.data import DATASETS, load
from lib.paths import ROOT

from .verdicts import page, verdict

test_beds.__test__ = False  # a function of the book, and no test


def test_numbers_are_counted_from_what_there_is():
    pages = [page(name="notebooks/opticam/01"), page(name="notebooks/statistics/01")]
    found = facts(pages, judged([verdict("a", statement="s"), verdict("b", statement="s")]))
    assert (found["papers"], found["pages"], found["claims"], found["statements"]) == (
        "five",
        "1",
        "2",
        "1",
    )
    drawn = [name for name, entry in DATASETS.items() if "generator" in entry["source"]]
    assert found["drawn"] == counted(len(drawn)) and found["doubtful"] == counted(
        sum(load("imagenet_embedded").doubtful)
    )
    assert facts([], judged([]))["statements"] == "0"


def test_every_drawn_dataset_is_listed_with_the_networks_trained_on_it():
    text = test_beds()
    assert text.count("* *") == sum("generator" in entry["source"] for entry in DATASETS.values())
    assert "*birds*" in text and "`birds_vgg`" in text and "_quick" not in text


def test_the_text_takes_no_name_that_is_not_counted():
    counted_names = {*facts([], judged([])), *cost.facts(ROOT)}
    for file in (ROOT / "book").glob("*.md"):
        assert set(re.findall(r"{{ (\w+) }}", file.read_text("utf-8"))) <= counted_names, file.name


def test_the_picture_is_that_of_a_page_with_its_alternative_text(tmp_path):
    output = new_output(
        "display_data", data={"image/png": b64encode(b"png").decode()},
        metadata={"name": PICTURE, "alt": "What it shows.", "caption": "A table."},
    )  # fmt: skip
    shown = picture([page(cells=[new_code_cell("show", outputs=[output])])], tmp_path)
    assert ":alt: What it shows." in shown and "[One page](/notebooks/mini/one): A table." in shown
    assert (tmp_path / "front.png").read_bytes() == b"png"
    assert picture([page()], tmp_path) == ""
