"""Where a network can be cut, and that a cut leaves nothing behind."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from lib import nets
from lib.errors import UnknownName
from lib.nets import context_of
from lib.nets.activation import rows
from lib.nets.graph_cut import GraphCut
from lib.nets.replay_cut import ReplayCut

from .small import SIZE, Net, images, output_of, seeded

FLAGS = ("inplace", "functional", "untraceable")
WAYS = [dict(zip(FLAGS, flags)) for flags in product((False, True), repeat=3)]


@pytest.mark.parametrize(
    "way", WAYS, ids=lambda way: "-".join(k for k, v in way.items() if v) or "plain"
)
@pytest.mark.parametrize("layer", ["conv", "norm", "act#0", "act", "pool", "inner"])
def test_the_cut_gives_the_layer_and_the_network(way, layer):
    model = seeded(Net, **way)
    net, x = nets.wrap(model, layer, input_size=SIZE), images()
    assert isinstance(net._cut, ReplayCut if way["untraceable"] else GraphCut)
    name, _, call = layer.partition("#")
    A = net.features(x)
    torch.testing.assert_close(A, output_of(model, name, x, int(call or -1)), check_dtype=True)
    for _ in range(2):  # the head changes neither A nor its context
        torch.testing.assert_close(net.head(A), model(x))
    torch.testing.assert_close(net(x), model(x))
    torch.testing.assert_close(net.head(A[[1, 1]]), model(x[[1, 1]]))


def test_a_module_that_runs_twice_is_cut_at_either_call():
    model, x = seeded(Net), images()
    first, second, last = (
        nets.wrap(model, layer, input_size=SIZE) for layer in ("act#0", "act#1", "act")
    )
    assert first.features(x).shape == (2, 4, 8, 8) and second.features(x).shape == (2, 4, 4, 4)
    assert torch.equal(second.features(x), last.features(x))
    assert [n.layer for n in (first, second, last)] == ["act#0", "act#1", "act"]
    with pytest.raises(ValueError, match=r"'act#2': that layer runs 2 time"):
        nets.wrap(model, "act#2", input_size=SIZE)
    with pytest.raises(ValueError, match="after '#' comes the number"):
        nets.wrap(model, "act#one", input_size=SIZE)


def test_gradients_pass_an_in_place_activation_even_where_it_changes_nothing():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    net = nets.wrap(model, "1", input_size=SIZE)
    A = net.features(images().float()).detach().requires_grad_()
    (g,) = torch.autograd.grad(net.head(A).sum(), A)
    assert torch.equal(g, (A > 0) / torch.tensor(14.0**2))


@pytest.mark.parametrize("untraceable", [False, True])
def test_the_default_is_the_last_spatial_activation(untraceable):
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.MaxPool2d(2),
        Branch() if untraceable else nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3),
    )  # fmt: skip
    net = nets.wrap(model, input_size=SIZE)
    assert isinstance(net._cut, ReplayCut) == untraceable
    assert net.layer == "4" and net.features(images().float()).shape == (2, 5, 5, 5)


@pytest.mark.parametrize("untraceable", [False, True])
@pytest.mark.parametrize("nonlinearity", [nn.ReLU, nn.Identity])
def test_the_default_stands_before_a_convolution_that_makes_the_classes(untraceable, nonlinearity):
    """As in SqueezeNet, whose classes pass a ReLU before they are pooled."""
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    end = nn.Conv2d(4, 5, 1), nonlinearity(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    model = nn.Sequential(body, nn.Dropout(), Branch() if untraceable else nn.Identity(), *end)
    net = nets.wrap(model, input_size=SIZE)
    assert isinstance(net._cut, ReplayCut) == untraceable
    assert net.layer in ("0", "0.1")  # the output of the body is that of its last module
    assert net.features(images().float()).shape == (2, 4, 14, 14)
    assert net.affine_head == (nonlinearity is nn.Identity and not untraceable)


@pytest.mark.parametrize("untraceable", [False, True])
def test_with_nothing_before_it_a_convolution_to_the_classes_is_the_default(untraceable):
    branch = Branch() if untraceable else nn.Identity()
    model = nn.Sequential(branch, nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nets.wrap(model, input_size=SIZE)
    assert net.layer == "1" and isinstance(net._cut, ReplayCut) == untraceable


class Branch(nn.Identity):
    """The identity, with control flow that depends on the data."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > -1e9 else -x

    __module__ = "elsewhere"  # so that tracing enters it


