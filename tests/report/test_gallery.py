import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from lib.report import gallery, overlay

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
    signed = np.array([[-1.0, 0.0, 0.5]])
    blue, zero, red = overlay(np.full((3, 1, 3), 0.5), signed, opacity=1)[0]
    assert blue[2] > blue[0] and red[0] > red[2]
    assert zero.min() > 0.95


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
