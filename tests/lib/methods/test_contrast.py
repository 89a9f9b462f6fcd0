"""Contrasts: the propositions of the paper, for every method that back-propagates."""

import math
from functools import cache

import pytest
import torch
from torch.nn import functional as F

from lib.errors import UnknownName
from lib.methods import METHODS
from lib.saliency import attribute, explain, raw_map
from lib.selectors import CONTRASTS, contrast_score

from ..networks import (
    CLASSES,
    HEADS,
    NETWORKS,
    affine,
    brightness,
    headed,
    images,
    non_linear,
    signed,
)

CONTRASTIVE = [m for m in METHODS if "contrast" in METHODS[m].options]
NOT_HOMOGENEOUS = {"grad_cam_plus_plus"}  # its weights are a ratio of powers of the gradient
NOT_LINEAR = NOT_HOMOGENEOUS | {"layer_cam"}  # it takes the ReLU of the gradient
NAMES = [name for name in CONTRASTS if name != "none"]
TARGET = torch.tensor([0, 1, 2, 3])


@cache
def network_named(name, dtype=torch.float64):
    """One of the small networks, or one with one of the heads; it is cached, so no test changes it."""
    return (NETWORKS[name]() if name in NETWORKS else headed(name)).to(dtype)


def pairs(without):
    """Pairs of a method and a network; CAM runs only on pooling and one linear layer."""
    return [
        (m, n)
        for m in CONTRASTIVE
        for n in (*NETWORKS, *HEADS)
        if m not in without and (m != "cam" or n in ("affine", "signed"))
    ]


homogeneous = pytest.mark.parametrize("method, network", pairs(NOT_HOMOGENEOUS))
linear = pytest.mark.parametrize("method, network", pairs(NOT_LINEAR))
every = pytest.mark.parametrize("contrast", NAMES)


def weights(y, t, contrast):
    """The weight of each other class of one image, as the paper describes it."""
    others = [s for s in range(len(y)) if s != t]
    if contrast == "mean":
        return {s: 1 / len(others) for s in others}
    if contrast == "max":
        return {max(others, key=lambda s: y[s]): 1.0}
    total = sum(math.exp(y[s]) for s in others)
    return {s: math.exp(y[s]) / total for s in others}


def apart(method, net, x, t, contrast, **options):
    """The map of one image: a map per class, back-propagated alone, then combined."""
    y = net(x)[0].tolist()
    phi = [raw_map(method, net, x, s, **options)[0] for s in range(len(y))]
    return phi[t] - sum(a * phi[s] for s, a in weights(y, t, contrast).items())


def assert_close(got, want, tolerance):
    """Compare maps with a tolerance relative to the largest entry of each map."""
    for a, b in zip(got, want):
        assert (a - b).abs().max() <= tolerance * b.abs().max()


def test_every_method_that_back_propagates_from_a_score_has_contrasts():
    """The other methods with gradients optimise, sample, propagate relevance or compare classes."""
    others = {"extremal_perturbation", "gradient_shap", "tibav", "opti_cam", "galore"}
    assert {m for m in METHODS if "gradients" in METHODS[m].needs} == {*CONTRASTIVE} | others
    assert all(METHODS[m].options["contrast"] == "none" for m in CONTRASTIVE)


# ----------------------------------------------------------------------------------- proposition 1


