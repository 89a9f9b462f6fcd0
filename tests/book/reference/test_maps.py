"""Maps as pictures over photographs: what a page shows with and without files."""

from base64 import b64decode
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from book.reference import maps
from book.reference.maps import MAPS_MIME, Maps, of_network, why_empty
from lib.methods import METHODS


@pytest.fixture(scope="module")
def shown():
    net = SimpleNamespace(name="torchvision:squeezenet1_1", layer="features.12")
    images = [SimpleNamespace(id=f"photo {i}", image=torch.rand(3, 32, 32)) for i in range(2)]
    bright, black = torch.linspace(0, 1, 1024).view(32, 32), torch.zeros(32, 32)
    return Maps((
        of_network(
            net, images, ["hare & hound", "gas pump"],
            {"opti_cam": [bright, bright], "grad_cam": [bright, black]},
            empty={"grad_cam": ["", "the ReLU leaves nothing"]},
            left_out={"calm": "needs a latent position"}, probabilities=[0.25, 1],
        ),
    ))  # fmt: skip


@pytest.fixture(scope="module")
def page(shown):
    return BeautifulSoup(shown._repr_mimebundle_()["text/html"], "html.parser")


def test_one_grid_for_each_image(page):
    sets = page.select("details.map-set")
    assert [one["data-image"] for one in sets] == ["photo 0", "photo 1"]
    assert [one.has_attr("open") for one in sets] == [True, False]
    assert "hare & hound" in sets[0].summary.text and "0.25" in sets[0].summary.text


def test_methods_stand_in_the_order_of_the_registry(page):
    for one in page.select("details.map-set"):
        found = [tile["data-method"] for tile in one.select("figure[data-method]")]
        assert found == [name for name in METHODS if name in ("grad_cam", "opti_cam")]


def test_each_map_says_what_it_shows(page):
    first, second = page.select("details.map-set")
    alt = [image["alt"] for image in first.select("img")]
    assert alt[0] == "Grad-CAM for hare & hound: 50% of the image is above half of the maximum"
    assert second.img["alt"] == "Grad-CAM for gas pump: the ReLU leaves nothing"


def test_black_maps_and_methods_that_do_not_run_are_explained(page):
    first, second = page.select("details.map-set")
    assert "Grad-CAM: the ReLU leaves nothing." in second.text
    assert "Black maps" in second.text and "Black maps" not in first.text
    assert "1 methods do not run" in first.text and "CALM: needs a latent position." in first.text


def test_there_is_a_key_of_the_colours(page):
    bar = page.select_one(".map-key .map-bar")
    assert "dark is zero" in bar["aria-label"]
    assert "#000004" in bar["style"] and "#fcffa4" in bar["style"]


def test_pictures_in_files_are_those_within_the_page(shown):
    data = shown._repr_mimebundle_()[MAPS_MIME]
    files = maps.pictures(data)
    assert set(files) == {
        f"torchvision-squeezenet1_1/photo-{i}/{what}.webp"
        for i in range(2)
        for what in ("image", "grad_cam", "opti_cam")
    }
    html = maps.grids(data, source=lambda name, _: f"maps/{name}", method_pages="../methods")
    soup = BeautifulSoup(html, "html.parser")
    assert "data:" not in html
    assert all(image["src"].removeprefix("maps/") in files for image in soup.select("img"))
    assert {a["href"] for a in soup.select("a")} == {
        "../methods/grad_cam.html",
        "../methods/opti_cam.html",
    }


def test_without_pages_of_methods_there_are_no_links(page):
    assert not page.select("a")


def test_colours_run_from_dark_to_bright():
    saliency = torch.linspace(0, 1, 64).expand(64, 64)
    picture = Image.open(BytesIO(b64decode(maps.in_colours(saliency)))).convert("L")
    columns = np.asarray(picture, dtype=float).mean(0)
    assert columns[0] < 20 and columns[-1] > 200 and (np.diff(columns[::8]) > 0).all()


def test_a_photograph_keeps_its_colours():
    image = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 32, 32)
    picture = Image.open(BytesIO(b64decode(maps.photograph(image))))
    red, green, blue = np.asarray(picture.convert("RGB")).mean((0, 1))
    assert red > 240 and green < 20 and blue < 20


@pytest.mark.parametrize(
    "raw, rectified, why",
    [
        ([[-1.0, -2.0]], True, "the ReLU leaves nothing"),
        ([[-1.0, -2.0]], False, "one value everywhere"),
        ([[3.0, 3.0]], True, "one value everywhere"),
    ],
)
def test_why_a_map_is_black(raw, rectified, why):
    assert why in why_empty(raw, [[0.0, 0.0]], rectified)
    assert why_empty(raw, [[0.0, 1.0]], rectified) == ""
