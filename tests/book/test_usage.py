"""Where the book uses a method or metric: from the code of pages, their tables and the claims they judge."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from book.building.usage import about, methods_of, pages


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "notebooks" / "opticam"
    folder.mkdir(parents=True)
    first = new_notebook(cells=[
        new_markdown_cell("Words.\n\n# The first page\n\nabout lime"),
        new_code_cell('page.evaluate(["grad_cam", "opti_cam_25"], ["insertion"])\n# score_cam'),
        new_code_cell("!lime of the shell"),
    ])  # fmt: skip
    second = new_notebook(cells=[
        new_markdown_cell("# The second"), new_code_cell("page.methods_of(2)\npage.table(4, frame)"),
    ])  # fmt: skip
    nbformat.write(first, folder / "01_first.ipynb")
    nbformat.write(second, folder / "02_second.ipynb")
    return tmp_path


def test_names_in_code_count_and_words_do_not(source):
    first, _ = pages(source)
    assert (first.name, first.title, first.paper) == (
        "notebooks/opticam/01_first",
        "The first page",
        "opticam",
    )
    assert first.methods == {"grad_cam", "opti_cam"} and first.metrics == {"insertion"}


def test_tables_bring_their_metrics_and_methods_that_are_asked_for(source):
    _, second = pages(source)
    assert {"tibav", "rollout"} <= second.methods and second.tables == ("4",)
    assert {"aopc", "max_sensitivity", "adcc"} <= second.metrics


def test_claims_that_a_page_judges_count(source):
    first, _ = pages(
        source, [{"page": "notebooks/opticam/01_first", "id": "opticam-near-zero-average-drop"}]
    )
    assert "average_drop" in first.metrics


def test_methods_of_claims():
    claims = {claim.id: claim for claim in about("opticam")}
    best = methods_of(claims["opticam-best-average-drop"])
    assert {"opti_cam", "score_cam", "lime"} <= best and "fake_cam" not in best
    assert methods_of(claims["opticam-near-zero-average-drop"]) == {"opti_cam"}
    assert about("statistics") == []
