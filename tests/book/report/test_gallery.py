import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from book.report import draw_boxes, gallery, grid, in_colour, key, overlay, style

IMAGE = np.random.default_rng(0).random((3, 8, 8))
S = np.linspace(0, 1, 64).reshape(8, 8)


def test_overlay_grows_brighter_with_saliency():
    grey = np.full((3, 8, 8), 0.5)
    picture = overlay(grey, S)
    luminance = picture @ [0.2126, 0.7152, 0.0722]
    assert picture.shape == (8, 8, 3) and picture.min() >= 0 and picture.max() <= 1
    assert (np.diff(luminance.ravel()) > 0).all()


def test_transparent_overlay_is_the_grey_image():
    picture = overlay(IMAGE, S, opacity=0)
    assert np.allclose(picture[..., 0], picture[..., 2])
    assert np.allclose(picture[..., 0], np.tensordot([0.299, 0.587, 0.114], IMAGE, axes=1))


def test_signed_maps_diverge_around_zero():
    signed = np.array([[-1.0, -0.2, 0.0, 0.2, 1.0]])
    strong, weak, zero, warm, hot = overlay(np.ones((3, 1, 5)), signed, signed=True)[0]
    assert strong[2] > strong[0] and weak[2] > weak[0]  # blue
    assert hot[0] > hot[2] and warm[0] > warm[2]  # red
    assert zero.min() > 0.95 and np.ptp(zero) < 0.01
    luminance = np.array([strong, weak, zero, warm, hot]) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance[:3]) > 0).all() and (np.diff(luminance[2:]) < 0).all()


def test_under_zero_the_image_is_pale_and_without_colour():
    picture = overlay(IMAGE, np.zeros((8, 8)), signed=True)
    grey = np.tensordot([0.299, 0.587, 0.114], IMAGE, axes=1)
    assert np.ptp(picture, axis=2).max() < 0.01
    assert np.corrcoef(picture[..., 0].ravel(), grey.ravel())[0, 1] > 0.999
    assert picture.min() > grey.min() and picture.min() > 0.4


def test_the_sign_of_a_map_is_said_not_guessed():
    positive = np.full((8, 8), 0.5)
    assert not np.allclose(overlay(IMAGE, positive), overlay(IMAGE, positive, signed=True))
    with pytest.raises(ValueError, match=r"in \[-0.5, 0.5\], not in \[0, 1\].*signed=True"):
        overlay(IMAGE, S - 0.5)
    with pytest.raises(ValueError, match=r"in \[-2, 2\], not in \[-1, 1\]"):
        overlay(IMAGE, 4 * S - 2, signed=True)
    overlay(IMAGE, np.full((8, 8), 1 + 1e-7), signed=True)  # rounded in float32


def test_tensors_as_arrays():
    assert np.allclose(overlay(torch.tensor(IMAGE), torch.tensor(S)), overlay(IMAGE, S))


def test_bad_maps():
    with pytest.raises(ValueError, match=r"\(3, 8, 8\) and map \(7, 7\)"):
        overlay(IMAGE, np.zeros((7, 7)))
    with pytest.raises(ValueError, match="NaN"):
        overlay(IMAGE, np.full((8, 8), np.nan))


def test_gallery_wraps_and_names_every_panel():
    maps = {f"method {i}": [S, S] for i in range(6)}
    figure = gallery([IMAGE, IMAGE], maps, ["hare", "gas pump"], columns=4)
    for block, title in zip(figure.subfigs, ["hare", "gas pump"]):
        drawn = [ax for ax in block.axes if ax.images]
        assert [ax.get_title() for ax in drawn] == ["Image", *maps]
        assert len(block.axes) == 8 and not any(ax.axison for ax in block.axes)
        assert block.get_suptitle() == title
    plt.close(figure)


def test_gallery_needs_a_map_an_image():
    with pytest.raises(ValueError, match="Grad-CAM: 1 for 2 images"):
        gallery([IMAGE, IMAGE], {"Grad-CAM": [S]})
    with pytest.raises(ValueError, match="titles: 3 for 2 images"):
        gallery([IMAGE, IMAGE], {}, ["a", "b", "c"])


def test_signed_gallery_has_a_key():
    figure = gallery([IMAGE], {"weighted": [2 * S - 1]}, signed=True)
    (block, key) = figure.subfigs
    assert [ax.get_title() for ax in block.axes] == ["Image", "weighted"]
    assert np.allclose(block.axes[1].images[0].get_array(), overlay(IMAGE, 2 * S - 1, signed=True))
    assert key_labels(key) == ["against the class", "0", "for the class"]
    plt.close(figure)


def key_labels(block):
    (ax,) = [ax for ax in block.axes if ax.axison]
    return [text.get_text() for text in ax.get_xticklabels()]


def test_grid_heads_its_columns_once_and_entitles_every_row():
    picture = in_colour(IMAGE)
    figure = grid(
        [[picture, picture], [None, picture]],
        ["Image", "map\nweighted"],
        ["hare", "gas pump"],
        outlines={(1, 1): S > 0.5},
        signed=True,
    )
    *rows, key = figure.subfigs
    assert [row.get_suptitle() for row in rows] == ["hare", "gas pump"]
    titles = [[ax.get_title() for ax in row.axes] for row in rows]
    assert titles == [["Image", "map\nweighted"], ["", ""]]
    assert [[len(ax.images) for ax in row.axes] for row in rows] == [[1, 1], [0, 1]]
    outlined = [[bool(ax.collections) for ax in row.axes] for row in rows]
    assert outlined == [[False, False], [False, True]]
    assert len(key_labels(key)) == 3
    plt.close(figure)


def test_the_key_of_unsigned_maps_says_which_end_is_most():
    figure = grid([[in_colour(torch.tensor(IMAGE))]], ["Image"], ["hare"])
    assert key_labels(figure.subfigs[-1]) == ["0, least", "1, most"]
    plt.close(figure)


def test_a_map_of_zeros_says_so():
    zero, some = np.zeros(IMAGE.shape[1:]), np.full(IMAGE.shape[1:], 0.5)
    figure = gallery([IMAGE], {"LIME": [zero], "CAM": [some]})
    said = {axes.get_title(): [text.get_text() for text in axes.texts] for axes in figure.axes}
    assert said["LIME"] == ["zero\neverywhere"] and said["CAM"] == [] and said["Image"] == []


def test_a_figure_of_its_own_layout_has_the_key_below_its_panels():
    style()
    figure, panels = plt.subplots(1, 2)
    key(figure, panels, signed=True)
    assert [t.get_text() for t in figure.axes[-1].get_xticklabels()][1] == "0"
    plt.close(figure)


def test_grid_needs_a_heading_a_column_and_a_title_a_row():
    with pytest.raises(ValueError, match="titles: 2 for 1 rows"):
        grid([[None]], ["Image"], ["a", "b"])
    with pytest.raises(ValueError, match="headings: 1 for 2 columns"):
        grid([[None, None]], ["Image"], ["a"])


def test_boxes_are_drawn_around_their_pixels():
    panel = plt.subplots()[1]
    draw_boxes(panel, torch.tensor([[0.0, 1.0, 4.0, 3.0]]), linestyle="--")
    [patch] = panel.patches
    assert patch.get_bbox().extents.tolist() == [-0.5, 0.5, 3.5, 2.5]
    assert patch.get_linestyle() == "--" and not patch.get_fill()
    plt.close("all")
