"""Relevance through a transformer: each rule, and that the total is conserved."""

import pytest
import torch
from timm.models.deit import VisionTransformerDistilled
from torch import nn

from lib.methods.relevance import Relevance, balanced
from lib.methods.tibav import tibav

from .. import textbook
from ..networks import CLASSES, images, tokens, wrap_tokens


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


def relevance(function, R, *inputs):
    """The relevance of the inputs, given the relevance R of the output."""
    with Relevance():
        z = function(*inputs)
    return torch.autograd.grad(z, inputs, R)


def test_a_linear_layer_shares_out_what_is_positive():
    x, R = noise(2, 3, 9), noise(2, 3, 5, seed=1)
    layer = nn.Linear(9, 5).double().requires_grad_(False)
    layer.weight.copy_(noise(5, 9, seed=2))
    (got,) = relevance(layer, R, x)
    for i in range(2):
        assert torch.allclose(got[i], textbook.linear(x[i], layer.weight, R[i]), atol=1e-12)
    assert torch.allclose(got.sum(), R.sum())


def test_a_skip_connection():
    u, v, R = noise(2, 3, 4), noise(2, 3, 4, seed=1), noise(2, 3, 4, seed=2)
    got = relevance(lambda u, v: u + v, R, u, v)
    for i in range(2):
        for a, b in zip(got, textbook.shared(u[i], v[i], R[i])):
            assert torch.allclose(a[i], b, atol=1e-12)
    total = sum(r.sum((1, 2)) for r in got)
    assert torch.allclose(total, R.sum((1, 2)))


def test_a_product_of_activations():
    u, v, R = noise(2, 3, 4, 5), noise(2, 3, 5, 6, seed=1), noise(2, 3, 4, 6, seed=2)
    got = relevance(torch.matmul, R, u, v)
    for i in range(2):
        want = textbook.products(list(zip(u[i], v[i])), list(R[i]))
        for a, b in zip(got, want):
            assert torch.allclose(a[i], torch.stack(b), atol=1e-10)
    for r in got:  # each factor claims all of it, so each gets half
        assert torch.allclose(r.sum((1, 2, 3)), R.sum((1, 2, 3)) / 2)


def test_neither_side_takes_more_than_there_is():
    """Lemma 2, where one side has much more than the total, and the other side is negative."""
    Ru, Rv = torch.tensor([[7.0, 4.0]]), torch.tensor([[-6.0, -3.0]])
    u, v = balanced(Ru, Rv, torch.tensor([[1.5, 0.5]]))
    assert u.sum() + v.sum() == pytest.approx(2)
    assert 0 <= u.sum() <= 2 and 0 <= v.sum() <= 2
    assert u.sum() / v.sum() == pytest.approx(11 / 9)


@pytest.mark.parametrize(
    "function",
    [
        nn.GELU(), nn.ReLU(), nn.LayerNorm(4).double(), nn.Softmax(-1), nn.Dropout().eval(),
        lambda t: 3 * t, lambda t: t / 7, lambda t: 5 + t, lambda t: torch.ones(4).double() * t,
        lambda t: torch.add(t, 5, alpha=2),
    ],
)  # fmt: skip
def test_what_acts_on_one_activation_passes_it_on(function):
    t, R = noise(2, 3, 4), noise(2, 3, 4, seed=1)
    assert torch.equal(relevance(function, R, t)[0], R)


def test_a_gate_is_a_product():
    u, v, R = noise(2, 3), noise(2, 3, seed=1), noise(2, 3, seed=2)
    for r in relevance(torch.mul, R, u, v):
        assert torch.allclose(r, R / 2)


def test_what_contributes_nothing_gets_nothing():
    u, v = torch.zeros(2, 1, 3, 4).double().requires_grad_(), noise(2, 1, 4, 2)
    Ru, Rv = relevance(torch.matmul, noise(2, 1, 3, 2, seed=1), u, v)
    assert not Ru.any() and not Rv.any()


def test_an_output_that_nothing_speaks_for_hands_nothing_on():
    layer = nn.Linear(3, 2, bias=False).double().requires_grad_(False)
    layer.weight.copy_(torch.tensor([[-1.0, -2, -3], [1, -2, 0]]))
    x = torch.tensor([[1.0, 1, 1]]).double().requires_grad_()
    (R,) = relevance(layer, torch.tensor([[5.0, 7]]).double(), x)
    assert R.tolist() == [[7, 0, 0]]


@pytest.mark.parametrize(
    "model",
    [
        tokens(embed_dim=48),
        tokens(VisionTransformerDistilled, embed_dim=48),
        tokens(embed_dim=48, reg_tokens=3, depth=4),
    ],
    ids=["vit", "deit", "registers"],
)
def test_all_of_the_relevance_reaches_the_tokens(model):
    """The relevance starts as 1 at the logit and passes through every block."""
    x = images()
    x = model._pos_embed(model.patch_embed(x)).requires_grad_()
    with Relevance():
        y = model.forward_head(model.norm(model.blocks(x)))
    for c in range(CLASSES):
        (R,) = torch.autograd.grad(y[:, c].sum(), x, retain_graph=True)
        assert torch.allclose(R.sum((1, 2)), torch.ones(4).double(), atol=1e-8)


def test_the_values_are_those_of_the_network():
    net, x = wrap_tokens(tokens()), images()
    with Relevance():
        y = net.model((x - net.mean) / net.std)
    assert torch.allclose(y, net(x), atol=1e-10)


def test_a_step_without_a_rule_is_named():
    net = wrap_tokens(tokens(act_layer=nn.ELU))
    with pytest.raises(ValueError, match="no rule for 'elu'.*take relevance='attention'"):
        tibav(net, images(), 0 * torch.arange(4))
    assert tibav(net, images(), 0 * torch.arange(4), relevance="attention").isfinite().all()


@pytest.mark.parametrize("options", [{"init_values": 0.5}, {"qk_norm": True}], ids=str)
def test_other_blocks_of_timm(options):
    S = tibav(wrap_tokens(tokens(**options)), images(), torch.arange(4))
    assert S.shape == (4, 8, 8) and S.isfinite().all() and (S > 0).any()
