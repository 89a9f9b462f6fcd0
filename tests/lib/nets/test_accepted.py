"""Which networks can be explained, and what is said of the others."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib import nets, saliency
from lib.errors import UnknownName

from .. import networks

SIZE = 32


def cnn(channels: int = 3, classes: int = 4, *end: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, classes), *end,
    )  # fmt: skip


class Ends(nn.Module):
    """The network, and behind it a function instead of a module."""

    def __init__(self, step: Callable[[Tensor], Tensor], classes: int = 4):
        super().__init__()
        self.net, self.step = cnn(3, classes), step

    def forward(self, x: Tensor) -> Tensor:
        return self.step(self.net(x))


def refused(model: nn.Module, message: str, **options) -> None:
    with pytest.raises(ValueError, match=message) as error:
        nets.Classifier(model, **{"input_size": SIZE, "name": "mine"} | options)
    assert "\n" not in str(error.value)


# -------------------------------------------------------------------------------- logits


@pytest.mark.parametrize("classes", [2, 4, 1000])
@pytest.mark.parametrize(
    "end", [lambda y: y.softmax(1), lambda y: y.exp() / y.exp().sum(1, keepdim=True)]
)
def test_probabilities_are_no_logits(classes, end):
    refused(Ends(end, classes), "mine ends in a softmax, .*: leave the softmax out")
    refused(cnn(3, classes, nn.Softmax(1)), "mine ends in a softmax, .*: leave the softmax out")
    refused(cnn(3, classes, nn.Softmax(1)).half(), "mine ends in a softmax")


@pytest.mark.parametrize("end", [torch.sigmoid, lambda y: y[:, None].sigmoid().squeeze(1)])
def test_nor_are_sigmoids(end):
    refused(Ends(end), r"mine ends in a sigmoid.*Identity\(\)$")
    refused(cnn(3, 4, nn.Sigmoid()), "mine ends in a sigmoid, .*: leave the sigmoid out")


def test_log_probabilities_and_small_logits_are():
    x = torch.rand(2, 3, SIZE, SIZE)
    net = nets.wrap(cnn(3, 4, nn.LogSoftmax(1)), input_size=SIZE)
    torch.testing.assert_close(net(x).softmax(1), cnn()(x).softmax(1))
    assert nets.wrap(Ends(lambda y: y * 0 + 0.3 + y.abs() / 100), input_size=SIZE).num_classes == 4
    latent = networks.latent()
    assert torch.allclose(latent(x).exp().sum(1), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize("end", [lambda y: y, lambda y: y.squeeze(1), lambda y: y[:, 0]])
def test_one_logit_is_two_classes(end):
    refused(Ends(end, 1), r"mine gives one logit, .* nets.TwoClasses\(model\).* sigmoid\(logit\)")
    refused(Ends(lambda y: end(y.sigmoid()), 1), r"sigmoid|nets.TwoClasses\(model\)")


def test_a_classifier_gives_one_row_an_image():
    refused(Ends(lambda y: y.reshape(-1, 1)), r"mine gives \(8, 1\); a classifier gives logits")


# ------------------------------------------------------------------------------ neighbours


class Normalised(nn.Module):
    """Normalises by the batch without a module."""

    def __init__(self):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.batch_norm(self.conv(x), None, None, training=True)
        return self.fc(self.act(x).mean((2, 3)))


def test_an_image_has_its_logits_whatever_lies_beside_it():
    norm = nn.BatchNorm2d(8, track_running_stats=False)
    refused(
        nn.Sequential(cnn()[0], norm, *cnn()[1:]),
        "mine has no running statistics in '1', .*: train it with track_running_stats=True",
    )
    refused(Normalised(), "mine gives an image other logits in a batch than alone, by .* largest")
    refused(Ends(lambda y: F.dropout(y)), "neither on the batch nor on chance")
    unused = Ends(lambda y: y)
    unused.aside = norm
    assert nets.Classifier(unused, input_size=SIZE).num_classes == 4
    alone = nn.Sequential(cnn()[0], nn.InstanceNorm2d(8), *cnn()[1:])
    assert nets.wrap(alone, input_size=SIZE).num_classes == 4


# --------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("where", ["0.weight", "4.bias"])
def test_weights_that_are_nan_are_named(where):
    model = cnn()
    with torch.no_grad():
        model.get_parameter(where).view(-1)[0] = torch.nan
    refused(
        model, f"NaN or infinity for an image of noise: its weights hold NaN, first in '{where}'"
    )
    refused(Ends(lambda y: y / 0), "mine gives NaN or infinity for an image of noise$")


# ---------------------------------------------------------------------------------- images


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = cnn()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.net(x + y)


class Of32(nn.Sequential):
    """Takes images of one size."""

    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3))


VOLUME_OF_ONE = (
    nn.Conv3d(1, 4, 3),
    nn.ReLU(),
    nn.AdaptiveAvgPool3d(1),
    nn.Flatten(),
    nn.Linear(4, 3),
)
VOLUME = nn.Conv3d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3)


@pytest.mark.parametrize(
    "model, message",
    [
        (lambda: cnn(1), r"takes 1 channel\(s\): wrap it in .* such as x.mean\(1, keepdim=True\) "),
        (lambda: cnn(4), r"takes 4 channel\(s\): wrap it in a module that makes these of three \("),
        (Pair, "a network takes the image alone: wrap it in a module that adds the other arguments"),
        (lambda: nn.Sequential(*VOLUME), "images have two dimensions, .* first layer is a Conv3d"),
    ],
)  # fmt: skip
def test_what_does_not_run_on_images_says_why(model, message):
    refused(model(), rf"mine does not run on images \(2, 3, 32, 32\): .*{message}")


def test_a_forgotten_size_is_asked_for():
    with pytest.raises(
        ValueError, match=r"images \(2, 3, 224, 224\): give its input_size, the side"
    ):
        nets.wrap(Of32())
    assert nets.wrap(Of32(), input_size=32).num_classes == 3


class View(nn.Module):
    """Its classifier views what the last convolution gave, which no other memory format allows."""

    def __init__(self, untraceable: bool = False):
        super().__init__()
        self.conv, self.act, self.fc = nn.Conv2d(3, 4, 4, 4), nn.ReLU(), nn.Linear(4 * 64, 3)
        self.untraceable = untraceable

    def forward(self, x: Tensor) -> Tensor:
        if self.untraceable and x.sum() < -1e9:
            return x
        x = self.act(self.conv(x))
        return self.fc(x.view(x.size(0), -1))


@pytest.mark.parametrize("untraceable", [False, True])
@pytest.mark.parametrize(
    "method", ["grad_cam", "shap_cam", "score_cam", "opti_cam", "ablation_cam"]
)
def test_a_network_that_views_its_activations_runs(method, untraceable):
    torch.manual_seed(0)
    model, x = View(untraceable), torch.rand(2, 3, SIZE, SIZE)
    net = nets.wrap(model, input_size=SIZE)
    A, context = net.cut(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(net.head(A.to(memory_format=torch.channels_last), context), model(x))
    assert copy.deepcopy(net).fingerprint == net.fingerprint
    options = {"iterations": 2} if method == "opti_cam" else {}
    assert saliency.explain(method, net, x, 1, **options).isfinite().all()


def test_a_volume_inside_a_network_of_images_runs():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Unflatten(1, (1, 4)), *VOLUME_OF_ONE)
    assert nets.wrap(model, input_size=SIZE).layer == "1"


def test_images_of_another_size_are_refused_by_a_network_of_one():
    x, net = torch.rand(1, 3, 64, 48), nets.wrap(Of32(), "1", input_size=32, name="mine")
    remedy = (
        r"images of 64 x 48, and is made for 32 x 32: resize the images to 32 \(RuntimeError: mat1"
    )
    with pytest.raises(ValueError, match=f"mine failed on {remedy}"):
        net(x)
    with pytest.raises(
        ValueError, match=r"activations of 16 x 12, and is made for 8 x 8: resize the"
    ):
        saliency.explain("grad_cam", net, x, 1)
    vit = nets.wrap(networks.tokens(), input_size=16, name="mine")
    with pytest.raises(ValueError, match="images of 64 x 48, and is made for 16 x 16: resize"):
        saliency.explain("grad_cam", vit, x)


@pytest.mark.parametrize(
    "x", [torch.rand(1, 1, 32, 32), torch.rand(3, 32, 32), torch.zeros(1, 3, 32, 32).byte()]
)
def test_what_is_no_image_is_not_stretched_to_one(x):
    net = nets.wrap(cnn(), input_size=SIZE)
    for call in (net, net.features):
        with pytest.raises(ValueError, match=r"images are \(B, 3, H, W\), float in \[0, 1\], got"):
            call(x)


@pytest.mark.parametrize("size", [(32, 48), "32", 0, -32, 32.5, None, (), True])
def test_an_input_size_is_one_number(size):
    with pytest.raises(ValueError, match="input_size is one number, the side of a square, got"):
        nets.wrap(cnn(), input_size=size)
    assert (
        nets.wrap(cnn(), input_size=(32, 32)).input_size
        == nets.wrap(cnn(), input_size=[32]).input_size
        == 32
    )


def test_an_option_that_is_none_is_named():
    with pytest.raises(
        UnknownName, match=r"'device'; valid: mean, std, .*; move the network, as wrap"
    ):
        nets.wrap(cnn(), device="cpu")
    with pytest.raises(UnknownName, match="'size'; valid: mean, .*autocast$"):
        nets.wrap(cnn(), size=32)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_here():
    net = nets.wrap(cnn(), input_size=SIZE)
    for move in (lambda: net.to("cuda"), lambda: net.to(torch.device("cuda", 1)), net.cuda):
        with pytest.raises(ValueError, match="there is no device 'cuda.*' here; take one of: cpu"):
            move()
    assert net.to(torch.float64).dtype == torch.float64 and net.to("cpu") is net


# --------------------------------------------------------------------------------- modules


def test_what_cannot_be_cut_or_differentiated_is_named():
    for model in (torch.jit.script(cnn()), torch.jit.trace(cnn(), torch.rand(1, 3, SIZE, SIZE))):
        refused(
            model, "mine is TorchScript, which cannot be cut: give the module that it was made of"
        )
    refused(nn.Sequential(cnn()[:4], torch.jit.script(cnn()[4])), "mine, in '1', is TorchScript")
    refused(lambda x: x, "mine is function: give a torch.nn.Module")


@pytest.mark.filterwarnings("ignore")
def test_a_quantised_head_is_named():
    model = torch.ao.quantization.quantize_dynamic(cnn(), {nn.Linear}, dtype=torch.qint8)
    refused(model, "mine, in '4', is quantised, which has no gradients: .* before quantisation")
