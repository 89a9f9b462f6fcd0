"""Folding batch normalisation into convolutions changes no number and no module of the network."""

import copy

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import fx, nn

from lib import nets
from lib.nets.fold import fold_batch_norms


def statistics(model: nn.Module) -> nn.Module:
    """In double precision and eval mode, with running statistics and gains unlike the initial ones."""
    generator = torch.Generator().manual_seed(0)
    model = model.double().eval().requires_grad_(False)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean.normal_(generator=generator)
        norm.running_var.uniform_(0.3, 3, generator=generator)
        if norm.affine:
            norm.weight.normal_(generator=generator)
            norm.bias.normal_(generator=generator)
    return model


def trace(model: nn.Module) -> fx.GraphModule:
    class Tracer(fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, BatchNormAct2d) or super().is_leaf_module(module, name)

    return fx.GraphModule(model, Tracer().trace(model))


def folded(model: nn.Module, keep: str | None = None) -> fx.GraphModule:
    root = trace(model)
    fold_batch_norms(root, next((n for n in root.graph.nodes if n.target == keep), None))
    return root


def norms(root: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in root.modules())


X = torch.rand(2, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Sequential(nn.Conv2d(3, 6, 3, bias=True), nn.BatchNorm2d(6)),
        nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6, affine=False)),
        nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, stride=2, groups=3), nn.BatchNorm2d(6, eps=1e-2)
        ),
        nn.Sequential(nn.Conv2d(3, 6, 3), BatchNormAct2d(6, act_layer=nn.SiLU)),
    ],
    ids=["no bias", "bias", "not affine", "grouped", "with activation"],
)
def test_folding_is_exact_and_leaves_no_normalisation(model):
    model = statistics(model)
    want = model(X)
    root = folded(model)
    assert norms(root) == 0
    torch.testing.assert_close(root(X), want, rtol=1e-10, atol=1e-10)


def test_the_network_keeps_its_modules_and_numbers():
    model = statistics(nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6)))
    before, modules = copy.deepcopy(model.state_dict()), list(model)
    folded(model)
    assert list(model) == modules and model[0].bias is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_target_convolution_keeps_its_output():
    model = statistics(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)))
    assert norms(folded(model, keep="0")) == 1
    assert norms(folded(model, keep="1")) == 0
    net = nets.wrap(nn.Sequential(*model, nn.AdaptiveAvgPool2d(1), nn.Flatten()), "0", input_size=9)
    torch.testing.assert_close(net.features(X), model[0](X), rtol=1e-10, atol=1e-10)


class Shared(nn.Module):
    """A convolution, or a normalisation, that runs twice; or a second reader of the convolution."""

    def __init__(self, what: str):
        super().__init__()
        self.what = what
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.other_conv, self.other_norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)

    def forward(self, x):
        if self.what == "convolution":
            return self.other_norm(self.conv(self.norm(self.conv(x))))
        if self.what == "normalisation":
            return self.norm(self.other_conv(self.norm(self.conv(x))))
        z = self.conv(x)
        return self.norm(z) + z


@pytest.mark.parametrize("what", ["convolution", "normalisation", "output"])
def test_what_is_shared_is_left_alone(what):
    model = statistics(Shared(what))
    want, root = model(X), folded(model)
    assert norms(root) == norms(trace(model)) > 0
    torch.testing.assert_close(root(X), want, rtol=1e-10, atol=1e-10)


def test_batch_statistics_cannot_be_folded():
    model = statistics(nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)))
    model[1] = nn.BatchNorm2d(6, track_running_stats=False).double()
    root = folded(model)
    assert norms(root) == 1
    torch.testing.assert_close(root(X), model(X))
