from base64 import b64decode
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from book.report import show, style
from book.report.display import MAX_BYTES, Picture, _encode


def figure(noise=False):
    style()
    made, ax = plt.subplots(figsize=(6.4, 6.4))
    if noise:
        ax.imshow(np.random.default_rng(0).random((900, 900, 3)))
    else:
        ax.plot([0, 1])
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
