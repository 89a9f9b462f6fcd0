"""Small vision transformers, and how a classifier cuts them."""

import pytest
import torch
from torch.nn import functional as F

from lib import nets
from testbeds.architectures import vit

both = pytest.mark.parametrize("name", ["mnist_vit", "mnist_deit"])


@both
def test_it_is_cut_at_the_first_norm_of_its_last_block(name):
    net, x = nets.load(name, weights="random"), torch.rand(2, 3, 28, 28)
    assert net.layer == "blocks.2.norm1" and net.needs_context and not net.affine_head
    A = net.features(x)
    assert A.shape == (2, 64, 7, 7) and A.min() < 0 < A.max()
    assert torch.allclose(net.head(A), net(x), atol=1e-5)
    assert net.num_classes == 10 and net.input_size == 28


@both
def test_random_weights_tell_images_apart(name):
    net, x = nets.load(name, weights="random"), torch.rand(4, 3, 28, 28)
    p = net(x).softmax(1)
    assert (p - p.mean(0)).abs().max() > 1e-3
    assert p.max() < 0.99


def test_both_heads_of_the_distilled_one_learn():
    model = vit.deit(10).train()
    y = model(torch.rand(3, 3, 28, 28))
    assert y.shape == (3, 10), "the mean of both heads, in training too"
    F.cross_entropy(y, torch.tensor([0, 1, 2])).backward()
    assert model.head.weight.grad.abs().max() > 0 and model.head_dist.weight.grad.abs().max() > 0
    assert model.num_prefix_tokens == 2


def test_weights_begin_at_the_scale_of_their_width():
    weight = vit.vit(10).blocks[0].mlp.fc1.weight
    assert weight.std().item() == pytest.approx((2 / sum(weight.shape)) ** 0.5, rel=0.05)


def test_other_numbers():
    assert vit.vit(3, size=32, depth=1, reg_tokens=2)(torch.rand(1, 3, 32, 32)).shape == (1, 3)


@both
def test_its_recipe_is_of_real_digits(name):
    recipe = nets.recipe(name)
    assert recipe.dataset == "mnist" and recipe.floor == 0.9 and not recipe.flip
