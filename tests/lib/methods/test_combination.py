"""Equation (1) of LIFT-CAM: maps are linear in the activations."""

import inspect

import pytest
import torch

from lib.methods import METHODS
from lib.methods.combination import channel_sum, combination, weighted_sum
from lib.saliency import explain, raw_map

from ..networks import CHANNELS, affine, images, references, tokens, wrap_tokens

CAMS = [name for name, method in METHODS.items() if hasattr(method.fn, "coefficients")]


def test_weighted_sum_is_the_sum_over_channels():
    w, A = torch.randn(2, 3), torch.randn(2, 3, 4, 5)
    want = torch.stack([sum(w[b, k] * A[b, k] for k in range(3)) for b in range(2)])
    assert torch.allclose(weighted_sum(w, A), want, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_terms_that_cancel_leave_no_noise(dtype):
    """Channels that add up to zero, channels that add up to a constant, and a map that varies."""
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(3, 300, 5, 5, generator=generator, dtype=torch.float64)
    A[:2] -= A[:2].mean(1, keepdim=True)
    A[1] += 0.1
    A = A.to(dtype)
    w = torch.full((3, 300), 1 / 300, dtype=dtype)
    for M in (weighted_sum(w, A), channel_sum(w[..., None, None] * A)):
        spread = M.amax((1, 2)) - M.amin((1, 2))
        assert (M[0] == 0).all() and spread[1] == 0 and spread[2] > 0.1
        assert M[1, 0, 0].item() == pytest.approx(0.1, rel=0.1)


def test_the_start_of_opti_cam_where_channels_cancel_is_zeros_in_every_batch():
    """Behind a LayerNorm without scale and shift, channels cancel; the signed map is zero too."""
    model = tokens(dynamic_img_size=True).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.fill_(float(name.endswith("weight")))
    net, x = wrap_tokens(model), images(4).float()
    assert 0 < net.features(x).mean(1).abs().max() < 1e-6, "the test needs rounding errors"
    for batch in (x, x[:1], x[1:3]):
        for options in ({"signed": True}, {}, {"normalisation": "max"}):
            assert (explain("opti_cam", net, batch, 0, iterations=3, **options) == 0).all()
        assert explain("opti_cam", net, batch, 0, iterations=3, relu=True).amax() == 1


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
