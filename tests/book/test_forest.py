"""Differences as drawn tables: the position of intervals, the words about them, and the drawing."""

import pytest
from bs4 import BeautifulSoup

from book.building.forest import forest, lies, told, value

from .verdicts import difference


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"low": 5, "high": 15}, "for"),
        ({"low": -5, "high": 15}, "open"),
        ({"low": -15, "high": -5}, "against"),
        ({"low": 5, "high": 15, "side": "below"}, "against"),
        ({"low": -15, "high": -5, "side": "below"}, "for"),
        ({"low": 5, "high": 15, "line": 10}, "open"),
        ({"low": 11, "high": 15, "line": 10}, "for"),
        ({"low": -5, "high": 5, "side": "within", "line": 10}, "for"),
        ({"low": -5, "high": 15, "side": "within", "line": 10}, "open"),
        ({"low": 11, "high": 15, "side": "within", "line": 10}, "against"),
        ({"low": None, "high": None}, "open"),
        ({"low": 0, "high": 0, "same": True}, "open"),
    ],
)
def test_an_interval_speaks_for_a_claim_or_against_it_or_leaves_it_open(fields, expected):
    assert lies(difference(**fields)) == expected


def test_what_is_told_counts_and_names_those_that_do_not_speak_for_it():
    found = [
        difference(),
        difference("score_cam", low=-5),
        difference("lime", mean=-9, low=-12, high=-2),
    ]
    assert (
        told(found)
        == "1 of 3 intervals lie on the claimed side; 1 on the other side: LIME; 1 on both sides: Score-CAM."
    )
    assert told([difference()]) == "1 of 1 interval lies on the claimed side."


def cells(html):
    return [
        [cell.get_text(" ") for cell in row(["th", "td"])]
        for row in BeautifulSoup(html, "html.parser").tbody("tr")
    ]


def test_a_row_has_the_rival_the_numbers_and_n_and_the_deciding_one_is_marked():
    html = forest([difference(), difference("score_cam", 61.9, 52.4, 71.1, decides=True)])
    assert cells(html) == [
        ["Grad-CAM", "", "10.0 [5.0, 15.0] n = 40"],
        ["Score-CAM  decides", "", "61.9 [52.4, 71.1] n = 40"],
    ]
    caption = BeautifulSoup(html, "html.parser").caption.text
    assert caption.startswith("AG (points) of Opti-CAM minus that of each rival; higher is better.")


def test_the_drawing_lies_within_its_width_and_shades_the_claimed_side():
    soup = BeautifulSoup(
        forest([difference(), difference("score_cam", -20, -30, -10)]), "html.parser"
    )
    for svg in soup.tbody("svg"):
        share = {key: float(svg.select_one(".interval")[key].rstrip("%")) for key in ("x1", "x2")}
        assert 0 <= share["x1"] < share["x2"] <= 100 and svg["aria-hidden"] == "true"
        zero = float(svg.select_one(".zero")["x1"].rstrip("%"))
        wanted = svg.select_one(".wanted")
        assert float(wanted["x"].rstrip("%")) == zero
        assert zero + float(wanted["width"].rstrip("%")) == pytest.approx(100)
    first, second = (float(svg.select_one(".mean")["cx"].rstrip("%")) for svg in soup.tbody("svg"))
    assert second < zero < first


def test_metrics_have_a_table_each_and_several_methods_are_named():
    html = forest([difference(metric="insertion"), difference(metric="deletion", method="lime", side="below"),
                   difference(metric="deletion", side="below")])  # fmt: skip
    tables = BeautifulSoup(html, "html.parser")("table")
    assert [len(table.tbody("tr")) for table in tables] == [1, 2]
    assert tables[1].tbody.th.text == "LIME against Grad-CAM"


def test_a_mean_is_drawn_beside_its_threshold_and_a_band_has_two_lines():
    html = forest([difference("", 1.3, 0.5, 2.4, metric="average_drop", side="below", line=2.0)])
    assert "AD (%) of Opti-CAM" in html and "the line is the threshold of the claim, 2" in html
    band = forest([difference(side="within", line=20.0, mean=0, low=-5, high=5)])
    assert band.count('class="zero"') == 2


def test_what_has_no_interval_or_is_an_identity_is_told_as_it_is():
    assert value(difference(low=None, high=None)) == "10.0"
    assert (
        value(difference("", 1e-7, 1e-8, 3e-6, metric="relative_error", side="below", line=1e-4))
        == "largest 3e−06"
    )
    assert forest([difference(low=None, high=None)]).count('class="interval"') == 0
    assert forest([]) == ""
