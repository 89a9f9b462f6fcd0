"""Tests that every metric in the registry must pass."""

import inspect
import pickle
import re
from functools import partial

import pytest
import torch

from lib.data import Part
from lib.errors import UnknownName
from lib.metrics import METRICS, metric_named
from lib.paths import ROOT

from ..networks import CLASSES, NETWORKS, affine, images, maps

TARGET = torch.tensor([0, 1, 2, 3])
BOXES = torch.tensor([[2.0, 3.0, 12.0, 14.0]])


PARTS = {"crown": Part((5.0, 4.0)), "tail": Part((11.5, 12.0))}
CHOSEN = {  # arguments without a default
    "distinguishing": {c: ["crown"] for c in range(CLASSES)},
    "rival": {0: 1, 1: 0, 2: 3, 3: 2},
}


MASK = torch.zeros(16, 16, dtype=torch.bool)
MASK[3:14, 2:12] = True


def given(metric, n=4):
    """The arguments of the metric: annotations of n samples, the method of the maps, and options."""
    known = {"boxes": [BOXES] * n, "method": "grad_cam", "parts": [PARTS] * n}
    known |= {"mask": [MASK] * n, "ignore": [MASK.T] * n}
    wanted = METRICS[metric].given.keys() - {"logits"}  # which change nothing
    return {name: known[name] for name in wanted} | options(metric)


def options(metric):
    wanted = CHOSEN if METRICS[metric].paper == "diffcam" else {}
    return {name: value for name, value in wanted.items() if name in METRICS[metric].options}


every_metric = pytest.mark.parametrize("metric", METRICS)
of_an_image = pytest.mark.parametrize("metric", [m for m in METRICS if not METRICS[m].whole])
of_a_data_set = pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].whole])


@pytest.mark.parametrize("network", NETWORKS)
@every_metric
def test_one_value_an_image_in_its_range(metric, network):
    net = NETWORKS[network]()
    values = METRICS[metric].fn(net, images(), TARGET, maps(), **given(metric))
    assert values.shape == (4,) and values.isfinite().all()
    low, high = METRICS[metric].range
    if METRICS[metric].whole:
        values = values.mean()
    assert low - 1e-12 <= values.min() and values.max() <= high + 1e-12


@every_metric
def test_inference_mode_changes_nothing(metric):
    """Inference mode is on around the call, or only when images, classes, maps and boxes are made."""
    net = affine()
    want = METRICS[metric].fn(net, images(), TARGET, maps(), **given(metric))
    with torch.inference_mode():
        made = images().clone(), TARGET.clone(), maps().clone()
        known = {k: [t.clone() for t in v] if k == "boxes" else v for k, v in given(metric).items()}
        inside = METRICS[metric].fn(net, *made, **known)
    for values in (inside, METRICS[metric].fn(net, *made, **known)):
        assert torch.equal(values, want)


@pytest.mark.parametrize(
    "made", [lambda t: t.numpy(), lambda t: t.tolist()], ids=["array", "lists"]
)
@every_metric
def test_numbers_mean_the_same_in_whatever_they_come(metric, made):
    net, x, S, known = affine(), images(), maps(), given(metric)
    want = METRICS[metric].fn(net, x, TARGET, S, **known)
    tensors = {"boxes", "mask", "ignore"} & known.keys()
    known |= {name: [made(one) for one in known[name]] for name in tensors}
    found = METRICS[metric].fn(net, made(x), made(TARGET), made(S), **known)
    assert torch.equal(found, want)
    if METRICS[metric].whole:
        accumulator = METRICS[metric].accumulator(**options(metric))
        known = {name: value for name, value in known.items() if name not in options(metric)}
        accumulator.update(made(S), net=net, x=x, target=TARGET, **known)
        assert torch.equal(accumulator.values(), want)


@pytest.mark.parametrize("metric", [m for m in METRICS if "logits" in METRICS[m].given])
def test_known_logits_change_no_number_and_save_a_pass(metric, monkeypatch):
    net, x, S = affine(), images(), maps()
    y, known = net(x), given(metric)
    known.pop("rival", None)  # which is read from the logits
    passes, forward = [], net.forward
    monkeypatch.setattr(net, "forward", lambda x: passes.append(len(x)) or forward(x))
    want = METRICS[metric].measurement(net, x, TARGET, S, **known)
    n = sum(passes)
    for logits in (y, y.tolist()):
        found = METRICS[metric].measurement(net, x, TARGET, S, **known, logits=logits)
        assert all(map(torch.equal, found, want))
    assert sum(passes) - n == 2 * (n - len(x))
    with pytest.raises(ValueError, match=r"logits are \(B, C\) = \(4, .*: pass net\(x\)"):
        METRICS[metric].fn(net, x, TARGET, S, **known, logits=y[:3])