@pytest.mark.parametrize(
    "optimiser, options",
    [
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.Adam, {}),
    ],
)
def test_two_classes_of_softmax_train_their_difference_as_one_of_sigmoid(optimiser, options):
    r"""$w_1 - w_2$ takes the path of $w$ at twice the learning rate; $w_1 + w_2$ is constant.

    The proof leaves out this factor: the gradients by $w_1$ and $w_2$ are the one by $w$ and its negative.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    label = (x @ torch.tensor([1.0, -2.0, 0.5]).double() + 0.3 > 0).double()
    W = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    w = W[0] - W[1]
    total = W.sum(0)
    W, w = W.requires_grad_(), w.clone().requires_grad_()
    two = optimiser([W], lr=0.05, **options)
    one = optimiser([w], lr=0.1, **options)
    start = w.detach().clone()
    for i in range(100):
        batch = slice(i % 10 * 20, i % 10 * 20 + 20)
        for step, loss in (
            (two, F.cross_entropy(x[batch] @ W.T, 1 - label[batch].long())),
            (one, F.binary_cross_entropy_with_logits(x[batch] @ w, label[batch])),
        ):
            step.zero_grad()
            loss.backward()
            step.step()
        assert torch.allclose(W.grad[0] - W.grad[1], 2 * w.grad, atol=1e-12)
        assert torch.allclose(W[0] - W[1], w, atol=1e-9)
    assert torch.allclose(W.sum(0), total, atol=1e-12)
    assert (w - start).norm() > 0.5, "the test needs a path"


# ----------------------------------------------------------------------------------- proposition 2


@homogeneous
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-9), (torch.float32, 1e-5)])
def test_the_map_of_the_probability_is_the_weighted_contrast(method, network, dtype, tolerance):
    r"""$\phi_t(p) = p_t (1 - p_t) \, \phi_t^{weighted}(y)$, to $10^{-5}$."""
    net, x = network_named(network, dtype), images().to(dtype)
    p = net(x).softmax(1).gather(1, TARGET[:, None])[:, :, None]  # (B, 1, 1)
    weighted = raw_map(method, net, x, TARGET, contrast="weighted")
    of_probability = raw_map(method, net, x, TARGET, selector="probability")
    assert_close(of_probability, p * (1 - p) * weighted, tolerance)
    assert weighted.abs().amax((1, 2)).min() > 0


def test_of_methods_that_are_not_homogeneous_it_is_not():
    net, x = affine(), images()
    p = net(x).softmax(1).gather(1, TARGET[:, None])[:, :, None]
    for method in NOT_HOMOGENEOUS:
        weighted = raw_map(method, net, x, TARGET, contrast="weighted")
        of_probability = raw_map(method, net, x, TARGET, selector="probability")
        assert not torch.allclose(of_probability, p * (1 - p) * weighted, rtol=1e-2)


@linear
def test_the_contrasts_of_all_classes_sum_to_zero(method, network):
    r"""$\sum_t p_t (1 - p_t) \phi_t^{weighted} = 0$, since probabilities sum to one."""
    net, x = network_named(network), images()
    p = net(x).softmax(1)
    total, size = 0, 0
    for t in range(CLASSES):
        term = (p[:, t] * (1 - p[:, t]))[:, None, None] * raw_map(
            method, net, x, t, contrast="weighted"
        )
        total, size = total + term, size + term.abs()
    assert (size.amax((1, 2)) > 0).all()
    assert (total.abs() <= 1e-9 * size.amax((1, 2), keepdim=True)).all()


# ----------------------------------------------------------------------------------- proposition 3


@linear
@every
def test_one_pass_is_the_combination_of_maps_back_propagated_apart(method, network, contrast):
    net, x = network_named(network), images(2)
    target = TARGET[2:]
    got = raw_map(method, net, x, target, contrast=contrast)
    want = [apart(method, net, x[i : i + 1], int(target[i]), contrast) for i in range(2)]
    assert_close(got, want, 1e-9)


@linear
def test_the_max_contrasts_of_the_top_two_classes_are_negatives(method, network):
    net, x = network_named(network), images()
    first, second = net(x).topk(2).indices.T
    one, two = (raw_map(method, net, x, t, contrast="max") for t in (first, second))
    assert_close(one, -two, 1e-12)


@pytest.mark.parametrize("method", sorted(set(CONTRASTIVE) - NOT_LINEAR))
def test_of_two_classes_all_contrasts_are_one(method):
    net, x = brightness(), images()
    maps = [raw_map(method, net, x, 0, contrast=contrast) for contrast in NAMES]
    assert all(torch.allclose(m, maps[0]) for m in maps)


@every
def test_coefficients_are_contrasted_too(contrast):
    net, x = non_linear(), images(1)
    y = net(x)[0].tolist()
    alpha = attribute("lift_cam", net, x, 2, contrast=contrast).coefficients
    each = [attribute("lift_cam", net, x, s).coefficients for s in range(CLASSES)]
    want = each[2] - sum(a * each[s] for s, a in weights(y, 2, contrast).items())
    assert torch.allclose(alpha, want, atol=1e-10)


@every
def test_lift_adds_up_to_the_change_of_the_contrast(contrast):
    """Proposition 3 for DeepLIFT: eq. (8) of LIFT-CAM holds for the contrast."""
    net, x = non_linear(), images(1)
    y, y0 = net(x)[0], net.head(torch.zeros_like(net.features(x)))[0]
    a = weights(y.tolist(), 1, contrast)
    change = (y - y0)[1] - sum(a[s] * (y - y0)[s] for s in a)
    alpha = attribute("lift_cam", net, x, 1, contrast=contrast).coefficients
    assert alpha.sum().item() == pytest.approx(change.item())


# ------------------------------------------------------------------------------------- the options


@pytest.mark.parametrize("method", CONTRASTIVE)
def test_no_contrast_is_the_method_as_it_was(method):
    net, x = affine(), images()
    want = raw_map(method, net, x, TARGET)
    assert torch.equal(raw_map(method, net, x, TARGET, contrast="none"), want)
    maps = {name: raw_map(method, net, x, TARGET, contrast=name) for name in NAMES}
    maps["none"] = want
    for one in maps:
        for two in maps:
            assert one == two or not torch.allclose(maps[one], maps[two], atol=1e-6)


@pytest.mark.parametrize("method", [m for m in CONTRASTIVE if METHODS[m].relu])
def test_a_contrast_passes_no_relu(method):
    net, x = signed(), images()  # Layer-CAM and Grad-CAM++ rectify the gradient itself
    raw = raw_map(method, net, x, TARGET, contrast="weighted")
    S = explain(method, net, x, TARGET, contrast="weighted")
    assert (raw.flatten(1).amin(1) < 0).any(), "the test needs negative evidence"
    big = F.interpolate(raw[:, None], (16, 16), mode="bilinear")[:, 0]
    low, high = big.amin((1, 2), keepdim=True), big.amax((1, 2), keepdim=True)
    assert torch.allclose(S, (big - low) / (high - low))
    assert not torch.allclose(S, explain(method, net, x, TARGET), atol=1e-2)


@pytest.mark.parametrize("method", CONTRASTIVE)
def test_a_signed_map_keeps_its_zero(method):
    net, x = affine(), images()
    S = explain(method, net, x, TARGET, contrast="weighted", signed=True)
    big = F.interpolate(
        raw_map(method, net, x, TARGET, contrast="weighted")[:, None], (16, 16), mode="bilinear"
    )[:, 0]
    assert torch.allclose(S, big / big.abs().amax((1, 2), keepdim=True))
    assert torch.equal(S.sign(), big.sign()) and S.abs().amax((1, 2)).tolist() == [1] * 4


@pytest.mark.parametrize("method", CONTRASTIVE)
def test_an_unknown_contrast_lists_those_there_are(method):
    with pytest.raises(
        UnknownName,
        match=r"unknown contrast 'means' \(did you mean 'mean'\?\); valid: none, mean, max, weighted",
    ):
        explain(method, affine(), images(), 0, contrast="means")


@pytest.mark.parametrize("method", CONTRASTIVE)
@every
def test_a_contrast_of_something_other_than_the_logit_is_refused(method, contrast):
    with pytest.raises(ValueError, match=f"contrast '{contrast}' is between logits, .*probability"):
        explain(method, affine(), images(), 0, contrast=contrast, selector="probability")


@every
def test_a_single_class_has_no_other(contrast):
    with pytest.raises(ValueError, match=f"contrast '{contrast}' needs other classes.*one class"):
        contrast_score(contrast)(torch.zeros(2, 1), torch.tensor([0, 0]))
