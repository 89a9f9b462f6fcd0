"""Attention, read while the network runs: which networks have it, and that they stay unchanged."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional as F

from lib import nets
from lib.methods.attention import Attention, Transformer
from lib.methods.raw_attention import raw_attention
from lib.methods.rollout import rollout
from lib.methods.tibav import tibav

from ..networks import (
    MEAN,
    SIZE,
    STD,
    UntraceableTransformer,
    affine,
    images,
    tokens,
    transformer,
    untraceable_transformer,
    wrap_tokens,
)  # fmt: skip

METHODS = (raw_attention, rollout, tibav)
TARGET = torch.tensor([0, 1, 2, 3])

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)


def fused(net):
    return [module.fused_attn for module in net.modules() if hasattr(module, "fused_attn")]


@every_method
def test_fused_attention_stays_as_it_was(method):
    net, x = transformer(), images()
    before = fused(net)
    want = method(net, x, TARGET)
    assert fused(net) == before and any(before)
    for block in net.model.blocks:
        block.attn.fused_attn = False
    assert torch.allclose(method(net, x, TARGET), want, atol=1e-10)
    assert not any(fused(net)[: len(net.model.blocks)])


@every_method
def test_an_exception_leaves_nothing_behind(method):
    net, before = untraceable_transformer(), torch.nn.functional.scaled_dot_product_attention
    with pytest.raises(RuntimeError, match="too large"):
        method(net, images(UntraceableTransformer.LARGE), torch.zeros(200, dtype=torch.long))
    assert F.scaled_dot_product_attention is before and all(fused(net))
    assert torch.overrides._get_current_function_mode_stack() == []


def test_attention_in_steps_is_fused_attention():
    q, k, v = torch.randn(3, 2, 3, 5, 4, generator=torch.Generator().manual_seed(0)).double()
    mask = torch.rand(5, 5, generator=torch.Generator().manual_seed(1)) < 0.7
    for options in ({}, {"attn_mask": mask}, {"attn_mask": mask.double()}, {"scale": 0.3}):
        with Attention() as mode:
            got = F.scaled_dot_product_attention(q, k, v, **options)
        assert torch.allclose(got, F.scaled_dot_product_attention(q, k, v, **options))
        assert torch.allclose(mode.found[0] @ v, got) and len(mode.found) == 1
    with pytest.raises(ValueError, match="causal"), Attention():
        F.scaled_dot_product_attention(q, k, v, is_causal=True)


@every_method
def test_a_map_keeps_the_aspect_of_the_image(method):
    assert method(transformer(), images(2, (16, 24)), TARGET[:2]).shape == (2, 8, 12)


@every_method
def test_a_transformer_inside_another_module(method):
    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = tokens()

        def forward(self, x):
            return self.inner(x)

    x = images()
    want = method(wrap_tokens(tokens()), x, TARGET)
    assert torch.allclose(method(wrap_tokens(Outer().double()), x, TARGET), want, atol=1e-10)


NEEDED = "attention maps need a class token .*vit_base_patch16_224.*mnist_deit"


@every_method
def test_networks_without_a_class_token_are_refused(method):
    with pytest.raises(ValueError, match=f"{NEEDED}; it has none"):
        method(affine(), images(), TARGET)
    without = wrap_tokens(tokens(class_token=False, global_pool="avg"))
    with pytest.raises(ValueError, match=f"{NEEDED}; it has none"):
        method(without, images(), TARGET)


@every_method
def test_a_class_token_that_is_not_read_is_refused(method):
    with pytest.raises(ValueError, match=f"{NEEDED}; its classifier reads global_pool='avg'"):
        method(wrap_tokens(tokens(global_pool="avg")), images(), TARGET)


def test_attention_that_cannot_be_followed_is_refused():
    class Without(VisionTransformer):
        """A transformer with a class token but a linear layer in place of attention."""

        def __init__(self, **options):
            super().__init__(**options)
            for block in self.blocks:
                block.attn = torch.nn.Linear(12, 12)

        def forward_features(self, x, **options):
            x = self._pos_embed(self.patch_embed(x))
            for block in self.blocks:
                x = x + block.attn(block.norm1(x)) + x.mean(1, keepdim=True)
            return self.norm(x)

    net = nets.wrap(tokens(Without), "norm", mean=MEAN, std=STD, input_size=SIZE)
    with pytest.raises(ValueError, match="do not all attend .* softmax over nothing"):
        Transformer(net).run(images(), Attention())
