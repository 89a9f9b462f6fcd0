"""Rollout: the product of the attention of all blocks, each with its skip connection."""

import pytest
import torch

from lib.methods.rollout import rollout

from ..networks import TRANSFORMERS, distilled, images, tokens, transformer, wrap_tokens
from ..textbook import Textbook
from .test_raw_attention import PREFIX, TARGET


def textbook(net, image):
    """The whole matrix from the first block to the last, with each row normalised."""
    product = None
    for heads in Textbook(net, image).attention:
        M = sum(heads) / len(heads) + torch.eye(len(heads[0]), dtype=heads[0].dtype)
        for row in M:
            row /= row.sum()
        product = M if product is None else M @ product
    return product


@pytest.mark.parametrize("network", TRANSFORMERS.networks)
def test_textbook(network):
    net, x = TRANSFORMERS.networks[network](), images()
    S = rollout(net, x, TARGET)
    for i in range(4):
        want = textbook(net, x[i])[0, PREFIX[network] :]
        assert torch.allclose(S[i].flatten(), want, atol=1e-12)


def test_closed_form_of_uniform_attention():
    r"""$((J/N + I)/2)^L$ has $(1 - 2^{-L})/N$ off its diagonal."""
    model = tokens(depth=5)
    for block in model.blocks:
        block.attn.qkv.weight.data[:12] = 0
        block.attn.qkv.bias.data[:12] = 0
    S = rollout(wrap_tokens(model), images(), TARGET)
    assert torch.allclose(S, torch.full_like(S, (1 - 2**-5) / 65), atol=1e-12)


def test_the_row_of_the_distillation_token():
    net, x = distilled(), images(1)
    want = textbook(net, x[0])[1, 2:]
    got = rollout(net, x, TARGET[:1], row="distillation")[0].flatten()
    assert torch.allclose(got, want, atol=1e-12)


def test_it_knows_no_class():
    net, x = transformer(), images()
    assert torch.equal(rollout(net, x, TARGET), rollout(net, x, TARGET + 1))
