import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from book.report import style
from book.report.style import darken


def brightness(colour):
    return sum(to_rgb(colour)) / 3


def test_ink_and_ground_change_places_and_series_keep_their_hue():
    style()
    figure, axes = plt.subplots()
    (line,) = axes.plot([0, 1], [0, 1], "o-", color="#3f90da", mfc="white")
    axes.set_title("t")
    darken(figure)
    assert brightness(figure.get_facecolor()) < 0.1 and brightness(axes.get_facecolor()) < 0.1
    assert brightness(axes.title.get_color()) > 0.7
    assert brightness(axes.spines["left"].get_edgecolor()) > 0.3
    r, g, b = to_rgb(line.get_color())
    assert b > g > r and brightness(line.get_markerfacecolor()) < 0.1
    plt.close(figure)


def test_what_lies_over_a_photograph_stays():
    style()
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((4, 4)))
    (line,) = axes.plot([0, 1], [0, 1], color="white")
    text = axes.text(1, 1, "here", color="white")
    axes.set_title("t")
    darken(figure)
    assert to_rgb(line.get_color()) == (1, 1, 1) == to_rgb(text.get_color())
    assert brightness(axes.title.get_color()) > 0.7
    plt.close(figure)


def test_bands_keep_their_opacity_and_colour_maps_their_colours():
    style()
    figure, (left, right) = plt.subplots(1, 2)
    band = left.fill_between([0, 1], [0, 0], [1, 1], color="#832db6", alpha=0.2)
    cloud = right.scatter([0, 1], [0, 1], c=[0, 1])
    before = cloud.get_array().copy()
    darken(figure)
    assert band.get_facecolor()[0, 3] == 0.2 and brightness(band.get_facecolor()[0, :3]) > 0.46
    assert (cloud.get_array() == before).all()
    plt.close(figure)
