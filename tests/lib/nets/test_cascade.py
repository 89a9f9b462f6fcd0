"""Cascading randomisation: what is re-initialised, in which order, and what is left alone."""

import pytest
import torch
from torch import nn

from lib import nets
from lib.nets import cascade
from lib.nets.cascade import layers, reinitialise
from testbeds.architectures import vgg

from .. import networks
from ..networks import images


@pytest.fixture
def net() -> nets.Classifier:
    return networks.non_linear()


def changed(one: nets.Classifier, two: nets.Classifier) -> set[str]:
    """The modules whose tensors differ."""
    a, b = one.model.state_dict(), two.model.state_dict()
    return {name.rpartition(".")[0] for name in a if not torch.equal(a[name], b[name])}


def same(one: nets.Classifier, two: nets.Classifier) -> bool:
    return not changed(one, two)


def test_layers_are_in_the_order_of_their_calls(net):
    assert layers(net) == [["conv", "norm"], ["hidden"], ["classifier"]]


def test_they_are_forgotten_from_the_classifier_down(net):
    found = dict(cascade(net, 3))
    assert list(found) == [0, 1, 2, 3] and found[0] is net
    top = {"classifier"}
    assert changed(net, found[1]) == top
    assert changed(net, found[2]) == top | {"hidden"}
    assert changed(net, found[3]) == top | {"hidden", "conv", "norm"}


def test_what_has_become_random_stays(net):
    found = dict(cascade(net, 3))
    assert changed(found[1], found[2]) == {"hidden"}
    assert changed(found[2], found[3]) == {"conv", "norm"}


@pytest.mark.parametrize("steps, counts", [(1, [0, 3]), (2, [0, 1, 3]), (3, [0, 1, 2, 3])])
def test_the_first_step_is_the_classifier_and_the_last_one_all(net, steps, counts):
    assert [n for n, _ in cascade(net, steps)] == counts


def test_five_steps_lie_evenly_over_a_vgg():
    net = nets.wrap(vgg.VGG(10), input_size=64)
    assert [n for n, _ in cascade(net)] == [0, 1, 2, 4, 6, 8]


def test_the_original_is_untouched(net):
    x, before = images(), {k: v.clone() for k, v in net.model.state_dict().items()}
    logits = net(x)
    for _, other in cascade(net, 3):
        other.model.requires_grad_(False)
    assert torch.equal(net(x), logits)
    assert all(torch.equal(v, before[k]) for k, v in net.model.state_dict().items())
    assert not any(m._forward_pre_hooks for m in net.model.modules())


def test_copies_are_cut_named_and_frozen_alike(net):
    *_, (_, last) = cascade(net, 2)
    x = images()
    assert (last.layer, last.name, last.dtype) == (net.layer, net.name, torch.float64)
    assert torch.equal(last.mean, net.mean) and torch.equal(last.std, net.std)
    assert torch.allclose(last.head(last.features(x)), last(x))
    assert not any(p.requires_grad for p in last.model.parameters()) and not last.model.training
    assert last.fingerprint != net.fingerprint


def test_the_seed_decides(net):
    one, two, other = (dict(cascade(net, 1, seed=seed))[3] for seed in (0, 0, 1))
    assert same(one, two) and changed(one, other) == {"conv", "hidden", "classifier"}


def test_the_callers_random_numbers_go_on(net):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    list(cascade(net, 3))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_batch_normalisation_forgets_its_statistics_too(net):
    norm = dict(cascade(net, 1))[3].model.norm
    for name, value in {"running_mean": 0, "running_var": 1, "weight": 1, "bias": 0}.items():
        assert (getattr(norm, name) == value).all()


def test_a_signal_survives_many_convolutions():
    """He et al. 2015: each convolution with its ReLU keeps the second moment."""
    deep = nn.Sequential(
        *(m for _ in range(30) for m in (nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()))
    )
    for i in range(0, 60, 2):
        reinitialise(deep, [str(i)], seed=0)
    x = torch.randn(1, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert deep(x).square().mean().sqrt() > 0.02  # borders pad with zeros; torch's own: 1e-12


def test_what_cannot_be_reset_is_shuffled():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.arange(50.0))

    model = nn.Sequential(Scale())
    reinitialise(model, ["0"], seed=0)
    assert not torch.equal(model[0].scale, torch.arange(50.0))
    assert torch.equal(model[0].scale.sort().values, torch.arange(50.0))


@pytest.mark.parametrize(
    "name, first, last",
    [
        ("tf_efficientnet_lite0", ["conv_stem", "bn1"], ["classifier"]),
        ("torchvision:resnet18", ["conv1", "bn1"], ["fc"]),
        ("vit_tiny_patch16_224", [""], ["head"]),
    ],
)
def test_any_architecture_forgets_everything(name, first, last):
    net = nets.load(name, weights="random")
    order = layers(net)
    assert order[0] == first and order[-1] == last
    named = [path for layer in order for path in layer]
    with_parameters = {n.rpartition(".")[0] for n, _ in net.model.named_parameters()}
    assert len(named) == len(set(named)) and set(named) == with_parameters
    (_, _), (n, other) = cascade(net, 1)
    weights = {k for k, p in net.model.named_parameters() if p.ndim > 1 and p.std() > 0}
    state = other.model.state_dict()
    kept = {k for k in weights if torch.equal(state[k], net.model.state_dict()[k])}
    assert n == len(order) and kept == set()


def test_more_steps_than_layers_are_refused(net):
    with pytest.raises(ValueError, match="4 steps take as many layers; network has 3"):
        list(cascade(net, 4))
    with pytest.raises(ValueError, match="steps is at least 1, got 0"):
        list(cascade(net, 0))
