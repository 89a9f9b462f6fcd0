"""SHAP-CAM: algorithm 1 of LIFT-CAM, and the SHAP values that it estimates."""

from itertools import combinations
from math import factorial

import pytest
import torch

from lib.methods.ablation_cam import ablation_cam
from lib.methods.lift_cam import lift_cam
from lib.methods.shap_cam import orderings, shap_cam
from lib.nets import context_of

from ..networks import HEADS, NETWORKS, Headed, affine, headed, images, seeded, signed, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def made(name):
    return headed(name) if name in HEADS else NETWORKS[name]()


def alpha(net, x, target, **options):
    return shap_cam.coefficients(net, x, target, **options)[0]


def algorithm_1(net, x, target, n, seed=0):
    """Algorithm 1 as printed: two passes through the head for each channel of each ordering."""
    found = []
    for image, c in zip(x.split(1), target.split(1)):
        A = net.features(image)
        K = A.shape[1]
        total = torch.zeros(K, dtype=A.dtype)

        def F(a):
            return net.head(A * a[:, None, None], context_of(A))[0, c]

        for joins in orderings(image[0], n, K, seed):
            a = torch.zeros(K, dtype=A.dtype)
            for k in joins.argsort():
                without, a[k] = F(a), 1
                total[k] += (F(a) - without)[0]
        found.append(total / n)
    return torch.stack(found)


def enumeration(net, x, target):
    """Eq. (6): the sum over every coalition with its weight."""
    A = net.features(x)
    K = A.shape[1]
    kept = torch.tensor([[i >> k & 1 for k in range(K)] for i in range(2**K)]).to(A)
    F = net.head(kept[..., None, None] * A, context_of(A))[:, target]
    value = torch.zeros(K, dtype=A.dtype)
    for k in range(K):
        others = [j for j in range(K) if j != k]
        for size in range(1, K + 1):
            weight = factorial(K - size) * factorial(size - 1) / factorial(K)
            for rest in combinations(others, size - 1):
                without = sum(1 << j for j in rest)
                value[k] += weight * (F[without | 1 << k] - F[without])
    return value


@pytest.mark.parametrize("name", [*HEADS, *NETWORKS])
def test_as_algorithm_1(name):
    net, x = made(name), images()
    want = algorithm_1(net, x, TARGET, n=2)
    assert torch.allclose(alpha(net, x, TARGET, n=2), want, atol=1e-10)


@pytest.mark.parametrize("name", [*HEADS, *NETWORKS])
@pytest.mark.parametrize("n", [1, 3])
def test_local_accuracy_for_every_number_of_orderings(name, n):
    net, x = made(name), images()
    A = net.features(x)
    y = net.head(A) - net.head(torch.zeros_like(A), context_of(A))
    want = y.gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(alpha(net, x, TARGET, n=n).sum(1), want, atol=1e-10)


@pytest.mark.parametrize("head", ["one_by_one", "pool_then_relu"])
def test_it_converges_to_the_enumeration_of_ten_channels(head, monkeypatch):
    from .. import networks

    monkeypatch.setattr(networks, "CHANNELS", 10)
    net, x = wrap(seeded(Headed(head, 10))), images(1)
    exact = enumeration(net, x, 2)
    errors = [
        [(alpha(net, x, 2 + TARGET[:1], n=n, seed=s) - exact).square().sum() for s in range(20)]
        for n in (10, 1000)
    ]
    few, many = (torch.tensor(e).mean().sqrt() for e in errors)
    assert many / few == pytest.approx(0.1, rel=0.5)  # the error falls with the root of n
    assert many < 0.05 * exact.norm()


@pytest.mark.parametrize("network", [affine, signed])
def test_behind_an_affine_head_one_ordering_is_exact(network):
    net, x = network(), images()
    one = alpha(net, x, TARGET, n=1)
    y = net(x).gather(1, TARGET[:, None])
    assert torch.allclose(one, enumeration_of_batch(net, x), atol=1e-10)
    assert torch.allclose(one, lift_cam.coefficients(net, x, TARGET)[0], atol=1e-12)
    assert torch.allclose(one, y * ablation_cam.coefficients(net, x, TARGET)[0], atol=1e-12)


def enumeration_of_batch(net, x):
    return torch.stack([enumeration(net, x[i : i + 1], i) for i in range(len(x))])


# --------------------------------------------------------------------------------- orderings


def test_fewer_orderings_are_the_first_of_more():
    x = images(1)[0]
    assert torch.equal(orderings(x, 20, 7, 0)[:5], orderings(x, 5, 7, 0))


def test_orderings_follow_the_image_and_the_seed():
    x = images(2)
    first = orderings(x[0], 5, 7, 0)
    assert torch.equal(first, orderings(x[0].float(), 5, 7, 0))
    assert not torch.equal(first, orderings(x[1], 5, 7, 0))
    assert not torch.equal(first, orderings(x[0], 5, 7, 1))


def test_every_channel_is_as_often_early_as_late():
    place = orderings(images(1)[0], 4000, 5, 0).argsort(1).argsort(1).double()
    assert torch.allclose(place.mean(0), torch.full((5,), 2.0).double(), atol=0.1)


def test_runs_of_a_hundred_are_a_run_of_two_hundred_in_the_mean():
    """Different seeds are independent estimates of the same values."""
    net, x = headed("hidden"), images(1)
    runs = torch.stack([alpha(net, x, TARGET[:1], n=100, seed=s)[0] for s in range(10)])
    spread = runs.std(0) / 10**0.5
    many = alpha(net, x, TARGET[:1], n=3000, seed=99)[0]
    assert ((runs.mean(0) - many).abs() < 5 * spread + 1e-12).all()


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize("name", ["deep", "residual"])
def test_chunks_change_nothing(name, chunk):
    net, x = made(name), images(2)
    want = alpha(net, x, TARGET[:2], n=5)
    assert torch.allclose(alpha(net, x, TARGET[:2], n=5, chunk=chunk), want, atol=1e-12)


def test_at_least_one_ordering():
    with pytest.raises(ValueError, match="n is at least 1, got 0"):
        shap_cam(affine(), images(), TARGET, n=0)
