"""CALM's head, the trunk under it, and its two losses."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lib import nets
from lib.nets.calm import CALM, calm
from lib.nets.trunk import Trunk

from ..networks import (
    CLASSES,
    SIZE,
    Untraceable,
    affine,
    images,
    normalised,
    seeded,
    transformer,
    untraceable,
)

NETWORKS = pytest.mark.parametrize("network", [affine, untraceable, transformer])
Y = torch.tensor([0, 1, 2, 3])


def model(seed: int = 0, **options) -> CALM:
    """On a small trunk, with weights that make a decision."""
    torch.manual_seed(seed)
    found = calm(affine(), **options)
    with torch.no_grad():
        found.g.weight.mul_(10)
        found.h.weight.mul_(5)
    return found


def activation(found: CALM) -> torch.Tensor:
    return found.features(normalised(affine(), images()))


# --------------------------------------------------------------------------------------- the trunk


@NETWORKS
def test_a_trunk_is_the_networks_features(network):
    net, x = network(), images()
    trunk = Trunk(net)
    torch.testing.assert_close(trunk(normalised(net, x)), net.cut(x)[0].as_subclass(torch.Tensor))
    assert trunk.channels == net.cut(x)[0].shape[1]


@NETWORKS
def test_a_trunk_learns_and_leaves_the_network_as_it_is(network):
    net = network()
    before, trunk = copy.deepcopy(net.model.state_dict()), Trunk(net).train()
    optimizer = torch.optim.SGD(trunk.parameters(), 0.1)
    out = trunk(normalised(net, images()))
    out.square().mean().backward()
    optimizer.step()
    assert not torch.equal(trunk(normalised(net, images())), out)
    assert not any(m._forward_hooks for m in trunk.modules())
    assert all(torch.equal(before[name], t) for name, t in net.model.state_dict().items())
    assert not any(p.requires_grad for p in net.parameters())


class Twice(Untraceable):
    """Its activation runs twice."""

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        if len(A) >= self.LARGE:
            raise RuntimeError("too large")
        return self.classifier(self.pool(self.act(A - 0.5)).flatten(1))


@pytest.mark.parametrize("layer", ["act#0", "act#1", "act"])
def test_a_trunk_stops_at_the_call_that_is_named(layer):
    net = nets.wrap(seeded(Twice()), layer, input_size=SIZE)
    torch.testing.assert_close(Trunk(net)(images()), net.cut(images())[0])


def test_normalisation_by_the_batch_is_of_training():
    trunk, x = Trunk(affine()), normalised(affine(), images())
    assert not torch.allclose(trunk.train()(x), trunk.eval()(x))


def test_a_trunk_is_traced_where_that_works():
    kinds = [type(Trunk(network()).model).__name__ for network in (affine, untraceable)]
    assert kinds == ["GraphModule", "_Stopped"]


# ---------------------------------------------------------------------------------- probabilities


def brute(found: CALM, A: torch.Tensor) -> torch.Tensor:
    """p(y, z|x), position by position."""
    B, _, h, w = A.shape
    joint = A.new_zeros(B, CLASSES, h, w)
    for b in range(B):
        a = {}
        for i in range(h):
            for j in range(w):
                f = found.g.weight[:, :, 0, 0] @ A[b, :, i, j] + found.g.bias
                joint[b, :, i, j] = f.exp() / f.exp().sum()
                a[i, j] = max(0.0, float(found.h.weight[0, :, 0, 0] @ A[b, :, i, j] + found.h.bias))
        total = sum(a.values())
        for (i, j), value in a.items():
            joint[b, :, i, j] *= value / total if total else 1 / (h * w)
    return joint


def test_the_joint_is_the_definition_and_sums_to_one():
    found = model().eval().requires_grad_(False)
    A = activation(found)
    joint = found.joint(A)
    torch.testing.assert_close(joint, brute(found, A))
    torch.testing.assert_close(joint.sum((1, 2, 3)), torch.ones(4).double())
    torch.testing.assert_close(found.log_likelihood(A).exp(), joint.sum((2, 3)))


def test_the_output_is_a_distribution_whose_softmax_is_itself():
    found = model().eval()
    log_p = found(normalised(affine(), images()))
    torch.testing.assert_close(log_p.softmax(1), log_p.exp())


def test_where_h_is_zero_everywhere_it_is_uniform():
    found = model().eval()
    with torch.no_grad():
        found.h.bias.fill_(-1e3)
    A = activation(found).detach().requires_grad_()
    torch.testing.assert_close(found.prior(A), torch.full((4, 1, 8, 8), 1 / 64).double())
    p = found.log_likelihood(A)
    torch.testing.assert_close(p.exp(), found.g(A).softmax(1).mean((2, 3)))
    loss = p.sum() + found.bound(A, Y).sum()
    loss.backward()
    assert A.grad.isfinite().all() and found.h.weight.grad.abs().max() == 0


def test_a_class_that_is_hopeless_still_has_a_logarithm_and_a_gradient():
    """Its probability is too small for single precision."""
    found = model().eval().float()
    with torch.no_grad():
        found.g.bias[0] = -200.0
    A = activation(found.double()).float().detach()
    found = found.float()
    log_p = found.log_likelihood(A)
    assert log_p.isfinite().all() and (log_p[:, 0] < -110).all()
    F.nll_loss(log_p, torch.zeros(4, dtype=torch.long)).backward()
    assert found.g.bias.grad[0] < -0.9


# ---------------------------------------------------------------------------------------- losses


def gradients(found: CALM, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    found.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in found.named_parameters() if p.grad is not None}


def both(found: CALM):
    A = activation(found.train()).detach()
    return found.bound(A, Y).mean(), F.nll_loss(found.log_likelihood(A), Y)


@pytest.mark.parametrize("detach_norm", [False, True])
def test_em_and_ml_have_one_gradient(detach_norm):
    found = model(detach_norm=detach_norm)
    em, ml = (gradients(found, loss) for loss in both(found))
    for name in em:
        torch.testing.assert_close(em[name], ml[name], rtol=1e-6, atol=1e-7)
    assert {"g.weight", "h.weight"} <= em.keys()


def test_a_detached_normaliser_changes_the_gradient_of_h_alone():
    live, detached = model(detach_norm=False), model(detach_norm=True)
    one, two = (gradients(found, both(found)[1]) for found in (live, detached))
    assert torch.equal(both(live)[1], both(detached)[1])
    torch.testing.assert_close(one["g.weight"], two["g.weight"])
    assert not torch.allclose(one["h.weight"], two["h.weight"], rtol=0.1)


def test_a_cross_entropy_would_attach_it_again():
    """It divides by the sum of all p(y|x), which is one, but not for the gradient."""
    live, detached = model(detach_norm=False), model(detach_norm=True)
    one = gradients(live, both(live)[1])
    two = gradients(
        detached, F.cross_entropy(detached.log_likelihood(activation(detached.train()).detach()), Y)
    )
    torch.testing.assert_close(one["h.weight"], two["h.weight"])


def test_in_eval_mode_the_gradient_is_that_of_the_likelihood():
    found = model(detach_norm=True).eval()
    live = model(detach_norm=False).eval()
    x = normalised(affine(), images()).requires_grad_()
    one, two = (torch.autograd.grad(f(x)[0, 1], x)[0] for f in (found, live))
    torch.testing.assert_close(one, two)


def test_the_bound_is_above_the_loss_by_the_entropy_of_the_posterior():
    found = model().eval()
    A = activation(found).detach()
    joint = found.joint(A)[torch.arange(4), Y]
    posterior = joint / joint.sum((1, 2), keepdim=True)
    entropy = -torch.xlogy(posterior, posterior).sum((1, 2))
    loss = -found.log_likelihood(A)[torch.arange(4), Y]
    torch.testing.assert_close(found.bound(A, Y) - loss, entropy, rtol=1e-4, atol=1e-5)
    assert (entropy > 0.1).all()


# ------------------------------------------------------------------------------- as a classifier


@NETWORKS
def test_it_is_cut_where_its_latent_position_lies(network):
    net = network()
    found = nets.wrap(
        calm(net, 3),
        input_size=SIZE,
        mean=net.mean.flatten().tolist(),
        std=net.std.flatten().tolist(),
    )
    A = found.features(images())
    assert found.layer == "activation" and found.num_classes == 3 and not found.affine_head
    torch.testing.assert_close(
        A.as_subclass(torch.Tensor), net.cut(images())[0].as_subclass(torch.Tensor)
    )
    torch.testing.assert_close(
        found.head(A), found.model.log_likelihood(A.as_subclass(torch.Tensor))
    )
    twin = copy.deepcopy(found)
    assert twin.fingerprint == found.fingerprint


def test_another_layer_may_be_asked_for():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())
    assert nets.wrap(CALM(module, 6, 3), "features.1", input_size=SIZE).layer == "features.1"
