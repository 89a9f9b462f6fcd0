"""Strides become one, and nothing but the grid changes."""

import pytest
import torch
import torchvision
from torch import nn

from lib.errors import UnknownName
from lib.nets.strides import STRIDED, without_strides
from lib.nets.weights import build

SIZE = 64


def resnet() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18().double().eval()


def grid(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What its last block gives."""
    with torch.no_grad():
        return nn.Sequential(*list(model.children())[:-2])(x)


def images(size: int = SIZE) -> torch.Tensor:
    return torch.rand(2, 3, size, size, dtype=torch.float64)


def test_nothing_changes_but_strides_and_the_grid():
    model = resnet()
    finer = without_strides(model, ["layer3", "layer4"], size=SIZE)
    old, new = model.state_dict(), finer.state_dict()
    assert old.keys() == new.keys() and all(torch.equal(old[key], new[key]) for key in old)
    changed = {
        name
        for (name, one), (_, two) in zip(model.named_modules(), finer.named_modules())
        if isinstance(one, STRIDED) and repr(one) != repr(two)
    }
    assert changed == {f"layer{i}.0.{part}" for i in (3, 4) for part in ("conv1", "downsample.0")}
    assert all(finer.get_submodule(name).stride == (1, 1) for name in changed)
    x = images()
    assert grid(model, x).shape == (2, 512, 2, 2) and grid(finer, x).shape == (2, 512, 8, 8)


def test_a_layer_gives_every_second_of_what_it_now_gives():
    model, A = resnet(), torch.rand(2, 256, 5, 6, dtype=torch.float64)
    finer = without_strides(model, ["layer4"], size=SIZE)
    with torch.no_grad():
        old, new = (m.layer4[0].conv1(A) for m in (model, finer))
    torch.testing.assert_close(new[..., ::2, ::2], old, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layers, step", [(["layer4"], 2), (["layer3", "layer4"], 4)])
def test_with_dilation_the_old_output_is_among_the_new(layers, step):
    model, x = resnet(), images()
    finer = without_strides(model, layers, dilation=True, size=SIZE)
    new, old = grid(finer, x), grid(model, x)
    torch.testing.assert_close(new[..., ::step, ::step], old, rtol=0, atol=1e-10)
    plain = grid(without_strides(model, layers, size=SIZE), x)
    assert plain.shape == new.shape and not torch.allclose(plain[..., ::step, ::step], old)


def test_it_holds_for_padding_that_is_not_symmetric_and_for_one_convolution():
    model = build("tf_efficientnet_lite0").double().eval()
    for module in model.modules():  # so that ReLU6 does not cut everything
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.fill_(0.5)
    x = images()
    finer = without_strides(model, ["blocks.5.0.conv_dw"], dilation=True, size=SIZE)
    with torch.no_grad():
        old, new = model.forward_features(x), finer.forward_features(x)
    torch.testing.assert_close(new[..., 1::2, 1::2], old, rtol=0, atol=1e-10)


def test_the_network_that_was_given_stays_as_it_is():
    model = resnet().train()
    before = repr(model), {name: p.clone() for name, p in model.state_dict().items()}
    without_strides(model, ["layer4"], dilation=True, size=SIZE)
    assert repr(model) == before[0] and model.training
    assert all(torch.equal(before[1][name], p) for name, p in model.state_dict().items())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_pooling_has_strides_too():
    model = torchvision.models.vgg11().double().eval()
    finer, x = without_strides(model, ["features.20"], size=SIZE), images()
    assert model.features(x).shape[2:] == (2, 2) and finer.features(x).shape[2:] == (3, 3)


def test_bad_layers():
    with pytest.raises(UnknownName, match="layer 'layer5'; valid: conv1, .*layer4.0.conv1"):
        without_strides(resnet(), ["layer5"], size=SIZE)
    with pytest.raises(
        ValueError, match="nothing in layer1 has a stride: those that have are conv1"
    ):
        without_strides(resnet(), ["layer1"], size=SIZE)
    inception = torchvision.models.inception_v3(init_weights=False)
    with pytest.raises(ValueError, match="does not run without the strides of Mixed_7a.*no module"):
        without_strides(inception, ["Mixed_7a"], size=96)
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.AvgPool2d(3, 1, 1))
    assert without_strides(pooled, ["0"], size=8)[0].stride == (1, 1)
    with pytest.raises(ValueError, match="1 is an average pooling, which has no dilation"):
        without_strides(pooled, ["0"], dilation=True, size=8)
