"""The values that replace hidden pixels."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import gaussian_blur as peer

from lib.errors import UnknownName
from lib.metrics.replacement import gaussian_blur, replaced

from ..networks import images, maps


@pytest.mark.parametrize("kernel, sigma", [(3, 0.5), (11, 5.0), (31, 15.0)])
@pytest.mark.parametrize("size", [(16, 16), (17, 40)])
def test_the_blur_is_torchvisions(kernel, sigma, size):
    x = images(2, size)
    assert torch.allclose(gaussian_blur(x, kernel, sigma), peer(x, kernel, sigma), atol=1e-7)


@pytest.mark.parametrize("size", [(3, 5), (1, 2), (16, 9)])
def test_a_kernel_larger_than_the_image(size):
    """The blur pixel by pixel, on an image that is reflected repeatedly."""
    x, kernel, sigma = images(1, size), 101, 15.0
    weight = np.array([math.exp(-0.5 * (d / sigma) ** 2) for d in range(-50, 51)])
    weight /= weight.sum()
    wide = np.pad(x[0].numpy(), ((0, 0), (50, 50), (50, 50)), mode="reflect")
    want = np.zeros(x[0].shape)
    for i in range(size[0]):
        for j in range(size[1]):
            want[:, i, j] = weight @ wide[:, i : i + kernel, j : j + kernel] @ weight
    assert np.allclose(gaussian_blur(x, kernel, sigma)[0], want, atol=1e-12)


def test_a_blur_keeps_a_plain_image_and_its_range():
    assert torch.allclose(gaussian_blur(torch.full((1, 3, 20, 30), 0.3)), torch.tensor(0.3))
    low, high = gaussian_blur(images(), 101, 15.0).aminmax()
    assert 0 <= low and high <= 1


@pytest.mark.parametrize("kernel, sigma", [(100, 15.0), (101, 0.0), (101, -1.0)])
def test_a_blur_that_is_none_is_refused(kernel, sigma):
    with pytest.raises(ValueError, match=f"odd kernel and a positive sigma, got {kernel} and"):
        gaussian_blur(images(), kernel, sigma)
    with pytest.raises(ValueError, match="kernel is at least 1, got 0"):
        gaussian_blur(images(), 0)


@pytest.mark.parametrize("replacement", ["blur", "zeros", "mean"])
def test_only_the_hidden_pixels_change(replacement):
    x, where = images(), maps() > 0.5
    got = replaced(x, where, replacement, kernel=7, sigma=2.0)
    other = {"blur": peer(x, 7, 2.0), "zeros": 0 * x, "mean": 0 * x}[replacement]
    if replacement == "mean":
        other += torch.stack([torch.stack([channel.mean() for channel in image]) for image in x])[
            ..., None, None
        ]
    for b in range(len(x)):
        assert torch.equal(got[b][:, ~where[b]], x[b][:, ~where[b]])
        assert torch.allclose(got[b][:, where[b]], other[b][:, where[b]], atol=1e-7)


def test_an_unknown_replacement_lists_those_there_are():
    with pytest.raises(UnknownName, match="unknown replacement 'black'; valid: blur, zeros, mean"):
        replaced(images(), maps() > 0.5, "black")
