"""TIBAV: attention weighted by gradient and relevance."""

import pytest
import torch

from lib.methods.attention import Attention, Transformer
from lib.methods.relevance import Relevance
from lib.methods.tibav import tibav

from ..networks import TRANSFORMERS, distilled, images, tokens, transformer, wrap_tokens
from ..textbook import Textbook
from .test_raw_attention import PREFIX, TARGET


def textbook(net, image, c, relevance):
    """The whole matrix of eq. (14), one head at a time."""
    book = Textbook(net, image)
    R = book.relevances(c)[0] if relevance == "lrp" else [torch.stack(A) for A in book.attention]
    product = None
    for gradients, relevances in zip(book.gradients(c), R):
        M = torch.eye(len(relevances[0]), dtype=image.dtype)
        for g, r in zip(gradients, relevances):
            M = M + (g * r).clamp(min=0) / len(relevances)
        product = M if product is None else M @ product
    return product


@pytest.mark.parametrize("relevance", ["lrp", "attention"])
@pytest.mark.parametrize("network", TRANSFORMERS.networks)
def test_textbook(network, relevance):
    net, x = TRANSFORMERS.networks[network](), images(2).requires_grad_()
    S = tibav(net, x, TARGET[:2], relevance=relevance)
    for i in range(2):
        want = textbook(net, x[i], i, relevance)[0, PREFIX[network] :]
        assert torch.allclose(S[i].flatten(), want, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("network", ["transformer", "distilled"])
def test_the_relevance_of_attention(network):
    net, x = TRANSFORMERS.networks[network](), images(2).requires_grad_()
    y, A = Transformer(net).run(x, Relevance())
    R = torch.autograd.grad(y[0, 3] + y[1, 3], A)
    for i in range(2):
        for got, want in zip(R, Textbook(net, x[i]).relevances(3)[0]):
            assert torch.allclose(got[i], want, rtol=1e-6, atol=1e-10)


def test_it_knows_the_class():
    net, x = transformer(), images()
    assert not torch.allclose(tibav(net, x, TARGET), tibav(net, x, TARGET + 1))


def test_attention_without_influence_has_no_map():
    """If the values are zero, only the identity is left: the class token attends to itself."""
    model = tokens()
    for block in model.blocks:
        block.attn.qkv.weight.data[24:] = 0
        block.attn.qkv.bias.data[24:] = 0
    for relevance in ("lrp", "attention"):
        assert not tibav(wrap_tokens(model), images(), TARGET, relevance=relevance).any()


def test_the_row_of_the_distillation_token():
    net, x = distilled(), images(1).requires_grad_()
    want = textbook(net, x[0], 0, "lrp")[1, 2:]
    got = tibav(net, x, TARGET[:1], row="distillation")[0].flatten()
    assert torch.allclose(got, want, rtol=1e-6, atol=1e-10)


def test_an_unknown_relevance_lists_those_there_are():
    with pytest.raises(ValueError, match="unknown relevance 'LRP'.*valid: lrp, attention"):
        tibav(transformer(), images(), TARGET, relevance="LRP")


def test_the_gradient_is_that_of_the_network():
    """Attention in single steps, not fused, changes neither the logits nor their gradients."""
    net, x = transformer(), images().requires_grad_()
    y, _ = Transformer(net).run(x, Attention())
    assert torch.allclose(y, net(x), atol=1e-10)
    (stepped,) = torch.autograd.grad(y[:, 0].sum(), x)
    (fused,) = torch.autograd.grad(net(x)[:, 0].sum(), x)
    assert torch.allclose(stepped, fused, atol=1e-9)
