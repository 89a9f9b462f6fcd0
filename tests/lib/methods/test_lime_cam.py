"""LIME-CAM: a linear model of coalitions."""

import numpy as np
import pytest
import torch

from lib.methods.lime_cam import lime_cam
from lib.methods.shap_cam import shap_cam

from ..networks import CHANNELS, affine, headed, images, residual, signed

TARGET = torch.tensor([0, 1, 2, 3])


def alpha(net, x, target=TARGET, **options):
    return lime_cam.coefficients(net, x, target[: len(x)], **options)[0]


@pytest.mark.parametrize("head", ["hidden", "one_by_one", "gated"])
def test_as_weighted_least_squares_by_lapack(head):
    """Ridge regression as least squares, with rows scaled by the square root of their weight."""
    net, x, n = headed(head), images(2), 50
    generator = torch.Generator().manual_seed(7)
    a = (torch.rand(n, CHANNELS, generator=generator, dtype=torch.float64) < 0.5).double()
    for i in range(2):
        A = net.features(x[i : i + 1])
        y = net.head(a[..., None, None] * A)[:, TARGET[i]].numpy()
        w = np.sqrt(np.exp(-((1 - np.sqrt(a.mean(1).numpy())) ** 2) / 0.3**2))
        rows = np.sqrt(w)[:, None] * np.hstack([a.numpy(), np.ones((n, 1))])
        ridge = np.hstack([np.sqrt(2.0) * np.eye(CHANNELS), np.zeros((CHANNELS, 1))])
        right = np.concatenate([np.sqrt(w) * y, np.zeros(CHANNELS)])
        want = np.linalg.lstsq(np.vstack([rows, ridge]), right, rcond=None)[0][:-1]
        got = alpha(net, x, n=n, kernel_width=0.3, ridge=2.0, seed=7)[i]
        assert np.allclose(got, want, atol=1e-10)


@pytest.mark.parametrize("network", [affine, signed])
def test_a_linear_game_is_recovered_as_the_ridge_goes_away(network):
    net, x = network(), images()
    want = shap_cam.coefficients(net, x, TARGET)[0]
    assert torch.allclose(alpha(net, x, n=200, ridge=1e-9), want, atol=1e-6)


def test_as_many_coalitions_as_channels_unless_told():
    net, x = residual(), images()
    assert torch.equal(alpha(net, x), alpha(net, x, n=CHANNELS))
    assert not torch.equal(alpha(net, x), alpha(net, x, n=CHANNELS + 1))
    assert not torch.equal(alpha(net, x), alpha(net, x, seed=1))


def test_a_ridge_shrinks():
    net, x = headed("hidden"), images()
    assert (alpha(net, x, ridge=10.0).norm(dim=1) < alpha(net, x, ridge=0.1).norm(dim=1)).all()


@pytest.mark.parametrize("options", [{"kernel_width": 0.0}, {"ridge": 0.0}, {"n": 0}])
def test_numbers_that_make_no_sense(options):
    with pytest.raises(ValueError, match="positive|at least 1"):
        lime_cam(affine(), images(), TARGET, **options)
