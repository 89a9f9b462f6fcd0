"""Equation (1) of LIFT-CAM: maps are linear in the activations."""

import inspect

import pytest
import torch

from lib.methods import METHODS
from lib.methods.combination import combination, weighted_sum
from lib.saliency import raw_map

from ..networks import CHANNELS, affine, images, references

CAMS = [name for name, method in METHODS.items() if hasattr(method.fn, "coefficients")]


def test_weighted_sum_is_the_sum_over_channels():
    w, A = torch.randn(2, 3), torch.randn(2, 3, 4, 5)
    want = torch.stack([sum(w[b, k] * A[b, k] for k in range(3)) for b in range(2)])
    assert torch.allclose(weighted_sum(w, A), want, atol=1e-6)


def test_a_combination_keeps_its_name_signature_and_coefficients():
    def rule(net, x, target, *, power: int = 1):
        """The rule."""
        return torch.full((1, 2), 3.0**power), torch.ones(1, 2, 4, 4)

    method = combination(rule)
    assert (method.__name__, method.__doc__) == ("rule", "The rule.")
    assert inspect.signature(method).parameters["power"].default == 1
    assert torch.equal(method(None, None, None, power=2), torch.full((1, 4, 4), 18.0))
    assert method.coefficients is rule


@pytest.mark.parametrize("method", CAMS)
def test_every_cam_is_the_sum_of_its_coefficients_and_activations(method):
    net, x = affine(), images()
    target = torch.tensor([0, 1, 2, 3])
    options = {"reference": references()} if method == "diff_cam" else {}
    alpha, A = METHODS[method].fn.coefficients(net, x, target, **options)
    assert alpha.shape == (4, CHANNELS) and torch.equal(A, net.features(x))
    want = (alpha[..., None, None] * A).sum(1)
    assert torch.allclose(raw_map(method, net, x, target, **options), want, atol=1e-10)
