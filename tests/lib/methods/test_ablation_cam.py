"""Ablation-CAM: the relative drop of the score when a channel is zeroed."""

import pytest
import torch
from pytorch_grad_cam import AblationCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from lib.methods.ablation_cam import ablation_cam
from lib.methods.coalition_game import coalition_game
from lib.selectors import SELECTORS, select

from ..networks import (
    HEADS,
    NETWORKS,
    NonLinear,
    affine,
    headed,
    images,
    non_linear,
    normalised,
    seeded,
    signed,
    untraceable,
    wrap,
)  # fmt: skip

TARGET = torch.tensor([0, 1, 2, 3])


def one_channel_at_a_time(net, x, target, selector="logit"):
    """Each channel zeroed by a hook on the whole network, image by image."""
    score, rows = select(selector), []
    for image, c in zip(normalised(net, x).split(1), target.split(1)):
        kept = []
        hook = net.model.act.register_forward_hook(lambda module, args, out: kept.append(out))
        y = score(net.model(image), c)
        hook.remove()
        A = kept[0][0]
        S = torch.zeros_like(A[0])
        for k in range(len(A)):

            def zero(module, args, out, k=k):
                out = out.clone()
                out[:, k] = 0
                return out

            hook = net.model.act.register_forward_hook(zero)
            S += (y - score(net.model(image), c)) / y * A[k]
            hook.remove()
        rows.append(S)
    return torch.stack(rows)


@pytest.mark.parametrize("selector", SELECTORS)
@pytest.mark.parametrize("network", NETWORKS)
def test_as_one_channel_at_a_time(network, selector):
    """The closed form for affine heads and the batched head are compared with the whole network."""
    net, x = NETWORKS[network](), images()
    want = one_channel_at_a_time(net, x, TARGET, selector)
    assert torch.allclose(ablation_cam(net, x, TARGET, selector=selector), want, atol=1e-10)


@pytest.mark.parametrize("selector", ["logit", "margin"])
@pytest.mark.parametrize("head", HEADS)
def test_as_one_channel_at_a_time_through_any_head(head, selector):
    net, x = headed(head), images()
    want = one_channel_at_a_time(net, x, TARGET, selector)
    assert torch.allclose(ablation_cam(net, x, TARGET, selector=selector), want, atol=1e-10)


@pytest.mark.parametrize("network", [affine, signed])
def test_the_closed_form_is_the_batched_head(network):
    net, x = network(), images()
    A, y = net.features(x), net(x).gather(1, TARGET[:, None])
    games = [coalition_game(net, A[i : i + 1], None, TARGET[i : i + 1]) for i in range(4)]
    drop = torch.stack([game.drops() for game in games])
    want = torch.einsum("bk,bkhw->bhw", drop / y, A)
    assert torch.allclose(ablation_cam(net, x, TARGET), want, atol=1e-12)


def test_closed_form_behind_average_pooling():
    """The drop is w_k GAP(A_k)."""
    net, x = affine(), images()
    A, y = net.features(x), net(x).gather(1, TARGET[:, None])
    weights = net.model.classifier.weight[TARGET] * A.mean((2, 3)) / y
    want = torch.einsum("bk,bkhw->bhw", weights, A)
    assert torch.allclose(ablation_cam(net, x, TARGET), want, atol=1e-12)


@pytest.mark.parametrize("network", [affine, non_linear])
def test_a_negative_logit_turns_the_map_round(network):
    """The drops are the same, but divided by -y instead of y."""
    net, x = network(), images(1)
    target = net(x).argmax(1)
    before, y = ablation_cam(net, x, target), net(x)[0, target]
    assert y > 0
    model = net.model
    with torch.no_grad():
        model.classifier.bias[target] -= 2 * y
    other = wrap(model)
    assert torch.allclose(other(x)[0, target], -y)
    assert torch.allclose(ablation_cam(other, x, target), -before, atol=1e-10)


@pytest.mark.parametrize("chunk", [1, 4, 7, 1000])
@pytest.mark.parametrize("network", [non_linear, untraceable])
def test_chunks_change_nothing(network, chunk):
    net, x = network(), images(3)
    want = ablation_cam(net, x, TARGET[:3])
    assert torch.allclose(ablation_cam(net, x, TARGET[:3], chunk=chunk), want, atol=1e-12)


def test_a_zero_channel_drops_nothing():
    model = seeded(NonLinear())
    with torch.no_grad():
        model.norm.weight[1] = 0
        model.norm.bias[1] = -1
    net, x = wrap(model), images()
    assert (net.features(x)[:, 1] == 0).all()
    drop, _ = ablation_cam.coefficients(net, x, TARGET)
    assert (drop[:, 1] == 0).all() and (drop[:, [0, 2, 3, 4, 5]] != 0).all()
    assert torch.allclose(
        ablation_cam(net, x, TARGET), one_channel_at_a_time(net, x, TARGET), atol=1e-10
    )


def test_as_pytorch_grad_cam():
    model, x = seeded(NonLinear()), images()
    net = wrap(model)
    inputs, targets = normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()]
    with AblationCAM(model, [model.act]) as peer:
        A = peer.activations_and_grads
        A(inputs)
        weights = peer.get_cam_weights(inputs, model.act, targets, A.activations[0], None)
    want = torch.einsum("bk,bkhw->bhw", torch.as_tensor(weights, dtype=x.dtype), net.features(x))
    assert torch.allclose(ablation_cam(net, x, TARGET), want, rtol=1e-4, atol=1e-4)