def test_one_box_an_image_needs_no_list():
    energy, S = METRICS["energy_pointing_game"], maps()
    want = energy.fn(affine(), images(), 0, S, boxes=[BOXES] * 4)
    assert torch.equal(energy.fn(affine(), images(), 0, S, boxes=[(2, 3, 12, 14)] * 4), want)


@pytest.mark.parametrize(
    "target, S, boxes, message",
    [
        (None, maps(), [BOXES] * 4, "class indices, are numbers, .*got None"),
        (0, None, [BOXES] * 4, "maps are numbers, .*got None: use saliency.explain"),
        (0, maps(), "boxes.csv", r"boxes are numbers, .*: pass one \(n, 4\) for each image"),
        (0, maps(), None, "energy_pointing_game needs boxes: pass boxes="),
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(target, S, boxes, message):
    with pytest.raises(ValueError, match=message):
        METRICS["energy_pointing_game"].fn(affine(), images(), target, S, boxes=boxes)


@of_an_image
def test_values_depend_on_neither_batch_nor_order_nor_neighbours(metric):
    net, x, S = affine(), images(), maps()

    def value(index):
        known = given(metric, len(index))
        return METRICS[metric].fn(net, x[index], TARGET[index], S[index], **known)

    together, order = value(torch.arange(4)), torch.tensor([2, 0, 3, 1])
    alone = torch.cat([value(torch.tensor([i])) for i in range(4)])
    assert torch.allclose(alone, together, atol=1e-10)
    assert torch.allclose(value(order), together[order], atol=1e-10)


@of_a_data_set
def test_a_metric_of_a_data_set_depends_on_neither_batches_nor_order(metric):
    net, x, S = affine(), images(), maps()
    whole = METRICS[metric].fn(net, x, TARGET, S, **given(metric))
    for batches in ([[0, 1, 2, 3]], [[0], [1], [2], [3]], [[2], [3, 0, 1]]):
        chosen = options(metric)
        accumulator = METRICS[metric].accumulator(**chosen)
        for index in batches:
            known = {k: v for k, v in given(metric, len(index)).items() if k not in chosen}
            accumulator.update(S[index], net=net, x=x[index], target=TARGET[index], **known)
        assert torch.equal(accumulator.values(), whole[sum(batches, [])])
        assert accumulator.compute() == pytest.approx(whole.mean().item())


@of_a_data_set
def test_accumulators_of_shards_merge_to_the_same_number_bit_for_bit(metric):
    net, x, S = affine(), images(), maps()

    def shard(index):
        seen = pickle.loads(pickle.dumps(METRICS[metric].accumulator(**options(metric))))
        known = {k: v for k, v in given(metric, len(index)).items() if k not in options(metric)}
        seen.update(S[index], net=net, x=x[index], target=TARGET[index], **known)
        return pickle.loads(pickle.dumps(seen))

    together = shard([0, 1, 2, 3]).compute()
    for shards in ([[0], [1], [2], [3]], [[3, 1], [0, 2]], [[2], [3, 0, 1]]):
        first, *others = map(shard, shards)
        assert first.merge(*others) is first and first.compute() == together


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "part_iou"])  # it needs two classes
def test_one_class_serves_all_images(metric):
    net, x, S, known = affine(), images(), maps(), given(metric)
    each = METRICS[metric].fn(net, x, torch.full((4,), 2), S, **known)
    one = METRICS[metric].fn(net, x, 2, S, **known)
    torch.testing.assert_close(one, each, rtol=0, atol=0, equal_nan=True)


@every_metric
def test_nothing_is_left_behind(metric):
    net, x, S = affine(), images().requires_grad_(), maps()
    before, map_before = x.detach().clone(), S.clone()
    assert not METRICS[metric].fn(net, x, TARGET, S, **given(metric)).requires_grad
    assert torch.equal(x, before) and torch.equal(S, map_before) and x.grad is None
    assert all(p.grad is None for p in net.parameters())
    assert not any(
        m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in net.modules()
    )


