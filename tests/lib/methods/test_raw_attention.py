"""Raw attention: the class token's row of the last block."""

import pytest
import torch

from lib.methods.raw_attention import raw_attention

from ..networks import TRANSFORMERS, distilled, images, registers, tokens, transformer, wrap_tokens
from ..textbook import Textbook

TARGET = torch.tensor([0, 1, 2, 3])
PREFIX = {"transformer": 1, "distilled": 2, "registers": 4, "untraceable_transformer": 1}


@pytest.mark.parametrize("network", TRANSFORMERS.networks)
def test_textbook(network):
    """q and k recomputed, one image and one head at a time."""
    net, x = TRANSFORMERS.networks[network](), images()
    S = raw_attention(net, x, TARGET)
    for i in range(4):
        heads = Textbook(net, x[i]).attention[-1]
        want = sum(A[0, PREFIX[network] :] for A in heads) / len(heads)
        assert torch.allclose(S[i].flatten(), want, atol=1e-12)


def test_tokens_that_all_look_alike_are_attended_to_alike():
    model = tokens()
    model.blocks[-1].attn.qkv.weight.data[:12] = 0  # q equals its bias
    model.blocks[-1].attn.qkv.bias.data[:12] = 0
    S = raw_attention(wrap_tokens(model), images(), TARGET)
    assert torch.allclose(S, torch.full_like(S, 1 / 65), atol=1e-12)


def test_it_knows_no_class():
    net, x = transformer(), images()
    assert torch.equal(raw_attention(net, x, TARGET), raw_attention(net, x, TARGET + 1))


def test_rows_of_the_distillation_token():
    net, x = distilled(), images()
    of_class, of_distillation, of_both = (
        raw_attention(net, x, TARGET, row=row) for row in ("class", "distillation", "both")
    )
    for i in range(4):
        want = sum(A[1, 2:] for A in Textbook(net, x[i]).attention[-1]) / 3
        assert torch.allclose(of_distillation[i].flatten(), want, atol=1e-12)
    assert torch.allclose(of_both, (of_class + of_distillation) / 2, atol=1e-12)


def test_a_register_is_no_distillation_token():
    with pytest.raises(ValueError, match="no distillation token: take row='class', not 'both'"):
        raw_attention(registers(), images(), TARGET, row="both")
    with pytest.raises(ValueError, match="unknown row 'cls'.*valid: class, distillation, both"):
        raw_attention(registers(), images(), TARGET, row="cls")
