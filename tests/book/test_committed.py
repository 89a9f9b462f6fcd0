"""The notebooks that are committed: refreshed from executed ones, small, and stable."""

from base64 import b64decode, b64encode
from io import BytesIO

import nbformat
import numpy as np
import pytest
from PIL import Image

from book.building.committed import THUMBNAIL, refresh


@pytest.fixture
def project(tmp_path):
    """A project of one page, and its executed notebook with a large figure."""
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: notebooks/paper/01_page\n")
    page = tmp_path / "notebooks" / "paper" / "01_page.py"
    page.parent.mkdir(parents=True)
    page.write_text("# %%\n1 + 1\n")
    png = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 1200, 3), np.uint8)).save(
        png, "PNG"
    )
    figure = nbformat.v4.new_output(
        "display_data",
        {"image/png": b64encode(png.getvalue()).decode(), "text/plain": "noise"},
        metadata={"alt": "noise", "differences": [[{"mean": 0.1}]]},
    )
    warning = nbformat.v4.new_output("stream", name="stderr", text="module.py:1: Warning")
    cells = [
        nbformat.v4.new_code_cell("n = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell("n = 2", metadata={"tags": ["injected-parameters"]}),
        nbformat.v4.new_code_cell("show()", outputs=[warning, figure]),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"book": {"key": "k"}})
    executed = tmp_path / "executed" / "notebooks" / "paper" / "01_page.ipynb"
    executed.parent.mkdir(parents=True)
    nbformat.write(notebook, executed)
    return tmp_path


def test_figures_become_thumbnails_and_what_papermill_added_goes(project):
    (written,) = refresh(project, project / "executed")
    assert written == project / "notebooks" / "paper" / "01_page.ipynb"
    notebook = nbformat.read(written, as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells] == ["n = 1", "show()"]
    assert "book" not in notebook.metadata
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"image/jpeg", "text/plain"}
    assert dict(output.metadata) == {"alt": "noise"}
    picture = Image.open(BytesIO(b64decode(output.data["image/jpeg"])))
    assert picture.size == (THUMBNAIL[0], 240)
    assert written.stat().st_size < 150_000


def test_refreshing_twice_changes_nothing(project):
    (written,) = refresh(project, project / "executed")
    once = written.read_bytes()
    refresh(project, project / "executed")
    assert written.read_bytes() == once


def test_a_table_in_html_is_not_kept_as_text_too_unless_nbval_compares_it(project):
    executed = project / "executed" / "notebooks" / "paper" / "01_page.ipynb"
    notebook = nbformat.read(executed, as_version=4)
    for tags in ([], ["nbval-check-output"]):
        data = {"text/html": "<table>", "text/plain": "table"}
        output = nbformat.v4.new_output("display_data", data)
        notebook.cells.append(
            nbformat.v4.new_code_cell("1", outputs=[output], metadata={"tags": tags})
        )
    nbformat.write(notebook, executed)
    (written,) = refresh(project, project / "executed")
    kept = [set(cell.outputs[0].data) for cell in nbformat.read(written, as_version=4).cells[-2:]]
    assert kept == [{"text/html"}, {"text/html", "text/plain"}]
