"""Where a network can be cut, and that a cut leaves nothing behind."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib import nets
from lib.errors import UnknownName
from lib.nets.activation import Grid, context_of
from lib.nets.split import GraphSplit, ReplaySplit

SIZE = 16


class Net(nn.Module):
    """conv, ReLU, residual conv, pool, linear, in the ways that networks are written."""

    def __init__(self, inplace: bool = False, functional: bool = False, untraceable: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace)  # runs twice
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(4, 3)
        self.aside = nn.Conv2d(3, 4, 1)  # runs without influence
        self.unused = nn.Conv2d(3, 4, 1)
        self.functional, self.untraceable = functional, untraceable

    def forward(self, x: Tensor) -> Tensor:
        if self.untraceable and x.sum() < -1e9:
            return x
        self.aside(x)
        x = self.act(self.norm(self.conv(x)))
        skip = self.pool(x)
        skip += 0.5 * F.max_pool2d(x, 2)  # overwrites what the layer gave
        x = self.inner(skip)
        x = F.relu(x, inplace=True) if self.functional else self.act(x)
        return self.classifier((x + skip).mean((2, 3)))


class Tokens(nn.Module):
    """A small transformer without position embeddings: any image size."""

    def __init__(self, prefix: int = 2):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 6))
        self.mix, self.classifier = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)  # (B, N, 6)
        x = self.norm(torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1))
        return self.classifier((x + self.mix(x).tanh()).mean(1) + x[:, 0])


class ChannelsLast(nn.Module):
    """Maps (B, h, w, K) inside."""

    def __init__(self):
        super().__init__()
        self.stem, self.mix, self.classifier = (
            nn.Conv2d(3, 6, 4, 4),
            nn.Linear(6, 5),
            nn.Linear(5, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.mix(self.stem(x).permute(0, 2, 3, 1)).relu().mean((1, 2)))


def seeded(model: type[nn.Module], **options) -> nn.Module:
    torch.manual_seed(0)
    model = model(**options).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def images(n: int = 2, size: tuple[int, int] = (SIZE, SIZE)) -> Tensor:
    return torch.rand(n, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def output_of(model: nn.Module, layer: str, x: Tensor, call: int = -1) -> Tensor:
    """What the layer gives in a plain pass, at its `call`-th call."""
    outputs = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda m, a, out: outputs.append(out.detach().clone())
    )
    with torch.no_grad():
        model(x)
    hook.remove()
    return outputs[call]


FLAGS = ("inplace", "functional", "untraceable")
WAYS = [dict(zip(FLAGS, flags)) for flags in product((False, True), repeat=3)]


@pytest.mark.parametrize(
    "way", WAYS, ids=lambda way: "-".join(k for k, v in way.items() if v) or "plain"
)
@pytest.mark.parametrize("layer", ["conv", "norm", "act#0", "act", "pool", "inner"])
def test_the_cut_gives_the_layer_and_the_network(way, layer):
    model = seeded(Net, **way)
    net, x = nets.wrap(model, layer, input_size=SIZE), images()
    assert isinstance(net._split, ReplaySplit if way["untraceable"] else GraphSplit)
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
        Branch() if untraceable else nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    net = nets.wrap(model, input_size=SIZE)
    assert isinstance(net._split, ReplaySplit) == untraceable
    assert net.layer == "4" and net.features(images().float()).shape == (2, 5, 5, 5)


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
    assert isinstance(net._split, ReplaySplit) and capfd.readouterr() == ("", "")
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


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        return self.conv(x).mean((2, 3)), x


def test_a_network_that_is_no_classifier_says_what_it_gives():
    with pytest.raises(ValueError, match=r"gives tuple; a classifier gives logits \(B, C\)"):
        nets.wrap(Pair(), "conv", input_size=SIZE)
    with pytest.raises(ValueError, match=r"gives \(2, 4, 14, 14\)"):
        nets.wrap(nn.Sequential(nn.Conv2d(3, 4, 3)), "0", input_size=SIZE)


# -------------------------------------------------------------------------------- other layouts


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 8)])
def test_tokens_become_a_grid(prefix, size):
    model, x = seeded(Tokens, prefix=prefix), images(size=size)
    net = nets.wrap(model, "norm", input_size=32)
    A, (h, w) = net.features(x), (size[0] // 4, size[1] // 4)
    assert A.shape == (2, 6, h, w)
    tokens = output_of(model, "norm", x)[:, prefix:]  # (B, N, 6), raster order
    torch.testing.assert_close(torch.Tensor(A[:, :, 1, 1].detach()).double(), tokens[:, w + 1])
    torch.testing.assert_close(net.head(A), model(x))
    torch.testing.assert_close(net.head(A.detach().clone() * 1, context_of(A)), model(x))


def test_declared_prefix_tokens_are_believed():
    """25 tokens are a square; a network that declares 9 prefix tokens has a grid of 4 x 4."""
    model = seeded(Tokens, prefix=9)
    assert nets.wrap(model, "norm", input_size=16).features(images()).shape == (2, 6, 5, 5)
    model.num_prefix_tokens = 9
    assert nets.wrap(model, "norm", input_size=16).features(images()).shape == (2, 6, 4, 4)


def test_tokens_that_hold_no_grid_are_refused():
    with pytest.raises(ValueError, match="16 tokens are no grid of an image"):
        Grid(torch.Size([2, 16, 6]), (16, 16), 0, "norm").split(torch.zeros(2, 16, 6), (16, 40))


@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_channels_last_become_channels_first(size):
    model, x = seeded(ChannelsLast), images(size=size)
    net = nets.wrap(model, "mix", input_size=SIZE)
    A = net.features(x)
    torch.testing.assert_close(A, output_of(model, "mix", x).permute(0, 3, 1, 2))
    torch.testing.assert_close(net.head(A), model(x))


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
@pytest.mark.parametrize("half", ["features", "head"])
def test_nothing_stays_after_an_exception(untraceable, half):
    net = nets.wrap(seeded(Net, untraceable=untraceable), "inner", input_size=SIZE)
    x = images()
    want, before = net(x), state(net.model)
    wrong = torch.rand(2, 2, SIZE, SIZE) if half == "features" else net.features(x)
    with pytest.raises(RuntimeError):
        if half == "features":
            net._split.features(wrong)
        else:
            net.head(wrong[:, :3], context_of(wrong))
    assert state(net.model) == before
    assert torch.equal(net(x), want)
    assert torch.equal(net.head(net.features(x)), want)


def test_replaying_keeps_a_forward_of_the_modules_own():
    model = seeded(Net, untraceable=True)
    model.inner.forward = lambda x, inner=model.inner: (
        2 * F.conv2d(x, inner.weight, inner.bias, padding=1)
    )
    net = nets.Classifier(model, "inner", input_size=SIZE)
    want, own = net(images()), model.inner.forward
    assert torch.equal(net.head(net.features(images())), want)
    assert model.inner.forward is own
    torch.testing.assert_close(model(images()), want)


def test_two_threads_share_a_replayed_network():
    net, x = nets.wrap(seeded(Net, untraceable=True), "inner", input_size=SIZE), images(8)
    want = net(x)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: net.head(net.features(x[i : i + 1])), list(range(8)) * 4))
    torch.testing.assert_close(torch.cat(parts), want.repeat(4, 1))


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


def test_a_head_that_ends_a_normalisation_in_an_activation_is_not_affine():
    from timm.layers import BatchNormAct2d

    def network(act):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=act), nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 5))

    assert not nets.wrap(network(nn.ReLU), "0", input_size=16).affine_head
    assert nets.wrap(network(nn.Identity), "0", input_size=16).affine_head
