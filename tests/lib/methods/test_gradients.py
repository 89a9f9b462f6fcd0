"""Gradients of a score by the target layer's activation."""

import pytest
import torch

from lib.methods.gradients import activation_and_gradient
from lib.selectors import select

from ..networks import NETWORKS, affine, images, normalised


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_are_autograds_through_the_bare_network(network):
    net, x, c = NETWORKS[network](), images(), torch.tensor([0, 1, 2, 3])
    A, g = activation_and_gradient(net, x, c)
    kept = []
    hook = net.model.act.register_forward_hook(
        lambda module, args, out: kept.append(out.requires_grad_())
    )
    y = net.model(normalised(net, x))
    hook.remove()
    (want,) = torch.autograd.grad(y.gather(1, c[:, None]).sum(), kept)
    assert torch.allclose(A, kept[0], atol=1e-12)
    assert torch.allclose(g, want, atol=1e-12)
    assert not A.requires_grad and not g.requires_grad


def test_gradients_flow_where_the_caller_has_switched_them_off():
    with torch.no_grad():
        _, g = activation_and_gradient(affine(), images(), torch.zeros(4, dtype=torch.long))
        assert not torch.is_grad_enabled()
    assert g.abs().sum() > 0


@pytest.mark.parametrize("selector", ["probability", "log_probability"])
def test_the_selector_is_differentiated(selector):
    """d log p = dp / p, and dp_c = p_c (dy_c - sum_s p_s dy_s)."""
    net, x = affine(), images(1)
    p = net(x).softmax(1)[0]
    of_logits = torch.stack(
        [activation_and_gradient(net, x, torch.tensor([s]))[1] for s in range(len(p))]
    )
    want = p[2] * (of_logits[2] - (p.view(-1, 1, 1, 1, 1) * of_logits).sum(0))
    if selector == "log_probability":
        want = want / p[2]
    _, g = activation_and_gradient(net, x, torch.tensor([2]), select(selector))
    assert torch.allclose(g, want, atol=1e-12)
