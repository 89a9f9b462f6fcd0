"""Tests that every method in the registry must pass."""

import inspect
import re

import pytest
import torch

from lib.errors import UnknownName
from lib.methods import METHODS, method_named
from lib.paths import ROOT
from lib.reference import reference_set
from lib.saliency import explain, raw_map

from ..networks import (
    CLASSES,
    MEAN,
    SIZE,
    STD,
    Affine,
    Untraceable,
    affine,
    family,
    images,
    non_linear,
    references,
    seeded,
    with_dead_channels,
    wrap,
)  # fmt: skip

BIBLIOGRAPHY = (ROOT / "book" / "references.bib").read_text()
FAST = {
    "opti_cam": {"iterations": 10},
    "extremal_perturbation": {
        "iterations": 12,
        "learning_rate": 0.2,
        "shrink": 0.5,
        "areas": (0.1, 0.3),
    },
    "lime": {"n": 20, "superpixels": 8},
    "gradient_shap": {"n": 3},
    "shap_cam": {"n": 4},
    "diff_cam": {"reference": references()},
}
ON_PIXELS = {"fake_cam", "extremal_perturbation", "lime", "gradient_shap"}  # the others: the layer
TARGET = torch.tensor([0, 1, 2, 3])
SINGLE = {"tibav": 1e-2}  # it divides by sums of both signs, which may be close to zero
HALF = {"tibav": 0.2, "extremal_perturbation": 0.3}  # the latter's masks diverge at equal pixels
WITHOUT_A_HEAD = {"fake_cam", "diff_cam"}  # they run the features at most
BOUND_TO_A_HEAD = {"cam"}  # it exists only for pooling and one linear layer

FAMILIES = {m: family(method.needs) for m, method in METHODS.items()}
ON_CHANNELS = [m for m in METHODS if not METHODS[m].needs & {"attention", "latent position"}]

every_method = pytest.mark.parametrize("method", METHODS)
method_and_network = pytest.mark.parametrize(
    "method, network",
    [
        (m, n)
        for m in METHODS
        for n in FAMILIES[m].networks
        if m not in BOUND_TO_A_HEAD or n in ("affine", "signed")
    ],
)


def options(method):
    return FAST.get(method, {})


def traces(net):
    """The traces that a call has left in a network: hooks, replaced methods, gradients."""
    found = []
    for name, module in net.named_modules():
        state = module.__dict__
        found += [(name, kind) for kind in state if kind.endswith("_hooks") and state[kind]]
        found += [(name, "forward")] if "forward" in state else []
    found += [(name, "train") for name, module in net.named_modules() if module.training]
    found += [
        (name, "grad")
        for name, p in net.named_parameters()
        if p.grad is not None or p.requires_grad
    ]
    return found + ([] if torch.is_grad_enabled() else ["gradients are off"])


# ------------------------------------------------------------------------------------- the maps


@method_and_network
def test_maps_are_finite_and_one_an_image(method, network):
    net, x = FAMILIES[method].networks[network](), images()
    raw = raw_map(method, net, x, TARGET, **options(method))
    assert raw.shape == (4, *(x.shape[2:] if method in ON_PIXELS else (8, 8)))
    assert raw.isfinite().all() and not raw.requires_grad and raw.dtype == torch.float64


@every_method
def test_images_need_not_be_square(method):
    net, x = FAMILIES[method].plain(), images(2, (16, 24))
    S = explain(method, net, x, 1, **options(method))
    assert S.shape == (2, 16, 24)
    assert S.min() == 0 and S.max() == pytest.approx(1)


@method_and_network
def test_maps_repeat(method, network):
    net, x = FAMILIES[method].networks[network](), images()
    first = raw_map(method, net, x, TARGET, **options(method))
    assert torch.equal(first, raw_map(method, net, x, TARGET, **options(method)))


@method_and_network
def test_maps_depend_on_neither_batch_nor_order_nor_neighbours(method, network):
    net, x = FAMILIES[method].networks[network](), images()
    together = raw_map(method, net, x, TARGET, **options(method))
    alone = [
        raw_map(method, net, x[i : i + 1], TARGET[i : i + 1], **options(method)) for i in range(4)
    ]
    order = torch.tensor([2, 0, 3, 1])
    shuffled = raw_map(method, net, x[order], TARGET[order], **options(method))
    others = raw_map(method, net, torch.cat([x[:1], images(3, seed=9)]), TARGET, **options(method))
    assert torch.allclose(torch.cat(alone), together, atol=1e-9)
    assert torch.allclose(shuffled, together[order], atol=1e-9)
    assert torch.allclose(others[0], together[0], atol=1e-9)


