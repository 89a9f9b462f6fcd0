"""The scoreboard and the summary of the front page."""

import json
import shutil
import subprocess

import pytest
from bs4 import BeautifulSoup

from book.building.board import NOTHING, as_json, summary, table
from book.building.scoreboard import judged
from lib.paths import ROOT

from .verdicts import difference, verdict


def cells(html):
    return [
        [cell.text.replace("\u00ad", "") for cell in row(["th", "td"])]
        for row in BeautifulSoup(html, "html.parser")("tr")
    ]


def test_the_summary_counts_the_statements_of_each_paper():
    found = [
        verdict("a"),
        verdict("b"),
        verdict("c", "fails"),
        verdict("d", "equal", paper="liftcam"),
    ]
    assert cells(summary(judged(found))) == [
        ["Paper", "✓ holds", "✗ fails", "= equal", "all"],
        ["Opti-CAM", "2", "1", "·", "3"],
        ["LIFT-CAM", "·", "·", "1", "1"],
    ]


def test_what_was_not_tested_is_one_column_and_each_number_leads_to_its_claims():
    found = [verdict("a", "not run", ""), verdict("b", "not testable here", ""), verdict("c")]
    html = BeautifulSoup(summary(judged(found)), "html.parser")
    assert cells(str(html))[0] == ["Paper", "✓ holds", "– untested", "all"]
    link = html("a")[-1]
    assert (link.text, link["href"]) == (
        "2",
        "scoreboard.html#paper=opticam&verdict=not+testable+here,not+run",
    )


def test_claims_of_one_sentence_are_one_statement():
    found = [verdict("a", statement="s"), verdict("b", "fails", statement="s"), verdict("c")]
    assert cells(summary(judged(found)))[1] == ["Opti-CAM", "1", "1", "2"]


def test_without_a_claim_nothing_is_counted():
    assert summary(judged([])) == table(judged([]), {}) == NOTHING


def test_a_row_has_what_it_is_filtered_by_and_leads_to_the_claim_and_the_cell():
    found = judged([verdict("opticam-best-average-gain", "holds", n) for n in ("one", "two")])
    row = BeautifulSoup(table(found, {"notebooks/mini/one": "One"}), "html.parser").tbody.tr
    data = {
        key: row[f"data-{key}"] for key in ("paper", "verdict", "basis", "method", "metric", "page")
    }
    assert data == {
        "paper": "opticam", "verdict": "holds", "basis": "photographs", "method": "Opti-CAM", "metric": "AG",
        "page": "mini/one",
    }  # fmt: skip
    assert [a["href"] for a in row("a")] == [
        "claims/opticam-best-average-gain.html",
        "../notebooks/mini/one.html#claim-opticam-best-average-gain",
    ]
    assert row["id"] == "opticam-best-average-gain" and "on 2 of 2 networks" in row.text


def test_the_table_is_escaped():
    assert "Claim a &lt; all" in table(judged([verdict("a")]), {})


def test_the_json_has_each_network_with_its_differences():
    [claim] = json.loads(as_json(judged([verdict("a", differences=[difference()])])))
    assert claim["id"] == "a" and claim["networks"][0]["differences"][0]["rival"] == "grad_cam"


# In a browser ------------------------------------------------------------------------------------

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture
def seen(tmp_path):
    """The scoreboard in a browser: `seen(address after the #)` gives the document."""
    found = [
        verdict("opticam-best-average-gain", "fails"),
        verdict("opticam-best-average-drop", "holds"),
        verdict("b", "undecided", paper="calm", rests_on="test bed"),
    ]
    shutil.copy(ROOT / "book/_static/scoreboard.js", tmp_path)
    page = tmp_path / "page.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8">{table(judged(found), {})}<script src="scoreboard.js"></script>',
        "utf-8",
    )

    def look(address):
        command = [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}/browser",
        ]
        command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{page}#{address}"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return BeautifulSoup(run.stdout, "html.parser")

    return look


def shown(soup):
    return [row["id"] for row in soup.select("table.board tbody tr") if not row.has_attr("hidden")]


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("", ["opticam-best-average-gain", "opticam-best-average-drop", "b"]),
        (
            "b",
            ["opticam-best-average-gain", "opticam-best-average-drop", "b"],
        ),  # the anchor of a row
        ("verdict=fails", ["opticam-best-average-gain"]),
        ("verdict=fails,undecided", ["opticam-best-average-gain", "b"]),
        ("paper=opticam&metric=AD", ["opticam-best-average-drop"]),
        ("basis=test+bed", ["b"]),
        ("words=calm+claim", ["b"]),
        ("sort=verdict", ["opticam-best-average-drop", "opticam-best-average-gain", "b"]),
        ("sort=-paper", ["b", "opticam-best-average-drop", "opticam-best-average-gain"]),
        (
            "paper=nobody&sort=nothing",
            ["opticam-best-average-gain", "opticam-best-average-drop", "b"],
        ),
    ],
)
def test_the_address_filters_and_sorts(seen, address, expected):
    soup = seen(address)
    assert shown(soup) == expected
    assert soup.select_one(".cams-shown").text.startswith(f"{len(expected)} of 3 claims")
    assert [label.contents[0] for label in soup.select(".cams-filters label")] == [
        "Paper", "Verdict", "Rests on", "Method", "Metric", "Page", "Words",
    ]  # fmt: skip
