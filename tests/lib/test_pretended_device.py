"""All runs on a device as on the CPU, and rarely makes the host wait: see `pretended_device`.

The numbers are equal bit for bit, since the pretended device computes them by the same steps on the
CPU. What the host waits for is counted for each method and metric, and does not grow unnoticed.
"""

from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lib import nets
from lib.evaluate import COLUMNS, evaluate
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.saliency import explain

from ..pretended_device import traffic
from .methods.test_methods import BOUND_TO_A_HEAD, FAST
from .metrics.test_metrics import given
from .networks import (
    affine,
    images,
    latent,
    maps,
    non_linear,
    references,
    transformer,
    untraceable,
)  # fmt: skip

N = 2  # images
TARGET = torch.tensor([3, 1])
DTYPES = (torch.float32, torch.float64)
of_both_precisions = pytest.mark.parametrize("dtype", DTYPES, ids=["single", "double"])


@pytest.fixture(autouse=True)
def _plain_attention():
    """The CPU has an attention kernel of its own; a device that has none takes these steps."""
    with sdpa_kernel(SDPBackend.MATH):
        yield


@cache
def on(device: str, make: Callable, dtype: torch.dtype) -> nets.Classifier:
    return make().to(dtype).to(device)


def there(t: Tensor) -> Tensor:
    return t.to("pretend")


# -------------------------------------------------------------------------------------- the device


def test_its_tensors_are_ordinary_and_have_the_cpus_numbers():
    x = images(N)
    y = x.to("pretend")
    assert type(y) is Tensor and y.device == torch.device("pretend:0")
    part = y[:, 1:, ::2]  # a view
    part += 1
    part.mul_(y.mean())
    x[:, 1:, ::2] += 1
    x[:, 1:, ::2] *= x.mean()
    assert torch.equal(y.cpu(), x) and y.stride() == x.stride()


def test_gradients_flow_there():
    W = torch.rand(4, 3, 3, 3, dtype=torch.float64)
    found = []
    for device in ("cpu", "pretend"):
        w = W.clone().to(device).requires_grad_()
        F.conv2d(images(N).to(device), w).relu().square().mean().backward()
        found.append(w.grad.cpu())
    assert torch.equal(*found)


V, INDEX = torch.rand(4, 4), torch.tensor([2, 0])
MIXED = {
    "a sum": lambda v: v + V,
    "a product of matrices": lambda v: v @ V,
    "a choice": lambda v: torch.where(V > 0.5, v, v),
    "a list": lambda v: torch.cat([v, V]),
    "a convolution": lambda v: F.conv2d(v[None, None], torch.rand(1, 1, 2, 2)),
    "an embedding": lambda v: F.embedding(INDEX, v),
    "an index of gather": lambda v: v.gather(0, INDEX[None]),
    "an index of index_select": lambda v: v.index_select(0, INDEX),
    "a mask of masked_fill": lambda v: v.masked_fill(V > 0.5, 0.0),
    "a value that is put": lambda v: v.index_put_((INDEX.to("pretend"),), V[:2]),
}


@pytest.mark.parametrize("operation", MIXED.values(), ids=MIXED)
def test_tensors_of_two_devices_do_not_mix(operation):
    with pytest.raises(RuntimeError, match="on the same device"):
        operation(V.to("pretend"))


def test_numbers_and_indices_of_the_host_mix_as_on_cuda():
    assert (there(torch.arange(5)) % 2).cpu().tolist() == [0, 1, 0, 1, 0]
    v = V.to("pretend")
    with traffic() as found:
        scaled, rows = v * torch.tensor(2.0), v[INDEX]
    assert torch.equal(scaled.cpu(), 2 * V) and torch.equal(rows.cpu(), V[INDEX])
    assert (len(found.reads), len(found.writes)) == (0, 1)  # the index is copied


def test_the_host_cannot_look_into_it():
    with pytest.raises(TypeError, match="can't convert pretend:0 device type tensor to numpy"):
        V.to("pretend").numpy()


def test_its_random_numbers_are_its_own():
    torch.manual_seed(0)
    here = torch.rand(8)
    torch.manual_seed(0)
    assert not torch.equal(torch.rand(8, device="pretend").cpu(), here)
    with pytest.raises(RuntimeError, match="Expected a 'pretend' device type for generator"):
        torch.rand(8, generator=torch.Generator(), device="pretend")