@pytest.mark.gpu
@every_metric
def test_cuda_agrees_with_the_cpu(metric):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    net, x, S = affine().float(), images().float(), maps().float()
    want = METRICS[metric].fn(net, x, TARGET, S, **given(metric))
    there = METRICS[metric].fn(net.cuda(), x, TARGET, S, **given(metric))
    assert torch.allclose(there.cpu(), want, atol=1e-3)


# ----------------------------------------------------------------------------------- the registry


@every_metric
def test_the_entry_is_complete(metric):
    entry = metric_named(metric)
    assert entry.title and entry.symbol
    assert f"{{{entry.paper}," in (ROOT / "book" / "references.bib").read_text()
    assert entry.unit in ("%", "")
    assert entry.target in ("label", "predicted")
    assert entry.range[0] < entry.range[1]
    assert entry.unit == "" or entry.range[1] == 1


def test_directions_and_targets_are_the_papers():
    directions = {"average_drop": False, "average_gain": True, "average_increase": True,
                  "average_drop_in_deletion": True, "insertion": True, "deletion": False}  # fmt: skip
    assert {m: METRICS[m].higher_is_better for m in directions} == directions
    assert all(METRICS[m].unit == "%" for m in directions)
    predicted = {"insertion", "deletion"}
    assert {m for m in directions if METRICS[m].target == "predicted"} == predicted


@every_metric
def test_the_docstring_names_formula_paper_and_direction(metric):
    entry = METRICS[metric]
    doc = inspect.getdoc(entry.value)
    assert "$$" in doc
    assert re.search(r"\w+ (et al\.|&\s\w+) \d{4}|Opti-CAM|LIFT-CAM|DiffCAM|CALM", doc), "no paper"
    stated = re.findall(r"(higher|lower)\s+is\s+better", doc)
    unstated = {"relative_probability", "mean_saliency", "positive_area", "area_imbalance"}
    assert stated == ([] if metric in unstated else [_better(entry)])


def _better(entry) -> str:
    return "higher" if entry.higher_is_better else "lower"


# -------------------------------------------------------------------------------------- bad input


def test_an_unknown_metric_lists_those_there_are():
    with pytest.raises(
        UnknownName, match=r"'averagedrop' \(did you mean 'average_drop'\?\)"
    ) as error:
        metric_named("averagedrop")
    assert all(name in str(error.value) for name in METRICS)


@every_metric
def test_an_unknown_option_lists_those_there_are(metric):
    with pytest.raises(UnknownName, match=f"option of metric {metric} 'blurring'") as error:
        METRICS[metric].fn(affine(), images(), TARGET, maps(), blurring="rise", **given(metric))
    assert all(option in str(error.value) for option in METRICS[metric].options)


@pytest.mark.parametrize("metric", [m for m in METRICS if "masking" in METRICS[m].options])
def test_an_unknown_masking_lists_those_there_are(metric):
    with pytest.raises(UnknownName, match="unknown masking 'grey'; valid: pixels, normalized"):
        METRICS[metric].fn(affine(), images(), TARGET, maps(), masking="grey", **given(metric))


@every_metric
def test_bad_input_is_refused(metric):
    net, x, S = affine(), images(), maps()
    fn = partial(METRICS[metric].fn, **given(metric))
    nan_image, nan_map = x.clone(), S.clone()
    nan_image[2, 0, 3, 3] = nan_map[1, 0, 0] = torch.nan
    with pytest.raises(ValueError, match="image 2 of the batch holds NaN"):
        fn(net, nan_image, TARGET, S)
    with pytest.raises(ValueError, match="map of image 1 of the batch holds NaN"):
        fn(net, x, TARGET, nan_map)
    with pytest.raises(ValueError, match=r"images are in \[0, 1\], got \[.*, 255\]"):
        fn(net, x * 255, TARGET, S)
    with pytest.raises(
        ValueError, match=rf"maps are in \[{-1 if METRICS[metric].signed else 0}, 1\]"
    ):
        fn(net, x, TARGET, S * 2)
    with pytest.raises(ValueError, match=r"maps are \(B, H, W\) = \(4, 16, 16\), got \(4, 8, 8\)"):
        fn(net, x, TARGET, S[:, :8, :8])
    with pytest.raises(ValueError, match=f"class {CLASSES} is out of range"):
        fn(net, x, CLASSES, S)
