"""LIME with captum's sampling on scikit-image's superpixels."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from lib.errors import UnknownName
from lib.methods.lime import HIDINGS, lime, segments
from lib.methods.lime_cam import kernel, weighted_ridge
from lib.seeding import generator
from lib.selectors import SELECTORS

from ..networks import Affine, affine, images, non_linear, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])
FEW = {"n": 40, "superpixels": 8}


def linear():
    """A network whose logits are affine in the image, and so in the kept superpixels."""
    return wrap(seeded(Affine(lambda: nn.LeakyReLU(1.0))))


def background(image, segment, hidden):
    """The image that replaces hidden superpixels, computed one superpixel at a time."""
    found = torch.zeros_like(image)
    if hidden == "superpixel":
        for k in segment.unique():
            found[:, segment == k] = image[:, segment == k].mean(1, keepdim=True)
    return found


@pytest.mark.parametrize("hidden", HIDINGS)
def test_it_recovers_the_weights_of_a_linear_network(hidden):
    net, x = linear(), images(2)
    options = {"n": 60, "superpixels": 8, "selector": "logit", "ridge": 1e-9, "hidden": hidden}
    found = lime(net, x, TARGET[:2], **options)
    for i in range(2):
        segment = segments(x[i], 8, 10.0)
        full = net(x[i : i + 1])[0, TARGET[i]]
        for k in segment.unique():
            without = torch.where(segment == k, background(x[i], segment, hidden), x[i])
            worth = full - net(without[None])[0, TARGET[i]]
            assert torch.allclose(found[i][segment == k], worth, atol=1e-4)


@pytest.mark.parametrize("hidden", HIDINGS)
@pytest.mark.parametrize("selector", SELECTORS)
def test_as_written_one_sample_at_a_time(selector, hidden):
    net, x = non_linear(), images(1)
    options = {"n": 12, "selector": selector, "hidden": hidden, "seed": 5}
    found = lime(net, x, TARGET[1:2], superpixels=8, kernel_width=0.4, ridge=0.1, **options)
    segment = segments(x[0], 8, 10.0)
    K = int(segment.max()) + 1
    z = torch.rand(12, K, generator=generator(x[0], 5)) < 0.5
    y = []
    for row in z:
        image = x[0].clone()
        for k in range(K):
            if not row[k]:
                image[:, segment == k] = background(x[0], segment, hidden)[:, segment == k]
        y.append(SELECTORS[selector](net(image[None]), TARGET[1:2])[0])
    w = weighted_ridge(z, torch.stack(y), kernel(z, 0.4), 0.1)
    assert torch.allclose(found[0], w[segment], atol=1e-5)


def test_a_superpixel_has_one_weight():
    net, x = non_linear(), images(1)
    segment, found = segments(x[0], 8, 10.0), lime(net, x, TARGET[:1], **FEW)[0]
    assert all(len(found[segment == k].unique()) == 1 for k in segment.unique())
    assert len(found.unique()) == len(segment.unique()) > 3


def test_superpixels_count_from_zero_and_follow_the_image():
    x = images(2, (32, 32))
    first, second = (segments(image, 16, 10.0) for image in x)
    assert first.shape == (32, 32) and not torch.equal(first, second)
    assert first.unique().tolist() == list(range(int(first.max()) + 1))
    assert 8 <= int(first.max()) + 1 <= 24
    assert torch.equal(first, segments(x[0].float(), 16, 10.0))


def test_an_image_of_one_colour_has_a_map():
    grey = torch.full((1, 3, 16, 16), 0.5, dtype=torch.float64)
    assert lime(affine(), grey, TARGET[:1], **FEW).isfinite().all()
    assert lime(affine(), grey, TARGET[:1], n=4, superpixels=1).isfinite().all()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_change_nothing(chunk):
    net, x = non_linear(), images(2)
    want = lime(net, x, TARGET[:2], **FEW)
    assert torch.allclose(lime(net, x, TARGET[:2], **FEW, chunk=chunk), want, atol=1e-6)


def test_seeds_differ():
    net, x = non_linear(), images(1)
    one, other = (lime(net, x, TARGET[:1], **FEW, seed=s) for s in (0, 1))
    assert not torch.allclose(one, other, atol=1e-6)


def test_global_random_numbers_go_on():
    net, x = affine(), images(2)
    torch.manual_seed(3), np.random.seed(3)
    want = torch.rand(3), np.random.rand(3)
    torch.manual_seed(3), np.random.seed(3)
    lime(net, x, TARGET[:2], **FEW)
    assert torch.equal(torch.rand(3), want[0]) and (np.random.rand(3) == want[1]).all()


def test_the_kernel_is_that_of_limes_code():
    """sqrt(exp(-d^2 / 0.25^2)) with a quarter of the parts: d = 1 - sqrt(1/4), d^2 / 0.25^2 = 4."""
    z = torch.tensor([[1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    assert kernel(z, 0.25).tolist() == pytest.approx([math.exp(-2), 1])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n": 0}, "n is at least 1, got 0"),
        ({"superpixels": 0}, "superpixels is at least 1, got 0"),
        ({"chunk": 0}, "chunk is at least 1"),
        ({"ridge": 0.0}, "are positive, got 0.25, 0.0 and 10.0"),
        ({"kernel_width": -1.0}, "are positive, got -1.0, 1.0 and 10.0"),
        ({"compactness": 0.0}, "are positive, got 0.25, 1.0 and 0.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        lime(affine(), images(), TARGET, **options)


def test_an_unknown_hiding_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="'white'.*superpixel"):
        lime(affine(), images(), TARGET, hidden="white")
