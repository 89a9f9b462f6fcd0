"""A kernel that leads with zeros is "same" padding, and leaves the network's own modules alone."""

import pytest
import torch
from timm.layers.conv2d_same import Conv2dSame
from torch import fx, nn
from torch.nn import functional as F

from lib import nets
from lib.nets import graph_cut
from lib.nets.padding import ZeroLedConv2d, spare_padded_copies


def traced(model: nn.Module) -> fx.GraphModule:
    class Tracer(fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, Conv2dSame) or super().is_leaf_module(module, name)

    root = fx.GraphModule(model, Tracer().trace(model))
    spare_padded_copies(root)
    return root


def textbook(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """Padded by hand: half before the image, half after, and the odd pixel after it."""
    sides = []
    for n, k, stride in zip(x.shape[2:], conv.kernel_size, conv.stride):
        out = (n + stride - 1) // stride
        total = max((out - 1) * stride + k - n, 0)
        sides = [total // 2, total - total // 2, *sides]  # F.pad begins at the last axis
    return F.conv2d(F.pad(x, sides), conv.weight, conv.bias, conv.stride, groups=conv.groups)


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9), (7, 12)])
@pytest.mark.parametrize(
    "conv",
    [
        Conv2dSame(4, 6, 3, stride=2),
        Conv2dSame(4, 6, 5, stride=2, bias=False),
        Conv2dSame(4, 4, 5, stride=2, groups=4),
        Conv2dSame(4, 6, (3, 5), stride=(2, 1)),
        Conv2dSame(4, 6, 4),
        Conv2dSame(4, 6, 2, stride=3),
    ],
    ids=["3 by 2", "5 by 2", "depthwise", "oblong", "even kernel", "stride beyond the kernel"],
)
def test_it_is_same_padding(conv, size):
    conv = conv.double().eval().requires_grad_(False)
    x = torch.rand(2, 4, *size, dtype=torch.float64, requires_grad=True)
    root = traced(nn.Sequential(conv))
    assert isinstance(root.get_submodule("0"), ZeroLedConv2d) and type(conv) is Conv2dSame
    found, want = root(x), textbook(conv, x)
    assert torch.allclose(found, want, atol=1e-14) and torch.allclose(want, conv(x), atol=1e-14)
    slope = torch.rand_like(want)
    assert torch.allclose(
        *(torch.autograd.grad((y * slope).sum(), x)[0] for y in (found, want)), atol=1e-14
    )


def test_a_dilated_convolution_stays_as_it_is():
    conv = Conv2dSame(3, 3, 3, stride=2, dilation=2).eval()
    root, x = traced(nn.Sequential(conv)), torch.rand(1, 3, 8, 8)
    assert type(root.get_submodule("0")) is Conv2dSame
    assert torch.equal(root(x), conv(x))


@pytest.mark.parametrize("size", [224, 225])
def test_a_real_network_keeps_its_logits_and_gradients(size, monkeypatch):
    net = nets.load("tf_efficientnet_lite0")
    assert sum(isinstance(m, ZeroLedConv2d) for m in net._halves.modules()) == 5
    assert sum(isinstance(m, Conv2dSame) for m in net.model.modules()) == 5
    monkeypatch.setattr(graph_cut, "spare_padded_copies", lambda root: None)
    textbook = nets.load("tf_efficientnet_lite0")
    assert not any(isinstance(m, ZeroLedConv2d) for m in textbook._halves.modules())
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    logits = [network(x) for network in (net, textbook)]
    slopes = [torch.autograd.grad(y[0, 7], x)[0] for y in logits]
    for found, want in (logits, slopes):
        assert (found - want).abs().max() <= 1e-5 * want.abs().max()
