from base64 import b64encode
from hashlib import sha256
from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from PIL import Image

from book.building.html.figures import FOLDER, completed, store
from book.report.display import FILES_MIME


def png(colour):
    file = BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


LIGHT = png("white")
NAME = sha256(LIGHT).hexdigest()
FIGURE = (
    f'<figure class="align-default" id="table-1">\n<img alt="A line." src="../_images/{NAME}.png" />\n'
    "<figcaption><p>It rises.</p></figcaption></figure>"
)


def encoded(content):
    return b64encode(content).decode()


@pytest.fixture
def static(tmp_path):
    files = {"-dark.png": png("black"), ".csv": b"x,y\n", ".svg": b"<svg/>"}
    data = {"image/png": encoded(LIGHT), FILES_MIME: {k: encoded(v) for k, v in files.items()}}
    store(data, tmp_path)
    assert [*data] == ["image/png"]  # no page can show the rest
    return tmp_path / FOLDER


def page(static):
    return BeautifulSoup(completed(FIGURE, static, "../_static/figures", "book/one"), "html.parser")


def test_a_figure_has_a_picture_for_each_scheme_of_the_same_size(static):
    light, dark = page(static)("img")
    assert (light["class"], dark["class"]) == (["on-light"], ["on-dark"])
    assert light["src"] == f"../_images/{NAME}.png"
    assert dark["src"] == f"../_static/figures/{NAME}-dark.png"
    for image in (light, dark):
        assert (image["alt"], image["width"], image["height"], image["loading"]) == (
            "A line.", "40", "30", "lazy",
        )  # fmt: skip


def test_what_can_be_downloaded_stands_below_under_a_name_that_says_what_it_is(static):
    links = page(static).select("figure > .figure-files a")
    assert [link["download"] for link in links] == ["one-table-1.csv", "one-table-1.svg"]
    assert all((static / link["href"].rpartition("/")[2]).is_file() for link in links)
    assert [link.text for link in links] == ["data as CSV", "SVG"]


def test_a_figure_without_files_and_an_image_without_a_figure_stay(tmp_path):
    assert completed(FIGURE, tmp_path / FOLDER, "..", "one") == FIGURE
    assert (
        completed('<img src="_images/a.png"/>', tmp_path, "..", "one")
        == '<img src="_images/a.png"/>'
    )


def test_an_output_without_files_stores_nothing(tmp_path):
    store({"image/png": encoded(LIGHT)}, tmp_path)
    store({"text/plain": "x"}, tmp_path)
    assert not [*tmp_path.iterdir()]
