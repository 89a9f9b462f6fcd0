"""Errata: their numbers are the paper's, their order is checked, and what shows them is computed."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from book.building.contents import notebooks
from book.building.usage import about
from book.reference.pages import errata
from book.reference.pages.demonstrations import DEMONSTRATIONS
from book.reference.pages.known import Known
from lib.paths import ROOT

ERRATA = errata.read()
GIVEN = {
    "id": "one", "title": "One", "paper": "opticam", "place": "Table 1", "says": "It is {1}.",
    "found": "It is not.", "page": "opticam/01_classification_metrics",
}  # fmt: skip


def write(path, **fields):
    import yaml

    path.write_text(yaml.safe_dump([{**GIVEN, **fields}]))
    return path


def test_each_has_a_name_of_its_own_and_a_page():
    pages = {f"{path.parent.name}/{path.stem}" for path in notebooks(ROOT)}
    assert len({erratum.id for erratum in ERRATA}) == len({e.title for e in ERRATA}) == len(ERRATA)
    for erratum in ERRATA:
        assert erratum.page in pages
        assert not erratum.claim or erratum.claim in [claim.id for claim in about(erratum.paper)]


def test_every_demonstration_is_used():
    assert {erratum.computed for erratum in ERRATA} - {""} == set(DEMONSTRATIONS)


def test_numbers_are_those_that_the_paper_prints():
    [erratum] = [e for e in ERRATA if e.id == "opticam-fake-cam-gain"]
    assert erratum.printed == ["1.6", "0.7"]
    assert "Table 1 prints 1.6." in errata.entry(erratum, Known(), ROOT / "nowhere")


def test_an_order_that_the_numbers_do_not_have_is_no_erratum(tmp_path):
    cells = [
        [1, "ResNet50", "fake_cam", "average_gain"],
        ["A14", "ResNet50", "fake_cam", "average_gain"],
    ]
    with pytest.raises(ValueError, match=r"'one': 1.6 < 0.7 is wrong"):
        errata.read(write(tmp_path / "e.yaml", cells=cells, order="1 < 2"))
    assert errata.read(write(tmp_path / "e.yaml", cells=cells, order="1 > 2"))[0].printed == [
        "1.6",
        "0.7",
    ]


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"pages": "x"}, "unknown field in erratum 'one': 'pages'"),
        ({"paper": "opticum"}, "unknown paper in erratum 'one': 'opticum'"),
        ({"computed": "guess"}, "unknown demonstration of erratum 'one': 'guess'"),
        ({"order": "1 < 2"}, "an order is one of cells"),
    ],
)
def test_mistakes_are_named(tmp_path, fields, said):
    with pytest.raises(ValueError, match=said):
        errata.read(write(tmp_path / "e.yaml", **fields))


def test_a_cell_that_is_not_printed_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="table 1 of opticam has 0 cells"):
        cells = [[1, "ResNet51", "fake_cam", "average_gain"]]
        errata.read(write(tmp_path / "e.yaml", cells=cells, order="1 > 1"))


def test_a_number_that_nothing_gives_is_an_error():
    erratum = errata.Erratum(**GIVEN)
    with pytest.raises(ValueError, match="unknown number of an erratum"):
        errata.entry(erratum, Known(), ROOT)


def test_table_a_of_calm_is_counted_here():
    twice = DEMONSTRATIONS["synsets_twice"]([])
    assert twice.values == {"rows": "120", "different": "118"}
    assert {row[0] for row in twice.rows} == {"n03990474", "n03997484"}
    sizes = DEMONSTRATIONS["synset_sizes"]([])
    assert sizes.values["same"] == "107"
    assert ("n02083346", "canine", "116", "130") in sizes.rows and len(sizes.rows) == 11


def test_other_demonstrations():
    assert DEMONSTRATIONS["least_energy"]([28.5, 54.0]).values == {"bound": "46.0"}
    assert DEMONSTRATIONS["ends_of_adcc"]([]).values == {"best": "1", "worst": "0"}
    assert DEMONSTRATIONS["drop_of_misclassified"]([12.01, 64.45]).values["least"] == "15.4"
    rates = DEMONSTRATIONS["learning_rates"]([]).values
    assert rates == {"low": "0.00032", "high": "0.2", "decades": "4"}


def test_the_output_of_the_page_is_shown(tmp_path):
    [erratum] = [e for e in ERRATA if e.output]
    path = tmp_path / f"notebooks/{erratum.page}.ipynb"
    path.parent.mkdir(parents=True)
    table = '<style>x</style><table border="1" class="dataframe"><thead><tr><th>a</th></tr></thead>\n\n<tbody><tr><th>b</th></tr></tbody></table>'
    cell = new_code_cell(
        f"# {erratum.output}", outputs=[new_output("display_data", {"text/html": table})]
    )
    nbformat.write(new_notebook(cells=[cell]), path)
    shown = errata.entry(erratum, Known(), tmp_path)
    assert '<th scope="col">a</th>' in shown and '<th scope="row">b</th>' in shown
    assert "<style>" not in shown and "\n\n<tbody>" not in shown
    nbformat.write(new_notebook(cells=[new_code_cell("nothing")]), path)
    with pytest.raises(ValueError, match="no cell of opticam/05_bounding_boxes shows"):
        errata.entry(erratum, Known(), tmp_path)


def test_every_note_of_a_published_number_stands_on_the_page():
    from html import escape

    from book import report

    page = errata.page(Known(), ROOT / "nowhere")
    for paper in ("opticam", "liftcam", "contrast", "diffcam", "calm"):
        for note in report.published(paper)["note"].unique():
            assert escape(note) in page
