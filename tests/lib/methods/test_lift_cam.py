"""LIFT-CAM: DeepLIFT contributions of channels, whose sum is exact."""

import warnings

import pytest
import torch
from captum.attr import DeepLift
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lib import data, nets
from lib.methods.gradients import activation_and_gradient
from lib.methods.lift_cam import lift_cam
from lib.methods.shap_cam import shap_cam
from lib.nets import context_of
from lib.saliency import explain

from ..networks import (
    CHANNELS,
    HEADS,
    NETWORKS,
    SIZE,
    Affine,
    Headed,
    affine,
    headed,
    images,
    seeded,
    signed,
    wrap,
)  # fmt: skip

TARGET = torch.tensor([0, 1, 2, 3])
aten = torch.ops.aten
ELEMENTWISE = [
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.SiLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.SELU, nn.Softplus,
    nn.Hardswish, nn.Hardsigmoid, nn.Mish, nn.Hardtanh,
]  # fmt: skip


def made(name):
    return headed(name) if name in HEADS else NETWORKS[name]()


def difference(net, x, target):
    """F(A) - F(0)."""
    A = net.features(x)
    y = net.head(A) - net.head(torch.zeros_like(A), context_of(A))
    return y.gather(1, target[:, None])[:, 0]


# ------------------------------------------------------------------------------- local accuracy


@pytest.mark.parametrize("name", [*HEADS, *NETWORKS])
def test_coefficients_add_up_to_what_the_channels_change(name):
    """Eq. (8)."""
    net, x = made(name), images()
    alpha, _ = lift_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha.sum(1), difference(net, x, TARGET), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "name, layer",
    [
        ("torchvision:alexnet", None),
        ("torchvision:resnet18", None),
        ("torchvision:resnet18", "layer3"),
        ("tf_efficientnet_lite0", "blocks.6"),
        ("tf_efficientnet_lite0", "blocks.4"),
        ("tf_efficientnet_b0", "blocks.6"),
        ("torchvision:mobilenet_v3_small", "features.9"),
    ],
)
def test_local_accuracy_of_real_architectures(name, layer):
    """Local accuracy holds to 1e-4, in single precision and with random weights."""
    net = nets.load(name, weights="random", layer=layer)
    generator = torch.Generator().manual_seed(0)
    x, target = torch.rand(2, 3, 128, 128, generator=generator), torch.tensor([3, 500])
    with torch.no_grad():
        want = difference(net, x, target)
    alpha, _ = lift_cam.coefficients(net, x, target)
    scale = torch.maximum(want.abs(), 1e-2 * alpha.abs().sum(1))
    assert ((alpha.sum(1) - want).abs() <= 1e-4 * scale).all()


@pytest.mark.parametrize("act", ELEMENTWISE)
def test_local_accuracy_of_every_activation(act):
    model = Headed("hidden")
    model.middle[-1] = act()
    net, x = wrap(seeded(model)), images()
    alpha, _ = lift_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha.sum(1), difference(net, x, TARGET), rtol=1e-9, atol=1e-10)


# ------------------------------------------------------------------------------------- the rule


def test_one_hidden_layer_by_hand():
    """Linear, ReLU, linear: the slope of unit j is (relu(z_j) - relu(b_j)) / (z_j - b_j)."""
    model = seeded(Headed("hidden"))
    model.middle[0] = nn.Identity()
    model.middle[2] = nn.Linear(CHANNELS * 64, 12).double()
    net, x = wrap(model), images()
    A = net.features(x)
    W, b = model.middle[2].weight, model.middle[2].bias
    z = A.flatten(1) @ W.T + b
    m = (z.relu() - b.relu()) / (z - b)  # (B, 12)
    V = model.classifier.weight[TARGET]  # (B, 12)
    C = (A.flatten(1) * ((V * m) @ W)).view_as(A)
    alpha, _ = lift_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha, C.sum((2, 3)), atol=1e-10)


CAPTUMS = [nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus]