@pytest.mark.parametrize("method", ON_CHANNELS)
def test_dead_channels_change_nothing(method):
    """This holds although the weights behind the dead channels are large."""
    x, model = images(), seeded(Affine())
    net, wide = wrap(model), wrap(with_dead_channels(model))
    assert torch.allclose(net(x), wide(x))
    S = explain(method, net, x, TARGET, **options(method))
    assert torch.allclose(explain(method, wide, x, TARGET, **options(method)), S, atol=1e-6)


@every_method
def test_a_black_image_has_a_map(method):
    net, x = FAMILIES[method].plain(), torch.zeros(2, 3, 16, 16)
    assert explain(method, net, x, 0, **options(method)).isfinite().all()


@pytest.mark.parametrize("method", [m for m in METHODS if m not in BOUND_TO_A_HEAD])
def test_a_replayed_network_gives_the_maps_of_its_graph(method):
    x, kind = images(), FAMILIES[method]
    want = raw_map(method, kind.plain(), x, TARGET, **options(method))
    replayed = raw_map(method, kind.untraceable(), x, TARGET, **options(method))
    assert torch.allclose(replayed, want, atol=1e-9)


@every_method
def test_no_target_is_the_predicted_class(method):
    net, x = FAMILIES[method].plain(), images()
    want = raw_map(method, net, x, net(x).argmax(1), **options(method))
    assert torch.equal(raw_map(method, net, x, **options(method)), want)


@every_method
def test_single_precision_agrees_with_double(method):
    net, x = FAMILIES[method].plain(), images()
    S = explain(method, net, x, TARGET, **options(method))
    single = explain(method, net.float(), x.float(), TARGET, **options(method))
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), S, atol=SINGLE.get(method, 1e-4))


@every_method
def test_half_precision_agrees_with_single(method):
    x = (images(2) * 255).round() / 255  # half precision can represent these steps
    S = explain(method, FAMILIES[method].plain().float(), x.float(), 1, **options(method))
    half = explain(method, FAMILIES[method].plain().half(), x, 1, **options(method))
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), S, atol=HALF.get(method, 1e-2))


@pytest.mark.gpu
@every_method
def test_cuda_agrees_with_the_cpu(method):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    net, x = FAMILIES[method].plain().float(), images().float()
    S = explain(method, net, x, TARGET, **options(method))
    there = explain(method, net.cuda(), x, TARGET, **options(method))
    assert there.is_cuda
    assert torch.allclose(there.cpu(), S, atol=1e-3)


# ----------------------------------------------------------------------------- nothing left behind


@method_and_network
def test_nothing_is_left_behind(method, network):
    net, x = FAMILIES[method].networks[network](), images().requires_grad_()
    before, weights = x.detach().clone(), {k: v.clone() for k, v in net.state_dict().items()}
    explain(method, net, x, TARGET, **options(method))
    assert traces(net) == []
    assert torch.equal(x, before) and x.grad is None
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())


def fails_in_the_head(method):
    """A head that flattens its input gets a larger image."""
    return non_linear(), images(2, (24, 24)), r"shapes cannot be multiplied"


def fails_on_replay(method):
    return FAMILIES[method].untraceable(), images(Untraceable.LARGE), "too large"


@pytest.mark.parametrize(
    "method, failure",
    [(m, fails_on_replay) for m in METHODS if m not in WITHOUT_A_HEAD]
    + [(m, fails_in_the_head) for m in ON_CHANNELS if m not in WITHOUT_A_HEAD],
)
def test_nothing_is_left_behind_by_an_exception(method, failure):
    net, x, message = failure(method)
    sampled = ("shap_cam", "lime_cam", "lime", "gradient_shap")
    many = {"n": 200} if method in sampled else {}  # all samples in one batch
    with pytest.raises((RuntimeError, ValueError), match=message):
        raw_map(method, net, x, 0, **options(method) | many)
    assert traces(net) == []
    x = images()
    if method not in BOUND_TO_A_HEAD:
        fresh = type(net)(net.model, net.layer, mean=MEAN, std=STD, input_size=SIZE)
        want = raw_map(method, fresh, x, TARGET, **options(method))
        assert torch.allclose(raw_map(method, net, x, TARGET, **options(method)), want, atol=1e-9)


