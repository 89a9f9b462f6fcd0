"""The answer of a page: what its box counts, quotes and links."""

import pytest
import yaml
from bs4 import BeautifulSoup

from book.building.answers import NONE, answer, cautions, first_decided, statements
from book.building.contents import notebooks
from book.building.scoreboard import judged
from book.report import PAPERS
from lib.paths import ROOT

from .verdicts import page, verdict


def box(*verdicts, caution="", **fields):
    return BeautifulSoup(answer(page(*verdicts, **fields), caution), "html.parser")


def told(soup):
    return {dt.text: dt.find_next("dd").text for dt in soup("dt")}


def test_it_counts_statements_and_not_claims():
    found = [verdict("a", "holds", statement="s"), verdict("b", "fails", statement="s")]
    found += [verdict("c", "holds"), verdict("d", "holds"), verdict("e", "undecided")]
    assert told(box(*found))["Answer"] == "✓ 2 hold ✗ 1 fails ? 1 undecided of 4 statements"


def test_the_first_decided_claim_is_quoted_on_the_first_network_that_decides_it():
    found = [
        verdict("a", "undecided", evidence="AG 1 against b, n = 20"),
        verdict("b", "holds", "one", evidence="AG 2 against c, n = 30"),
        verdict("b", "fails", "two", evidence="AG −3 against c, n = 40"),
        verdict("c", "holds"),
    ]
    soup = box(*found)
    assert (
        told(soup)["First decided claim"]
        == "Claim b < all ✗ fails on 1 of 2 networksAG −3 against c, n = 40 (two)"
    )
    assert (
        soup.find("dt", string="First decided claim").find_next("a")["href"]
        == "../../book/claims/b.html"
    )


def test_without_a_decided_claim_the_first_one_is_quoted_and_said_to_be_open():
    assert told(box(verdict("a", "undecided")))["First decided claim"].startswith(
        "No claim is decided; the first is: Claim a"
    )


def test_what_is_doubted_is_decided():
    row, one = first_decided(judged([verdict("a", "not run", ""), verdict("b", "doubted", "two")]))
    assert (row["id"], one["network"]) == ("b", "two")


def test_it_says_what_the_verdicts_rest_on_with_the_networks():
    found = [
        verdict("a", "holds", "one"),
        verdict("b", "holds", "two", rests_on="test bed"),
        verdict("c", "holds", "one"),
    ]
    assert told(box(*found))["Rests on"] == "photographs (one); test bed (two)"
    assert "Rests on" not in told(box(verdict("a", "not run", "", rests_on="")))


def test_every_claim_is_linked_with_its_verdict():
    soup = box(verdict("a", "holds"), verdict("b", "fails"))
    assert [(li.span.text, li.a["href"]) for li in soup("li")] == [
        ("✓ holds", "../../book/claims/a.html"),
        ("✗ fails", "../../book/claims/b.html"),
    ]


def test_a_page_that_judges_nothing_says_so_and_still_warns():
    of_a_paper = box(caution="Beware of <b>.", name="notebooks/opticam/14_schedule")
    assert told(of_a_paper) == {"Answer": NONE, "Caution": "Beware of <b>."}
    assert told(box(caution="Beware.")) == {"Caution": "Beware."}


def test_a_page_of_no_paper_without_a_claim_and_a_caution_has_no_box():
    assert answer(page()) == "" and "Out of date" in answer(page(stale=True))


def test_a_page_whose_inputs_have_changed_says_so_with_the_command():
    assert not box(verdict()).select(".cams-stale")
    said = box(verdict(), stale=True, commit="abc").select_one(".cams-stale").text
    assert "at commit abc" in said and "python -m lib book --page mini/one" in said


def test_statements_have_one_verdict_each():
    found = judged([verdict("a", "holds", statement="s"), verdict("b", "undecided", statement="s")])
    assert statements(found)["verdict"].tolist() == ["undecided"]


@pytest.mark.parametrize(
    "script", notebooks(ROOT), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_every_page_has_a_caution(script):
    said = cautions().get(f"{script.parent.name}/{script.stem}", "")
    assert script.parent.name not in PAPERS or said.endswith("."), script


def test_no_caution_is_about_a_page_that_there_is_not():
    pages = {f"{path.parent.name}/{path.stem}" for path in notebooks(ROOT)}
    text = (ROOT / "data_manifests/book/cautions.yaml").read_text("utf-8")
    assert set(yaml.safe_load(text)) <= pages