@pytest.mark.parametrize("act", CAPTUMS)
def test_as_captum_on_the_head(act):
    """The results agree for the activations that captum replaces. For ReLU6, SiLU and GELU it takes the
    gradient, and it loses part of the sum if pools overlap or a ReLU follows a pool."""
    model = Headed("hidden")
    model.middle[-1] = act()
    net, x = wrap(seeded(model)), images()
    A = net.features(x).detach().requires_grad_()
    alone = nn.Sequential(*model.middle, model.classifier)
    with warnings.catch_warnings(action="ignore"):  # a warning that captum sets hooks
        want = DeepLift(alone).attribute(A, torch.zeros_like(A), target=TARGET).sum((2, 3))
    alpha, _ = lift_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha, want.detach(), rtol=1e-6, atol=1e-8)


def test_saturation_hides_nothing():
    """Where ReLU6 is flat, the gradient is zero but the contribution is not."""
    model = seeded(Headed("one_by_one"))
    with torch.no_grad():
        model.middle[1].weight.fill_(1e12)
    net, x = wrap(model), images(1)
    _, g = activation_and_gradient(net, x, TARGET[:1])
    alpha, _ = lift_cam.coefficients(net, x, TARGET[:1])
    assert (g == 0).all() and (alpha.abs() > 0.1).all()


# ------------------------------------------------------------------------- where it is exact


@pytest.mark.parametrize("network", [affine, signed])
def test_behind_an_affine_head_it_is_the_drop_and_the_shap_value(network):
    net, x = network(), images()
    A = net.features(x)
    w = net.model.classifier.weight[TARGET]
    alpha, _ = lift_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha, w * A.mean((2, 3)), atol=1e-12)
    assert torch.allclose(alpha, shap_cam.coefficients(net, x, TARGET, n=1)[0], atol=1e-12)


class AsOnCuda(TorchDispatchMode):
    """Convolutions round their inputs to TF32, as on a GPU by default, unless that is switched off."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        n = {aten.convolution.default: 2, aten.convolution_backward.default: 3}.get(func, 0)
        if torch.backends.cudnn.allow_tf32:
            args = (*map(self.rounded, args[:n]), *args[n:])
        return func(*args, **kwargs or {})

    @staticmethod
    def rounded(t):
        bits = t.contiguous().view(torch.int32)  # ten of 23 binary digits remain
        return (bits + (1 << 12) & ~((1 << 13) - 1)).view(torch.float32)


@pytest.mark.parametrize("contrast", ["max", "weighted"])
def test_the_sum_of_a_contrast_is_exact_on_a_gpu_too(contrast):
    net = nets.load("torchvision:squeezenet1_1")
    photographs = data.load("imagenet_embedded", limit=24, size=net.input_size).subset([12, 20])
    x = torch.stack([sample.image for sample in photographs])
    with AsOnCuda():
        alpha, _ = lift_cam.coefficients(net, x, net(x).argmax(1), contrast=contrast)
    assert alpha.isfinite().all() and torch.backends.cudnn.allow_tf32


# ------------------------------------------------------------------------------------ bad input


class Attentive(Affine):
    """A network that weights positions by a softmax, for which there is no rule."""

    def forward(self, x):
        A = self.act(self.norm(self.conv(x)))
        weight = A.sum(1, keepdim=True).flatten(2).softmax(2).view(len(A), 1, *A.shape[2:])
        return self.classifier((A * weight).sum((2, 3)))


def test_an_unknown_step_is_refused():
    net = wrap(seeded(Attentive()))
    with pytest.raises(
        ValueError, match="add up to .* DeepLIFT-Rescale does not know here: take shap_cam"
    ):
        lift_cam(net, images(), TARGET)
    for method in ("shap_cam", "grad_cam"):  # as the message says
        assert explain(method, net, images(), TARGET).amax() == 1


def test_sizes_other_than_the_probe():
    net = affine()
    x = images(2, (SIZE, 2 * SIZE))
    alpha, _ = lift_cam.coefficients(net, x, TARGET[:2])
    assert torch.allclose(alpha.sum(1), difference(net, x, TARGET[:2]))
