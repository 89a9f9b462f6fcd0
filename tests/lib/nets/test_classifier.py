"""What a classifier says of itself, and what is none."""

import copy
import pickle

import pytest
import torch
from torch import nn

from lib import nets
from lib.nets.weights import build

from .. import networks
from .small import SIZE, ChannelsLast, Tokens, seeded


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


@pytest.mark.parametrize("name, value", [("mean", (0.5, 0.5)), ("std", "0.5"), ("mean", None)])
def test_scaling_is_three_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} is three numbers, .* got"):
        nets.wrap(networks.Affine(), "act", input_size=SIZE, **{name: value})


# ---------------------------------------------------------------------------------------- classes


NAMES = ["one", "two", "three", "four", "five"]


def test_the_names_of_the_classes_stay_with_the_network_and_do_not_change_its_fingerprint():
    options = {"layer": "act", "input_size": SIZE, "name": "mine"}
    net = nets.wrap(networks.seeded(networks.Affine()), classes=NAMES, **options)
    plain = nets.wrap(networks.seeded(networks.Affine()), **options)
    assert plain.classes is None and net.fingerprint == plain.fingerprint
    twins = copy.deepcopy(net), pickle.loads(pickle.dumps(net)), net.like(net.model), net.to("cpu")
    for twin in twins:
        assert twin.classes == tuple(NAMES) and twin.fingerprint == net.fingerprint
    plain.classes, plain.name = tuple(NAMES), "other"
    for again in (pickle.loads(pickle.dumps(plain)), copy.deepcopy(plain), plain.like(plain.model)):
        assert (again.classes, again.name) == (tuple(NAMES), "other")


@pytest.mark.parametrize(
    "classes, got", [(NAMES[:3], "3 names"), ([*NAMES, "six"], "6 names"), ("abcde", "'abcde'")]
)
def test_there_are_as_many_names_as_classes(classes, got):
    with pytest.raises(ValueError, match=f"classes of mine are 5 names, one an output, got {got}"):
        nets.wrap(networks.Affine(), "act", input_size=SIZE, name="mine", classes=classes)


# ---------------------------------------------------------------------------------- architecture


class Attends(nn.Module):
    """Blocks of attention between convolutions, as in MobileViT, or after them."""

    def __init__(self, convolution_after: bool):
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 6, 4, 4), nn.Module()
        self.block.norm1, self.block.attn = (
            nn.LayerNorm(6),
            nn.MultiheadAttention(6, 2, batch_first=True),
        )
        self.fuse = nn.Conv2d(6, 6, 3, padding=1) if convolution_after else nn.Identity()
        self.classifier = nn.Linear(6, 3)

    def forward(self, x):
        x = self.stem(x)
        t = self.block.norm1(x.flatten(2).transpose(1, 2))  # (B, N, 6)
        t = t + self.block.attn(t, t, t, need_weights=False)[0]
        return self.classifier(self.fuse(t.transpose(1, 2).unflatten(2, x.shape[2:])).mean((2, 3)))


@pytest.mark.parametrize(
    "model, layer, want",
    [
        (lambda: Attends(False), None, "transformer"),
        (lambda: Attends(True), None, "CNN"),
        (Tokens, "norm", "transformer"),
        (ChannelsLast, "mix", "CNN"),
        (lambda: networks.tokens(), None, "transformer"),
        (lambda: networks.tokens(), "patch_embed.proj", "transformer"),
        (lambda: networks.tokens(class_token=False, global_pool="avg"), None, "transformer"),
        (networks.Residual, "act", "CNN"),
    ],
)
def test_a_transformer_reads_the_class_from_tokens(model, layer, want):
    net = nets.wrap(seeded(model), layer, input_size=SIZE)
    assert net.architecture == want


TWINS = {"depths": (1, 1, 1, 2), "embed_dims": (16, 16, 16, 16), "num_heads": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    "name, options, want",
    [("mobilevit_xxs", {}, "CNN"), ("test_vit", {"img_size": 64}, "transformer"),
     ("twins_svt_small", TWINS, "transformer"), ("test_convnext", {}, "CNN"), ("test_mambaout", {}, "CNN")],
)  # fmt: skip
def test_the_name_says_nothing_of_the_architecture(name, options, want):
    assert nets.wrap(build(name, **options), input_size=64).architecture == want


# ----------------------------------------------------------------------------------- fingerprint


def affine(forward=None) -> nets.Classifier:
    """The same weights, the same repr, and perhaps another forward method."""
    kind = type("Affine", (networks.Affine,), {"forward": forward} if forward else {})
    return networks.wrap(networks.seeded(kind()))


def before_the_layer(self, x):
    return networks.Affine.forward(self, 1.001 * x)


def after_the_layer(self, x):
    return 1.0001 * networks.Affine.forward(self, x)


def test_a_changed_forward_is_another_fingerprint():
    net = affine()
    assert affine().fingerprint == net.fingerprint
    for forward in (before_the_layer, after_the_layer):
        other = affine(forward)
        assert repr(other.model) == repr(net.model)
        assert other.fingerprint != net.fingerprint


def test_weights_that_change_under_a_cut_network_are_noticed():
    """Its halves hold folded copies of them: they would be half of each."""
    net = affine()
    before = net.fingerprint
    assert net.to(torch.float64).fingerprint == before
    net.train(), net(torch.rand(1, 3, SIZE, SIZE))
    assert net.fingerprint == before
    with torch.no_grad():
        net.model.classifier.weight *= 2
    with pytest.raises(
        ValueError, match="weights of network have changed since it was cut: cut it again"
    ):
        net.to("cpu", torch.float64).fingerprint  # noqa: B018
    again = net.like(net.model)
    assert again.fingerprint != before
    net.model.load_state_dict(affine().model.state_dict())
    assert net.like(net.model).fingerprint == before


@pytest.mark.parametrize("change", ["weight", "layer", "std"])
def test_so_is_whatever_else_decides_logits_and_maps(change):
    net = networks.non_linear()
    model, options = networks.seeded(networks.NonLinear()), {}
    if change == "weight":
        with torch.no_grad():
            model.classifier.weight[0, 0] += 1e-9  # in double precision
    if change == "std":
        options = {"std": (0.2, 0.25, 0.31)}
    layer = "norm" if change == "layer" else "act"
    options = {"mean": networks.MEAN, "std": networks.STD, "input_size": networks.SIZE} | options
    assert nets.wrap(model, layer, **options).fingerprint != net.fingerprint


@pytest.mark.parametrize(
    "name, options", [("test_efficientnet", {}), ("test_vit", {"img_size": 64})]
)
def test_rounding_changes_no_fingerprint(name, options):
    """Other threads add up in another order."""
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(nets.wrap(build(name, **options), input_size=64).fingerprint)
    finally:
        torch.set_num_threads(before)
    assert len(set(found)) == 1


class Single(networks.Affine):
    """Its code makes tensors of single precision."""

    def forward(self, x):
        return super().forward(x) @ torch.eye(networks.CLASSES)


def test_a_network_of_one_precision_has_a_fingerprint_too():
    nets_ = [nets.wrap(Single().float(), "act", input_size=SIZE) for _ in range(2)]
    one, two = (net.fingerprint for net in nets_)
    assert len(one) == len(two) == 64
