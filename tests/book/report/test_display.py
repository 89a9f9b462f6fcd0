from base64 import b64decode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from book.report import show, style
from book.report.display import FILES_MIME, MAX_BYTES, Picture, _encode


def figure(noise=False):
    style()
    made, ax = plt.subplots(figsize=(6.4, 6.4))
    if noise:
        ax.imshow(np.random.default_rng(0).random((900, 900, 3)))
    else:
        ax.plot([0, 1, 2])
    return made


@pytest.fixture
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def test_show_displays_a_png_with_its_texts_and_closes(shell):
    made = figure()
    with capture_output() as captured:
        show(made, alt="A line.", caption="It rises.")
    (output,) = captured.outputs
    assert output.metadata == {"alt": "A line.", "caption": "It rises."}
    assert output.data["text/plain"] == "A line."
    picture = Image.open(BytesIO(b64decode(output.data["image/png"])))
    assert picture.width == 960
    assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    assert not plt.fignum_exists(made.number)


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_alt_is_required(alt):
    made = figure()
    with pytest.raises(ValueError, match="alt is empty"):
        show(made, alt=alt)
    plt.close(made)


def test_photographs_become_jpeg_within_the_limit():
    made = figure(noise=True)
    mime, data = _encode(made)
    assert mime == "image/jpeg" and len(data) <= MAX_BYTES
    assert Image.open(BytesIO(data)).width == 960
    plt.close(made)


def test_too_large_a_figure_says_so(monkeypatch):
    monkeypatch.setattr("book.report.display.MAX_BYTES", 5_000)
    made = figure(noise=True)
    with pytest.raises(ValueError, match="fewer panels"):
        _encode(made)
    plt.close(made)


def test_outside_a_notebook_the_text_stands_for_the_picture():
    assert repr(Picture("image/png", b"", {"alt": "A line."})) == "A line."


def files(shell, made, **options):
    with capture_output() as captured:
        show(made, alt="A line.", **options)
    return {k: b64decode(v) for k, v in captured.outputs[0].data[FILES_MIME].items()}


def test_a_drawing_comes_with_an_svg_its_data_and_a_dark_variant(shell):
    found = files(shell, figure())
    assert {*found} == {".svg", ".csv", "-dark.png"}
    assert found[".svg"].startswith(b"<?xml") and b"<svg" in found[".svg"]
    assert found[".csv"].decode().splitlines()[0] == "x,y"


def test_a_dark_variant_has_the_ground_of_dark_pages_and_light_ink(shell):
    dark = Image.open(BytesIO(files(shell, figure())["-dark.png"])).convert("RGB")
    assert dark.getpixel((0, 0)) == (18, 18, 18)
    assert dark.convert("L").getextrema()[1] > 170


def test_photographs_come_large_and_without_data(shell):
    found = files(shell, figure(noise=True))
    assert {*found} == {".jpg", "-dark.jpg"}
    assert Image.open(BytesIO(found[".jpg"])).width == 1920


def test_given_data_come_before_what_is_drawn(shell):
    found = files(shell, figure(), data=pd.DataFrame({"method": ["CAM"], "mean": [0.123456789]}))
    assert found[".csv"].decode().splitlines() == ["method,mean", "CAM,0.123457"]


def test_the_same_figure_has_the_same_files(shell):
    assert files(shell, figure()) == files(shell, figure())
