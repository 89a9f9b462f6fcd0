"""GradientSHAP: expected gradients, computed by captum."""

import numpy as np
import pytest
import torch
from captum.attr import GradientShap
from torch import nn

from lib.errors import UnknownName
from lib.methods.gradient_shap import gradient_shap
from lib.seeding import seed_of
from lib.selectors import SELECTORS

from ..networks import Affine, affine, images, non_linear, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def linear():
    """A network whose logits are affine in the image."""
    return wrap(seeded(Affine(lambda: nn.LeakyReLU(1.0))))


def slope(net, x, target):
    """The gradient of a linear network, which is the same for every image."""
    x = torch.rand_like(x).requires_grad_()
    y = net(x).gather(1, target[:, None])
    return torch.autograd.grad(y.sum(), x)[0]


def background(net, baseline):
    return net.mean if baseline == "mean" else torch.zeros_like(net.mean)


@pytest.mark.parametrize("baseline", ["black", "mean"])
@pytest.mark.parametrize("n", [1, 5])
def test_a_linear_network_has_a_closed_form(baseline, n):
    net, x = linear(), images()
    want = (slope(net, x, TARGET) * (x - background(net, baseline))).sum(1)
    found = gradient_shap(net, x, TARGET, n=n, baseline=baseline)
    assert torch.allclose(found, want, atol=1e-10)


def test_with_noise_it_is_the_expectation():
    net, x = linear(), images(1)
    w = slope(net, x, TARGET[:1])
    found = gradient_shap(net, x, TARGET[:1], n=4000, noise=0.1)
    error = found - (w * x).sum(1)
    spread = 0.1 * w.square().sum(1).sqrt() / 4000**0.5
    assert (error.abs() < 5 * spread).all() and error.abs().max() > 0.1 * spread.max()


@pytest.mark.parametrize("baseline", ["black", "mean"])
def test_sums_approach_the_difference_of_scores(baseline):
    net, x = non_linear(), images()
    found = gradient_shap(net, x, TARGET, n=400, baseline=baseline).sum((1, 2))
    change = net(x) - net(background(net, baseline).expand_as(x))
    want = change.gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(found, want, atol=0.1 * float(want.abs().max()))


@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_as_captum_by_hand(noise):
    net, x = non_linear(), images(1)
    torch.manual_seed(seed_of(x[0], 7))
    np.random.seed(seed_of(x[0], 7) % 2**32)
    want = GradientShap(net).attribute(
        x, torch.zeros_like(x), n_samples=6, stdevs=noise, target=TARGET[:1]
    )
    found = gradient_shap(net, x, TARGET[:1], n=6, noise=noise, seed=7)
    assert torch.allclose(found, want.sum(1), atol=1e-10)


@pytest.mark.parametrize("selector", SELECTORS)
def test_the_selector_is_what_is_explained(selector):
    net, x = non_linear(), images(2)
    found = gradient_shap(net, x, TARGET[:2], n=500, selector=selector).sum((1, 2))
    score = SELECTORS[selector]
    want = score(net(x), TARGET[:2]) - score(net(torch.zeros_like(x)), TARGET[:2])
    assert torch.allclose(found, want, atol=0.15 * float(want.abs().max()))


@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_chunks_change_nothing(chunk):
    net, x = non_linear(), images(2)
    options = {"n": 7, "noise": 0.1}
    want = gradient_shap(net, x, TARGET[:2], **options)
    found = gradient_shap(net, x, TARGET[:2], chunk=chunk, **options)
    assert torch.allclose(found, want, atol=1e-12)


def test_seeds_differ():
    net, x = non_linear(), images(1)
    one, other = (gradient_shap(net, x, TARGET[:1], n=3, seed=s) for s in (0, 1))
    assert not torch.allclose(one, other, atol=1e-6)


def test_global_random_numbers_go_on():
    net, x = affine(), images(2)
    torch.manual_seed(3), np.random.seed(3)
    want = torch.rand(3), np.random.rand(3)
    torch.manual_seed(3), np.random.seed(3)
    gradient_shap(net, x, TARGET[:2], n=2, noise=0.1)
    assert torch.equal(torch.rand(3), want[0]) and (np.random.rand(3) == want[1]).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n": 0}, "n is at least 1, got 0"),
        ({"chunk": 0}, "chunk is at least 1"),
        ({"noise": -1.0}, "noise is a standard deviation, at least 0, got -1.0"),
        ({"noise": float("nan")}, "noise is a standard deviation"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        gradient_shap(affine(), images(), TARGET, **options)


def test_an_unknown_baseline_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="'white'.*black"):
        gradient_shap(affine(), images(), TARGET, baseline="white")