READS = {  # what is read, and how many times
    "item": (1, lambda v: v.sum().item()),
    "a branch": (1, lambda v: 1 if (v > 0.5).any() else 0),
    "tolist": (1, lambda v: v.tolist()),
    "cpu": (1, lambda v: v.cpu()),
    "nonzero": (1, lambda v: v.nonzero()),
    "unique": (1, lambda v: v.unique()),
    "a mask": (1, lambda v: v[v > 0.5]),
    "what a mask puts": (1, lambda v: v.index_put_((v[0] > 2,), v[:0].clone())),
    "equal": (1, lambda v: torch.equal(v, v)),
    "allclose": (1, lambda v: torch.allclose(v, v)),
    "a solution": (1, lambda v: torch.linalg.solve(v, v)),
    "a repetition": (1, lambda v: v.repeat_interleave(torch.ones_like(v[0]).long(), 0)),
    "the clock": (1, lambda v: nets.device.clock(v.device)),
    "arithmetic": (0, lambda v: (v @ v).softmax(1).argmax(1)),
    "indices": (0, lambda v: v[v.argsort(0)[:, 0]]),
    "a mask that is filled": (0, lambda v: v.masked_fill_(v > 0.5, 0.0)),
    "what a choice keeps": (0, lambda v: torch.where(v > 0.5, v, 0.0)),
    "shapes": (0, lambda v: torch.zeros(v.shape, device=v.device)),
}  # fmt: skip


@pytest.mark.parametrize("times, wait", READS.values(), ids=READS)
def test_waits_are_counted(times, wait):
    v = V.to("pretend")
    with traffic() as found:
        wait(v)
    assert len(found.reads) == times and found.writes == []


def test_a_wait_is_known_by_its_place():
    with traffic() as found:
        V.to("pretend").sum().item()
    assert found.writes[0].startswith("tests/lib/test_pretended_device.py:")
    assert "_local_scalar_dense" in found.reads[0]


# ----------------------------------------------------------------------------------------- methods


QUICK = FAST | {
    "opti_cam": {"iterations": 4},
    "extremal_perturbation": FAST["extremal_perturbation"] | {"iterations": 3},
}
BEHIND = {  # methods that follow every step behind the target layer refuse the ViT's
    "lift_cam", "lrp_cam",
}  # fmt: skip
CHECKS = 3  # reads of every call: the range of the images, the classes, whether the map is finite
WAITS = {  # further reads for N images, where the head is not affine, and copies to the device
    "cam": (1, 0),  # whether the gradient is the same everywhere
    "score_cam": (2, 0),  # the live channels, and their distinct masks
    "opti_cam": (3, 0),  # at each iteration from the second, which images stop
    "lift_cam": (2, 0),  # whether a secant is too short, and whether contributions add up
    "lrp_cam": (1, 0),
    "ablation_cam": (2 * N, 0),  # class and channels of each game
    "shap_cam": (3 * N + 1, 2 * N),  # orders are drawn on the CPU
    "lime_cam": (3 * N, 2 * N),  # so are coalitions, and the fit is made there
    "lime": (N + 1, N + 1),  # captum works there: only forward passes run on the device
    "gradient_shap": (2 * N + 1, 2 * N + 1),
    "diff_cam": (3, 2),  # whether there are references, how many, and whether the fit exists
    "extremal_perturbation": (0, 15 + 3),  # kernels, and the areas at each iteration
    "raw_attention": (0, 1),  # the index of the token
    "rollout": (0, 1),
    "tibav": (0, 1),
}


def networks(method: str) -> list[Callable]:
    needs = METHODS[method].needs
    if "latent position" in needs:
        return [latent]
    if "attention" in needs:
        return [transformer]
    if method in BOUND_TO_A_HEAD:
        return [affine]
    return [non_linear] if method in BEHIND else [non_linear, transformer]


@of_both_precisions
@pytest.mark.parametrize(
    "method, make",
    [pytest.param(m, n, id=f"{m}-{n.__name__}") for m in METHODS for n in networks(m)],
)
def test_a_method_gives_the_cpus_maps(method, make, dtype):
    x, options = images(N).to(dtype), QUICK.get(method, {})
    want = explain(method, on("cpu", make, dtype), x, TARGET, **options)
    net, x, target = on("pretend", make, dtype), there(x), there(TARGET)
    explain(method, net, x, target, **options)  # remembers what is the same for all images
    with traffic() as found:
        S = explain(method, net, x, target, **options)
    assert S.device == net.device and S.dtype == dtype
    assert torch.equal(S.cpu(), want)
    reads, writes = WAITS.get(method, (0, 0))
    assert len(found.reads) == CHECKS + reads, found.reads
    assert len(found.writes) == writes, found.writes


@pytest.mark.parametrize("method", ["grad_cam", "score_cam", "ablation_cam"])
def test_a_replayed_network_gives_the_cpus_maps(method):
    x = images(N)
    want = explain(method, on("cpu", untraceable, torch.float64), x, TARGET)
    S = explain(method, on("pretend", untraceable, torch.float64), there(x), there(TARGET))
    assert torch.equal(S.cpu(), want)


