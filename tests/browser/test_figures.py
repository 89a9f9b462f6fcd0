"""Figures in the browser: on light pages and on dark ones."""

from base64 import b64decode

import matplotlib.pyplot as plt
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from book.building.html.figures import FOLDER, completed, store
from book.report import show, style


@pytest.fixture
def figure(tmp_path):
    """The HTML of a figure beside its files."""
    style()
    InteractiveShell.instance()
    made, axes = plt.subplots()
    axes.plot([0, 1, 2], [0, 1, 4])
    with capture_output() as captured:
        show(made, alt="A parabola.")
    InteractiveShell.clear_instance()
    data = captured.outputs[0].data
    store(data, tmp_path)
    name = next((tmp_path / FOLDER).glob("*.svg")).stem
    (tmp_path / f"{name}.png").write_bytes(b64decode(data["image/png"]))
    body = f'<figure id="parabola"><img alt="A parabola." src="./{name}.png"/></figure>'
    return completed(body, tmp_path / FOLDER, FOLDER, "book/one"), tmp_path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_scheme_shows_its_picture(browser, book, figure, scheme):
    html, folder = figure
    css = (book / "_static/figures.css").read_text()
    (folder / "page.html").write_text(f'<html data-theme="{scheme}"><style>{css}</style>{html}')
    page = browser.new_page()
    page.goto((folder / "page.html").as_uri())
    (shown,) = [image for image in page.locator("img").all() if image.is_visible()]
    source = shown.evaluate("async (image) => { await image.decode(); return image.currentSrc }")
    assert ("-dark" in source) == (scheme == "dark") and shown.bounding_box()["width"] > 100
    page.close()