@every_method
def test_it_runs_where_gradients_are_off(method):
    net, x = FAMILIES[method].plain(), images(2)
    want = raw_map(method, net, x, 1, **options(method))
    with torch.no_grad():
        assert torch.equal(raw_map(method, net, x, 1, **options(method)), want)


@every_method
def test_inference_mode_changes_nothing(method):
    """Inference mode is on around the call, or only when images and classes are made."""
    net, x, c = FAMILIES[method].plain(), images(2), torch.tensor([1, 3])
    want = explain(method, net, x, c, **options(method))
    with torch.inference_mode():
        made = x.clone(), c.clone()
        inside = explain(method, net, *made, **options(method))
        given = explain(method, net, x, c, **options(method))
    for S in (inside, given, explain(method, net, *made, **options(method))):
        assert torch.equal(S, want)


# ----------------------------------------------------------------------------------- the registry


@every_method
def test_the_docstring_names_paper_and_equation_and_every_option(method):
    doc = inspect.getdoc(method_named(method).fn)
    assert re.search(r"\w+ (et al\.|& \w+) \d{4}|Opti-CAM|LIFT-CAM|DiffCAM|CALM", doc), "no paper"
    assert re.search(r"eq\. \(\w+|section [\d\"]", doc), "no equation"
    assert "Returns:" in doc
    described = doc[doc.index("Args:") :] if "Args:" in doc else ""
    for option in METHODS[method].options:
        assert re.search(rf"^ +(\w+, )*{option}(, \w+)*: ", described, re.M), (
            f"{option} is not described"
        )


@every_method
def test_its_example_runs(method):
    """The example runs with a class of the small network and with the few steps of these tests."""
    doc = inspect.getdoc(method_named(method).fn)
    (code,) = re.findall(r"Example:\n +>>> (.*)$", doc)
    plain, small = FAMILIES[method].plain(), options(method)
    known = {"net": plain, "x": images(2), "explain": lambda *a, **k: explain(*a, **k | small),
             "reference_set": reference_set, "photographs": references()}  # fmt: skip
    exec(code.replace("243", "2"), known)
    assert known["S"].shape == (2, 16, 16)
    assert f'"{method}"' in code


@every_method
def test_it_says_where_it_is_from(method):
    entry = method_named(method)
    assert f"{{{entry.paper}," in BIBLIOGRAPHY
    assert entry.title and re.search(r"eq\. \(\w+|section [\d\"]|algorithm \d", entry.equation)
    assert entry.needs <= {"gradients", "reference images", "attention", "latent position"}


def test_an_unknown_method_lists_those_there_are():
    with pytest.raises(
        UnknownName, match=r"'gradcam' \(did you mean 'grad_cam'\?\).*opti_cam"
    ) as error:
        explain("gradcam", affine(), images())
    assert isinstance(error.value, ValueError) and isinstance(error.value, KeyError)
    assert all(name in str(error.value) for name in METHODS)


@every_method
def test_an_unknown_option_lists_those_there_are(method):
    with pytest.raises(UnknownName, match=f"option of method {method} 'smooth'") as error:
        explain(method, FAMILIES[method].plain(), images(), smooth=True)
    assert all(option in str(error.value) for option in METHODS[method].options)


@pytest.mark.parametrize("method", [m for m in METHODS if "selector" in METHODS[m].options])
def test_an_unknown_selector_lists_those_there_are(method):
    with pytest.raises(UnknownName, match="unknown selector 'logits' .*probability"):
        explain(method, affine(), images(), 0, selector="logits", **options(method))


@every_method
def test_a_class_out_of_range_is_refused(method):
    for target in (CLASSES, -1):
        with pytest.raises(
            ValueError, match=f"class {target} is out of range.*classes 0 to {CLASSES - 1}"
        ):
            explain(method, FAMILIES[method].plain(), images(), target)