@pytest.mark.parametrize("method", METHODS)
def test_images_and_classes_may_lie_on_the_host(method):
    make, options = networks(method)[0], QUICK.get(method, {})
    net, x = on("pretend", make, torch.float64), images(N)
    want = explain(method, net, there(x), there(TARGET), **options)
    assert torch.equal(explain(method, net, x, TARGET, **options), want)


@pytest.mark.parametrize("iterations", [2, 6])
def test_an_iteration_of_opti_cam_reads_nothing_unless_an_image_can_stop(iterations):
    net, x, target = on("pretend", affine, torch.float64), there(images(N)), there(TARGET)
    for tolerance, reads in ((0.0, CHECKS), (1e-10, CHECKS + iterations - 1)):
        with traffic() as found:
            explain("opti_cam", net, x, target, iterations=iterations, tolerance=tolerance)
        assert len(found.reads) == reads, found.reads
        assert found.writes == []


def test_an_image_that_stops_leaves_the_others():
    x, options = images(N), {"tolerance": 0.05, "iterations": 6, "stopping": "loss"}
    want = explain("opti_cam", on("cpu", affine, torch.float64), x, TARGET, **options)
    S = explain(
        "opti_cam", on("pretend", affine, torch.float64), there(x), there(TARGET), **options
    )
    assert torch.equal(S.cpu(), want)


# ----------------------------------------------------------------------------------------- metrics


LABELLED, AGAIN = 1, 2 * CHECKS  # a copy for what runs on the CPU; the checks of another map
READS_OF_METRICS = {  # further reads for N images
    **dict.fromkeys(("insertion", "deletion", "insertion_auc", "deletion_auc"), 2),  # the curve
    "aopc": 3,
    **dict.fromkeys(("adcc", "coherency", "complexity"), AGAIN),
    "max_sensitivity": AGAIN - 2 + N,  # without the range of both; a seed of each image
    **dict.fromkeys(("official_metric", "localization_error", "saliency_metric"), LABELLED),
    **dict.fromkeys(("box_accuracy", "max_box_acc_v2"), LABELLED),
    "relative_probability": 1,  # whether anything is hidden
    **dict.fromkeys(("pxap", "cue_pxap"), 3),  # which pixels count, the histogram, its sum
    "remove_and_classify": 3,  # the images, for seeds, and the answers to both erasures
    **dict.fromkeys(("part_precision", "part_recall", "part_f1"), 2),  # classes and regions
    "part_iou": 5,  # and the rivals
}


@of_both_precisions
@pytest.mark.parametrize("make", [affine, transformer])
@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_gives_the_cpus_numbers(metric, make, dtype):
    x, S, known = images(N).to(dtype), maps(N).to(dtype), given(metric, N)
    target = torch.tensor([0, 1])
    want = METRICS[metric].fn(on("cpu", make, dtype), x, target, S, **known)
    net = on("pretend", make, dtype)
    with traffic() as found:
        values = METRICS[metric].fn(net, there(x), there(target), there(S), **known)
    torch.testing.assert_close(values.cpu(), want, rtol=0, atol=0, equal_nan=True)
    reads = [r for r in found.reads if not r.startswith("tests")]
    assert len(reads) == CHECKS + READS_OF_METRICS.get(metric, 0), reads


@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].whole])
def test_an_accumulator_takes_maps_from_the_device(metric):
    known = {k: v for k, v in given(metric, N).items() if k in METRICS[metric].given}
    options = {k: v for k, v in given(metric, N).items() if k not in known}
    found = []
    for device in ("cpu", "pretend"):
        net = on(device, affine, torch.float64)
        x, S, target = (t.to(device) for t in (images(N), maps(N), torch.tensor([0, 1])))
        accumulator = METRICS[metric].accumulator(**options)
        accumulator.update(S, net=net, x=x, target=target, **known)
        found.append(accumulator.values())
    torch.testing.assert_close(*found, rtol=0, atol=0, equal_nan=True)


# ---------------------------------------------------------------------------------------- evaluate


@pytest.mark.parametrize("make", [affine, transformer])
def test_evaluate_gives_the_cpus_table(make):
    data = references(3)
    methods = {"GC": "grad_cam", "SC": "score_cam", "OC": ("opti_cam", {"iterations": 3})}
    metrics = ["average_drop", "deletion"]
    want, got = (
        evaluate(on(device, make, torch.float64), data, methods, metrics, batch_size=2)
        for device in ("cpu", "pretend")
    )
    values = [c for c in COLUMNS if c != "seconds"]
    pd.testing.assert_frame_equal(got[values], want[values], check_exact=True)
    assert got["value"].notna().all()
