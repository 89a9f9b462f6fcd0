"""A page for each claim: what it says, links, and offers as data."""

import csv
import io
import re

import pytest

from book.building import claims
from book.building.claims import in_words, known, page, table, write
from book.building.scoreboard import judged
from book.report import Claim

from .verdicts import difference, rows, verdict

TITLES = {"notebooks/mini/one": "One page"}


def text(*verdicts, claim=None, beside=(), **options):
    [row] = rows(*verdicts)
    return page(row, claim, beside, TITLES, **options)


def test_it_is_found_without_the_table_of_contents_and_headed_by_the_claim():
    assert text(verdict("a")).startswith(
        "---\norphan: true\n---\n\n# Claim a \\< all".replace("\\<", "\\<")
    )


def test_it_has_the_place_the_verdict_and_each_network():
    shown = text(
        verdict("a", "holds", "net_one"), verdict("a", "undecided", "two", rests_on="test bed")
    )
    assert "{cite:t}`opticam`: Table 1." in shown
    assert "? undecided</span> on 1 of 2 networks" in shown and "photographs, test bed" in shown
    assert "## On net\\_one" in shown and "## On two" in shown


def test_it_leads_to_the_cell_that_judges_and_to_its_data():
    shown = text(verdict("a"))
    assert 'href="../../notebooks/mini/one.html#claim-a">One page</a>' in shown
    assert 'href="../../_static/claims/a.csv"' in shown
    assert 'href="../scoreboard.html#paper=opticam"' in shown
    assert "scoreboard" not in text(verdict("a"), whole=False)


def test_every_difference_is_drawn_and_its_reason_told():
    found = [difference(), difference("lime", low=-5)]
    shown = text(verdict("a", "undecided", differences=found))
    assert shown.count("<svg") == 3 and "1 on both sides: LIME. Not every interval" in shown


@pytest.mark.parametrize(
    ("what", "evidence", "said"),
    [
        ("not run", "", "did not run in this copy"),
        ("not testable here", "the network is near chance", "the network is near chance"),
        ("holds", "AG 5", "kept only the deciding difference"),
    ],
)
def test_a_verdict_without_differences_says_why(what, evidence, said):
    assert said in text(verdict("a", what, "", evidence=evidence))


def test_claims_of_one_statement_lead_to_each_other():
    [one, other] = rows(verdict("a", statement="s"), verdict("b", "fails", statement="s"))
    shown = page(one, None, [other], TITLES)
    assert '<a href="b.html">Claim b &lt; all.</a>' in shown and "count as one statement" in shown


def test_the_condition_of_every_claim_can_be_said():
    for claim in known().values():
        assert in_words(claim) and "{" not in in_words(claim), claim.id
    better = known()["opticam-best-average-gain"]
    assert "It holds if</dt><dd>Opti-CAM is better than each rival in AG." in text(
        verdict("a"), claim=better
    )


def test_a_threshold_and_a_condition_are_said_in_printed_units():
    claim = Claim("opticam", "x", "Table 1", "X.", "CNN", "below", "average_drop", "opti_cam", threshold=0.02,
                  where=[["score_cam", "insertion", "above", 0.9]])  # fmt: skip
    assert (
        in_words(claim)
        == "Opti-CAM is below 2 % in AD; only images count on which the I of Score-CAM is above 90 %"
    )


def test_titles_have_no_marks_of_markdown():
    shown = text(verdict("a", text="A_b *c* $d$ [e]."))
    assert "# A\\_b \\*c\\* \\$d\\$ \\[e\\]\n" in shown


def test_the_csv_has_a_row_a_difference_and_one_for_a_verdict_without():
    found = [
        verdict("a", differences=[difference(decides=True), difference("lime")]),
        verdict("b", "not run", ""),
    ]
    read = list(csv.DictReader(io.StringIO(table(rows(*found)))))
    assert [(row["id"], row["rival"], row["decides"]) for row in read] == [
        ("a", "grad_cam", "True"),
        ("a", "lime", "False"),
        ("b", "", ""),
    ]
    assert (
        read[0]["unit"] == "points"
        and read[0]["verdict"] == "holds"
        and read[2]["verdict"] == "not run"
    )


def test_pages_and_files_are_written_for_each(tmp_path):
    write(judged([verdict("a"), verdict("b")]), TITLES, tmp_path, whole=True)
    assert {path.name for path in (tmp_path / claims.FOLDER).iterdir()} == {"a.md", "b.md"}
    assert {path.name for path in (tmp_path / "book/_static/claims").iterdir()} == {
        "a.csv",
        "b.csv",
    }


def test_ids_can_be_names_of_files():
    assert all(re.fullmatch(r"[\w.-]+", name) for name in known())
