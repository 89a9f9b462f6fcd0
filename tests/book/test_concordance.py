"""The concordance: complete, true to the pages, and computed where it can be."""

import os
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from book.building import contents
from book.building.concordance import Item, anchors, concordance, counts, gaps, items
from book.report import PAPERS, claims, comparison, published
from lib.paths import ROOT
from tests.book.report.frames import frame

from .verdicts import page, verdict

TEXTS = {  # the files of the papers' texts
    "opticam": "opticam", "liftcam": "liftcam", "contrast": "contrast_supplement", "diffcam": "diffcam_supplement",
    "calm": "calm_supplement",
}  # fmt: skip
_NAMED = re.compile(r"\b(Fig(?:ure|\.)?|Table)s?\s+([A-Z]?\d+|[A-Z])\b(?!\w)", re.I)


def listed(paper):
    return [one.item for one in items() if one.paper == paper]


def named(text):
    """The tables and figures that a text names, as items are written."""
    return {
        f"{'Table' if kind.lower() == 'table' else 'Figure'} {number}"
        for kind, number in _NAMED.findall(text)
        if number.isdigit() or number[0].isupper()
    }


@pytest.mark.parametrize("paper", PAPERS)
def test_each_item_is_listed_once(paper):
    assert len(listed(paper)) == len(set(listed(paper))) > 0


@pytest.mark.parametrize("paper", PAPERS)
def test_every_printed_table_and_every_place_of_a_claim_is_listed(paper):
    printed = [name.removesuffix(" means") for name in published(paper)["table"].unique()]
    tables = {name if name.startswith("Figure") else f"Table {name}" for name in printed}
    places = {f"{kind} {number}" for claim in claims(paper) for kind, number in
              re.findall(r"^(Table|Figure) ([A-Z]?\d+|[A-Z])\b", claim.place)}  # fmt: skip
    assert tables | places <= set(listed(paper))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_and_figure_that_a_paper_names_is_listed(paper):
    folder = os.environ.get("CAMS_PAPERS", "")
    file = Path(folder) / f"{TEXTS[paper]}.md"
    if not folder or not file.is_file():
        pytest.skip("the papers' texts are not here: name their folder by CAMS_PAPERS")
    assert named(file.read_text("utf-8")) == set(listed(paper))


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_and_figure_that_captions_name_is_listed(paper):
    title = re.escape(PAPERS[paper])
    found = {
        item[0].upper() + item[1:]
        for path in contents.notebooks(ROOT)
        for item in re.findall(
            rf"{title}, ((?:table|figure) (?:[A-Z]?\d+|[A-Z]))\b", path.read_text("utf-8")
        )
    }
    assert found and found <= set(listed(paper))


def test_a_paper_that_numbers_in_one_row_has_no_gap():
    for paper, kind, numbers in (
        ("opticam", "Table", [*map(str, range(1, 7)), *(f"A{n}" for n in range(7, 15))]),
        ("opticam", "Figure", ["1", "2", "3", "A4", "A5", "A6", "A7"]),
        ("liftcam", "Table", [*map(str, range(1, 7))]),
        ("liftcam", "Figure", [*map(str, range(1, 5))]),
        ("diffcam", "Figure", [*map(str, range(9, 18))]),
    ):
        assert {f"{kind} {n}" for n in numbers} == {
            one for one in listed(paper) if one.startswith(kind)
        }


@pytest.mark.parametrize("one", items(), ids=lambda one: one.anchor)
def test_each_page_that_is_named_has_the_anchor(one):
    for place in one.at:
        name, _, anchor = place.partition("#")
        source = ROOT / "notebooks" / f"{name}.py"
        assert source in contents.notebooks(ROOT), place
        static = set(re.findall(r'name="([\w-]+)"', source.read_text("utf-8")))  # of figures
        assert anchor in anchors(contents.script(source)) | static, place


def test_an_item_says_where_it_is_or_why_not():
    for wrong in ({}, {"at": ("a#b",), "not_run": "why"}):
        with pytest.raises(ValueError, match="Opti-CAM, table 1: say either"):
            Item("opticam", "Table 1", "x", **wrong)


# Computed ----------------------------------------------------------------------------------------


def executed(*tables, heading="Table 1"):
    outputs = [new_output("display_data", data={"text/html": html}) for html in tables]
    cells = [
        new_markdown_cell(f"## {heading}"),
        new_code_cell("table", outputs=outputs),
        new_markdown_cell("## After"),
    ]
    return page(verdict("a", rests_on="photographs"), verdict("b", place="Table 2", rests_on="test bed"),
                cells=cells, name="notebooks/opticam/01_classification_metrics", seconds=206.4)  # fmt: skip


HTML = comparison(
    "opticam", 1, frame({(m, "average_gain"): [0.5] * 20 for m in ("opti_cam", "grad_cam")})
).html


def test_printed_cells_without_a_number_are_named():
    [words] = gaps(executed(HTML), "table-1", "Opti-CAM, table 1")
    assert words.startswith(
        "on tf_efficientnet_lite0 without Fake-CAM, Grad-CAM (3 of 4), Grad-CAM++"
    )
    assert gaps(executed(HTML, heading="Other"), "table-1", "Opti-CAM, table 1") == []


def test_of_several_tables_under_a_heading_the_one_with_the_name_counts():
    other = comparison("opticam", "A9", frame({("opti_cam", "average_gain"): [0.5] * 20})).html
    both = gaps(executed(HTML, other), "table-1", "Opti-CAM, table 1")
    assert both == gaps(executed(HTML), "table-1", "Opti-CAM, table 1")


def test_a_row_has_status_links_bases_and_seconds():
    at = ("opticam/01_classification_metrics#table-1",)
    some = [
        Item("opticam", "Table 1", "All.", at),
        Item("opticam", "Figure 1", "How.", ("opticam/01_classification_metrics#x",)),
        Item("calm", "Table 2", "Main.", not_run="It is not at hand."),
        Item("calm", "Table A", "Sets.", ("calm/05_supersets#table-a",)),
    ]
    soup = BeautifulSoup(concordance(some, [executed(HTML)]), "html.parser")
    table, figure, main, absent = (
        [cell.text for cell in row(["th", "td"])] for row in soup.select("tbody tr")
    )
    assert table[0] == "Opti-CAM, Table 1" and table[2].startswith("partly: One page")
    assert table[3:] == ["photographs", "206 s"]  # of its own claims alone
    assert figure[2:] == ["computed: One page", "photographs, test bed", "206 s"]
    assert main[2] == "not run: It is not at hand." and main[3:] == ["–", "–"]
    assert absent[2] == "not run: its page is not in this copy"
    assert (
        soup.select_one("tbody a")["href"]
        == "../notebooks/opticam/01_classification_metrics.html#table-1"
    )


def test_what_is_recomputed_is_counted():
    found = counts(items())
    assert found["items"] == len(items()) and 0 < found["recomputed"] < found["items"]