def test_a_module_that_passes_its_pooling_on_is_not_the_default():
    """Its output is the pooled tensor itself, whatever tensors came and went in between."""
    stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    model = nn.Sequential(
        stem, nn.Sequential(Branch(), nn.MaxPool2d(2)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    assert nets.wrap(model, input_size=SIZE).layer == "0"


class Sizes(nn.Module):
    """A batch size taken before the cut, and used after it."""

    def __init__(self):
        super().__init__()
        self.conv, self.classifier = nn.Conv2d(3, 2, 3), nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        return self.classifier(self.conv(x).relu().reshape(batch, 2, 14 * 14).mean(2))


def test_a_size_that_crosses_the_cut_is_replayed_without_a_word(capfd):
    model, x = seeded(Sizes), images(5)
    net = nets.wrap(model, "conv", input_size=SIZE)
    assert isinstance(net._cut, ReplayCut) and capfd.readouterr() == ("", "")
    torch.testing.assert_close(net.head(net.features(x)), model(x))


def test_unknown_layer_lists_the_layers():
    with pytest.raises(
        UnknownName,
        match=r"unknown layer 'convv' \(did you mean 'conv'\?\); valid: conv, norm, act",
    ):
        nets.wrap(seeded(Net), "convv", input_size=SIZE)


@pytest.mark.parametrize(
    "layer, reason",
    [
        ("unused", "layer 'unused' does not run"),
        ("aside", "layer 'aside' has no influence"),
        ("classifier", r"gives \(2, 3\); a target layer must give maps"),
    ],
)
def test_a_layer_that_cannot_be_the_target_says_why(layer, reason):
    with pytest.raises(ValueError, match=rf"(?s)cannot be cut at layer '{layer}'.*{reason}"):
        nets.wrap(seeded(Net), layer, input_size=SIZE)


def test_a_network_without_maps_says_so():
    with pytest.raises(ValueError, match="no layer of this network gives maps"):
        nets.wrap(nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 2)), input_size=SIZE)


@pytest.mark.parametrize("untraceable", [False, True])
def test_images_need_not_be_square(untraceable):
    model, x = seeded(Net, untraceable=untraceable), images(3, (20, 12))
    net = nets.wrap(model, "inner", input_size=SIZE)
    assert net.features(x).shape == (3, 4, 5, 3)
    torch.testing.assert_close(net.head(net.features(x)), model(x))


# ------------------------------------------------------------------------------ nothing is left


def state(model: nn.Module) -> list:
    """All that a careless library would leave on a network."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return [
        (name, m.training, "forward" in vars(m), [len(getattr(m, kind)) for kind in hooks])
        for name, m in model.named_modules()
    ] + [
        (name, p.requires_grad, p.grad, p.clone().detach().tolist())
        for name, p in model.named_parameters()
    ]


def test_wrap_leaves_the_original_untouched_and_handles_train_mode():
    model = seeded(Net, inplace=True)
    want = model(images()).detach()
    model.train()
    before = state(model)
    net = nets.wrap(model, "inner", input_size=SIZE)
    x = images().requires_grad_()
    net(x).sum().backward()
    assert state(model) == before
    torch.testing.assert_close(net(images()), want)  # of eval mode: batch statistics would differ


@pytest.mark.parametrize("untraceable", [False, True])
def test_a_and_its_context_go_side_by_side(untraceable):
    """As plain tensors; the context by images, for a batch that repeats them."""
    net, x = nets.wrap(seeded(Net, untraceable=untraceable), "inner", input_size=SIZE), images()
    A, context = net.cut(x)
    assert type(A) is Tensor and torch.equal(A, net.features(x))
    torch.testing.assert_close(net.head(A, context), net(x))
    torch.testing.assert_close(net.head(A[[1, 1]], rows(context, [1, 1])), net(x[[1, 1]]))
    assert nets.wrap(seeded(Net), "act", input_size=SIZE).cut(x)[1] is not None
    first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert nets.wrap(first, "0", input_size=SIZE).cut(x)[1] is None


@pytest.mark.parametrize("untraceable", [False, True])
@pytest.mark.parametrize("half", ["features", "head"])
def test_nothing_stays_after_an_exception(untraceable, half):
    net = nets.wrap(seeded(Net, untraceable=untraceable), "inner", input_size=SIZE)
    x = images()
    want, before = net(x), state(net.model)
    wrong = torch.rand(2, 2, SIZE, SIZE) if half == "features" else net.features(x)
    with pytest.raises((RuntimeError, ValueError)):
        if half == "features":
            net._cut.features(wrong)
        else:
            net.head(wrong[:, :3], context_of(wrong))
    assert state(net.model) == before
    assert torch.equal(net(x), want)
    assert torch.equal(net.head(net.features(x)), want)


@pytest.mark.parametrize("given", [lambda m: m, lambda m: [m]], ids=["module", "list of one"])
@pytest.mark.parametrize("around", [lambda m: m, nn.DataParallel], ids=["bare", "DataParallel"])
def test_a_layer_may_be_the_module_itself(given, around):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip
    net = nets.wrap(around(model), given(model[1]), input_size=16)
    assert net.layer == "1" and net.features(torch.rand(1, 3, 16, 16)).shape[1] == 4
    assert nets.Classifier(model, model[1], input_size=16).layer == "1"


@pytest.mark.parametrize(
    "layer, message",
    [
        (nn.ReLU(), "the layer ReLU is no module of the network: give its name"),
        (["1", "3"], r"a layer is the name of one, such as 'layer4', got \['1', '3'\]"),
        (3, "a layer is the name of one, such as 'layer4', got 3"),
    ],
    ids=["another module", "several", "number"],
)
def test_a_layer_that_is_none_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        nets.wrap(Functional(), layer, input_size=16)


def test_a_step_between_modules_is_named_as_the_default_names_it():
    net = nets.wrap(Functional(), input_size=16)
    again = nets.wrap(Functional(), net.layer, input_size=16)
    x = torch.rand(2, 3, 16, 16)
    assert net.layer not in dict(Functional().named_modules())
    assert torch.equal(net.features(x), again.features(x))


class Functional(nn.Module):
    """Its last activation is a function's, not a module's."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.linear = nn.Conv2d(3, 4, 3), nn.Linear(4, 5)

    def forward(self, x):
        return self.linear(torch.relu(self.conv(x)).mean((2, 3)))
