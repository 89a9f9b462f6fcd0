"""Networks that run faster: in half precision, and compiled."""

import pickle

import pytest
import torch

from lib import data, nets
from lib.saliency import explain

from .. import networks

LOGITS = {"bfloat16": 0.05, "float16": 0.005}  # as the docstring of Classifier says
MAPS = {"bfloat16": 0.05, "float16": 0.01}  # the mean difference of a pixel, of maps in [0, 1]
HALVES = pytest.mark.parametrize("dtype", LOGITS)


@pytest.fixture(scope="module")
def x():
    return torch.stack([s.image for s in data.load("imagenet_embedded", limit=2, size=224)])


@pytest.fixture(scope="module")
def loaded():
    return {dtype: nets.load("tf_efficientnet_lite0", autocast=dtype) for dtype in (None, *LOGITS)}


def off(got, want) -> float:
    """The largest difference, as a fraction of the largest value."""
    return float(((got - want).abs().max() / want.abs().max()).detach())


@HALVES
def test_half_precision_changes_logits_a_little_and_returns_the_networks_dtype(loaded, x, dtype):
    half, exact = loaded[dtype], loaded[None]
    with torch.no_grad():
        (A, _), y = half.cut(x), half(x)
        assert A.dtype == y.dtype == torch.float32
        assert 0 < off(y, exact(x)) < LOGITS[dtype]
        assert 0 < off(half.head(A), exact(x)) < LOGITS[dtype]
        assert torch.equal(half.head(A), exact.head(A))


@HALVES
@pytest.mark.parametrize("method, options", [
    ("grad_cam", {}), ("lift_cam", {}), ("opti_cam", {"iterations": 2}),
])  # fmt: skip
def test_half_precision_changes_maps_a_little(loaded, x, dtype, method, options):
    target = loaded[None](x).argmax(1)
    S, T = (explain(method, loaded[of], x, target, **options) for of in (dtype, None))
    assert 0 < (S - T).abs().mean() < MAPS[dtype]


def test_half_precision_has_results_of_its_own(loaded):
    half = loaded["bfloat16"]
    assert half.fingerprint != loaded[None].fingerprint != loaded["float16"].fingerprint
    assert pickle.loads(pickle.dumps(half)).fingerprint == half.fingerprint
    assert half.like(half.model).autocast == torch.bfloat16


@HALVES
@pytest.mark.parametrize("network", [networks.residual, networks.transformer])
def test_what_crosses_the_cut_returns_to_full_precision(network, dtype):
    exact = network().float()
    half = nets.Classifier(exact.model, **exact.settings | {"autocast": dtype})
    x = networks.images(2).float()
    A, context = half.cut(x)
    assert off(half.head(A, context), exact(x)) < LOGITS[dtype]
    assert 0 < off(half(x), exact(x)) < LOGITS[dtype]


def test_half_precision_is_bfloat16_or_float16():
    with pytest.raises(ValueError, match="autocast is None, bfloat16 or float16, got 'float32'"):
        nets.load("tf_efficientnet_lite0", weights="random", autocast="float32")


def test_a_compiled_network_differs_by_rounding():
    exact = networks.affine().float()
    compiled = nets.Classifier(exact.model, **exact.settings | {"compile": True})
    assert pickle.loads(pickle.dumps(compiled)).settings["compile"]
    x = networks.images(2).float().requires_grad_()
    y, z = compiled(x), exact(x)
    assert off(y, z) < 1e-5
    (dy,), (dz,) = (torch.autograd.grad(logits[:, 1].sum(), x) for logits in (y, z))
    assert off(dy, dz) < 1e-5
