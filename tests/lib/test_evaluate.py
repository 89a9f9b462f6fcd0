"""Evaluation: one table, the same however it is computed, and nothing computed twice."""

import inspect
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, get_ident

import numpy as np
import pandas as pd
import pytest
import torch
from filelock import FileLock
from PIL import Image
from torch import nn

from lib import code, nets
from lib import data as datasets
from lib.classes import matched
from lib.data import Dataset, Sample
from lib.errors import UnknownName
from lib.evaluate import COLUMNS, coefficients, evaluate, evaluate_maps, saliency_maps, similarity
from lib.methods import METHODS
from lib.metrics import METRICS
from lib.reference import reference_set
from lib.saliency import attribute, explain

SIZE, N = 16, 7
METHOD_NAMES = ["grad_cam", "score_cam"]
METRIC_NAMES = ["average_drop", "average_gain", "deletion"]


class Net(nn.Module):
    """A network of convolution, ReLU, pooling and one linear layer."""

    def __init__(self, seed: int = 0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.act, self.classifier = nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.Linear(6, 3)
        with torch.no_grad():
            self.conv.weight *= 4
            self.classifier.weight *= 4

    def forward(self, x):
        return self.classifier(self.act(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def net() -> nets.Classifier:
    return nets.wrap(Net().double(), "act", mean=(0.5,) * 3, input_size=SIZE, name="tiny")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with three classes of coloured noise."""
    rng = np.random.default_rng(0)
    for i in range(N):
        folder = tmp_path / "images" / str(i % 3)
        folder.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 128, (5, 5, 3)) + rng.integers(0, 128, 3)
        Image.fromarray(coarse.astype(np.uint8)).resize((20, 20)).save(folder / f"{i}.png")
    return tmp_path / "images"


@pytest.fixture
def data(root: Path) -> Dataset:
    return datasets.load("folder", root=root, size=SIZE)


@pytest.fixture
def calls(monkeypatch) -> dict[str, list[int]]:
    """The number of images in each call of a method or a measurement, by its name."""
    counted: dict[str, list[int]] = {}

    def counting(registry: dict, name: str, attribute: str, label: str):
        inner = getattr(registry[name], attribute)

        def run(net, x, *args, **options):
            counted.setdefault(label, []).append(len(x))
            return inner(net, x, *args, **options)

        run.__name__, run.__signature__ = inner.__name__, inspect.signature(inner)
        monkeypatch.setitem(registry, name, replace(registry[name], **{attribute: run}))

    for name in METHOD_NAMES:
        counting(METHODS, name, "fn", name)
    for name in METRIC_NAMES:
        counting(METRICS, name, "measure", METRICS[name].measure.__name__)
    return counted


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """The results in a fixed order, without the times."""
    keys = ["method", "image", "metric"]
    return frame.drop(columns="seconds").sort_values(keys).reset_index(drop=True)


def assert_same(got: pd.DataFrame, want: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table(got), table(want), rtol=1e-9, atol=1e-12)


def unnamed(data: Dataset) -> Dataset:
    """The dataset without names of classes: its targets are the network's class numbers."""
    return replace(data, classes=None)


def total(calls: dict[str, list[int]]) -> int:
    return sum(map(sum, calls.values()))


# ------------------------------------------------------------------------------------ the table


def test_the_table_is_what_explain_and_the_metrics_give(net, data):
    frame = evaluate(net, data, METHOD_NAMES, METRIC_NAMES)
    assert list(frame.columns) == COLUMNS
    assert len(frame) == N * len(METHOD_NAMES) * len(METRIC_NAMES)
    assert set(frame.network) == {"tiny"} and set(frame.dataset) == {"folder"}
    assert frame.error.isna().all() and frame.value.notna().all() and (frame.seconds > 0).all()
    assert (frame.group == frame.image).all()
    for row in frame.itertuples():
        sample = data[data.ids.index(row.image)]
        x = sample.image[None].double()
        predicted = int(net(x).argmax(1))
        target = predicted if row.metric == "deletion" else sample.target
        value = METRICS[row.metric].fn(net, x, target, explain(row.method, net, x, target))
        assert row.target == target
        assert row.value == pytest.approx(
            value.item(), rel=1e-6, abs=1e-8
        )  # maps are kept in float32


@pytest.mark.parametrize(
    "options",
    [dict(batch_size=1), dict(batch_size=3), dict(batch_size=3, shard_size=2), dict(shard_size=N)],
    ids=str,
)
def test_numbers_do_not_depend_on_batches_or_shards(net, data, options):
    assert_same(
        evaluate(net, data, METHOD_NAMES, METRIC_NAMES, **options),
        evaluate(net, data, METHOD_NAMES, METRIC_NAMES),
    )


def test_nor_on_the_order_of_images_methods_and_metrics(net, data):
    other = evaluate(
        net, data.subset(range(N)[::-1]), METHOD_NAMES[::-1], METRIC_NAMES[::-1], batch_size=3
    )
    assert_same(other, evaluate(net, data, METHOD_NAMES, METRIC_NAMES))


class Elsewhere(ThreadPoolExecutor):
    """An executor that pickles arguments and results, as between processes."""

    def submit(self, fn, *arguments):
        def run(task: bytes) -> bytes:
            fn, arguments = pickle.loads(task)
            return pickle.loads(pickle.dumps(fn(*arguments)))

        return super().submit(run, pickle.dumps((fn, arguments)))


@pytest.mark.parametrize("pool", [partial(ThreadPoolExecutor, 3), partial(Elsewhere, 1)])
def test_nor_on_the_executor(net, data, tmp_path, pool):
    options = {"shard_size": 4, "store": tmp_path / "s"}
    with pool() as executor:
        got = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, executor=executor, **options)
    want = evaluate(net, data, METHOD_NAMES, METRIC_NAMES)
    assert_same(got, want)
    rows = ["image", "method", "metric"]
    assert got[rows].equals(want[rows])


def test_a_task_carries_neither_the_network_nor_reference_features(net, data):
    tasks = []

    class Noting(ThreadPoolExecutor):
        def submit(self, *task):
            tasks.append(pickle.dumps(task))
            return super().submit(*task)

    features = torch.rand(20_000, 6, dtype=torch.double)  # of a megabyte
    methods = {"diff_cam": ("diff_cam", {"reference": features})}
    with Noting(1) as executor:
        evaluate(net, data, methods, METRIC_NAMES, executor=executor, shard_size=4)
    assert len(tasks) == 2 and max(map(len, tasks)) < 10_000
    assert b"conv" in pickle.dumps(net) and not any(b"conv" in task for task in tasks)


def test_nor_on_inference_mode(net, data, tmp_path):
    metrics = [*METRIC_NAMES, "max_sensitivity", "adcc"]
    want = evaluate(net, data, METHOD_NAMES, metrics)
    with torch.inference_mode():
        assert_same(evaluate(net, data, METHOD_NAMES, metrics, store=tmp_path), want)
        S = saliency_maps(net, data, "grad_cam", batch_size=2)
        frame = evaluate_maps(net, data, {"grad_cam": S}, METRIC_NAMES)
        alpha = coefficients(net, data, ["lift_cam"], store=tmp_path)["lift_cam"]
    assert torch.equal(S, saliency_maps(net, data, "grad_cam"))
    assert_same(evaluate_maps(net, data, {"grad_cam": S}, METRIC_NAMES), frame)
    assert torch.equal(alpha, coefficients(net, data, ["lift_cam"])["lift_cam"])


def test_variants_of_one_method_and_metric(net, data):
    frame = evaluate(
        net, data,
        {"by logit": "score_cam", "by probability": ("score_cam", {"weighting": "probability"})},
        {"coarse": ("deletion", {"step": 128}), "fine": ("deletion", {"step": 16}), "AD": "average_drop"},
    )  # fmt: skip
    assert set(frame.method) == {"by logit", "by probability"} and set(frame.metric) == {
        "coarse",
        "fine",
        "AD",
    }
    values = frame.pivot(index="image", columns=["method", "metric"], values="value")
    assert not np.allclose(values["by logit", "AD"], values["by probability", "AD"])
    assert not np.allclose(values["by logit", "coarse"], values["by logit", "fine"])


def test_metrics_explain_further_images_by_the_same_method_and_options(net, data):
    options = {"weighting": "probability"}
    metrics = ["max_sensitivity", "adcc"]
    frame = evaluate(net, data, {"by probability": ("score_cam", options)}, metrics, batch_size=3)
    x, target = torch.stack([s.image for s in data]).double(), torch.tensor(data.targets)
    S = explain("score_cam", net, x, target, **options)
    for metric in metrics:
        got = frame[frame["metric"] == metric]["value"].to_numpy()
        same, other = (
            METRICS[metric].fn(net, x, target, S, method=method)
            for method in (partial(explain, "score_cam", net, **options), "score_cam")
        )
        assert np.allclose(got, same, atol=1e-5) and not np.allclose(got, other, atol=1e-3)


def test_a_metric_of_signed_maps_gets_them(net, data, calls, tmp_path):
    """Signed maps, with and without a contrast, are stored apart from maps in [0, 1]."""
    methods = {name: ("grad_cam", {"contrast": name}) for name in ("none", "max", "weighted")}
    options = {"keep": "negative", "replacement": "zeros"}
    metrics = {"negative": ("relative_probability", options), "AD": "average_drop"}
    x, target = torch.stack([s.image for s in data]).double(), torch.tensor(data.targets)
    wanted = {}
    for name in methods:
        S, signed = (
            explain("grad_cam", net, x, target, signed=s, contrast=name) for s in (False, True)
        )
        value = METRICS["relative_probability"].fn(net, x, target, signed, **options)
        wanted[name] = signed, value, METRICS["average_drop"].fn(net, x, target, S)
    before = sum(calls["grad_cam"])
    for _ in range(2):
        frame = evaluate(net, data, methods, metrics, store=tmp_path / "s", batch_size=3)
        assert sum(calls["grad_cam"]) == before + 3 * N
        for name, (signed, *values) in wanted.items():
            for metric, value in zip(metrics, values):
                rows = frame[(frame["method"] == name) & (frame["metric"] == metric)]
                assert np.allclose(rows["value"], value, atol=1e-5)
            how = {"signed": True, "contrast": name, "store": tmp_path / "s"}
            kept = saliency_maps(net, data, "grad_cam", **how)
            assert torch.allclose(kept.double(), signed, atol=1e-6)
    given = evaluate_maps(net, data, {"weighted": signed}, {"negative": metrics["negative"]})
    assert_same(
        given.drop(columns="seconds").assign(seconds=0.0),
        frame[(frame["method"] == "weighted") & (frame["metric"] == "negative")],
    )
    refused = evaluate_maps(net, data, {"weighted": signed}, ["average_drop"])
    assert refused["error"].str.contains(r"maps are in \[0, 1\]").all()


def test_images_without_a_label_are_explained_for_the_predicted_class(net, root):
    for path in sorted(root.rglob("*.png")):
        path.rename(root / path.name)
    for folder in [path for path in root.iterdir() if path.is_dir()]:
        folder.rmdir()
    data = datasets.load("folder", root=root, size=SIZE)
    assert data.targets == (None,) * N
    frame = evaluate(net, data, ["grad_cam"], ["average_drop", "deletion"], batch_size=2)
    predicted = {s.id: int(net(s.image[None]).argmax(1)) for s in data}
    assert dict(zip(frame.image, frame.target)) == predicted and len(set(predicted.values())) > 1
    labelled = replace(
        data, records=tuple(replace(r, target=predicted[r.id]) for r in data.records)
    )
    assert_same(frame, evaluate(net, labelled, ["grad_cam"], ["average_drop", "deletion"]))


def test_an_empty_dataset_gives_an_empty_table(net, data):
    assert list(evaluate(net, data.subset([]), METHOD_NAMES, METRIC_NAMES).columns) == COLUMNS


# ------------------------------------------------------------------------- nothing computed twice


def test_metrics_that_share_a_measurement_run_it_once(net, data, calls):
    evaluate(net, data, ["grad_cam"], METRIC_NAMES)
    assert sum(calls["preserved"]) == N  # the measurement of average drop and average gain
    assert sum(calls["deletion_curve"]) == N


def test_one_map_serves_metrics_of_the_same_class(net, data, calls):
    predicted = [int(net(s.image[None]).argmax(1)) for s in data]
    agree = sum(p == t for p, t in zip(predicted, data.targets))
    assert 0 < agree < N
    evaluate(net, data, ["grad_cam"], METRIC_NAMES)
    assert sum(calls["grad_cam"]) == N + (N - agree)


def test_a_second_call_computes_nothing(net, data, calls, tmp_path):
    first = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, store=tmp_path / "s", batch_size=3)
    done = total(calls)
    second = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, store=tmp_path / "s", batch_size=2)
    assert total(calls) == done > 0
    pd.testing.assert_frame_equal(first, second)


def test_another_metric_takes_the_stored_maps(net, data, calls, tmp_path):
    evaluate(net, data, METHOD_NAMES, ["average_drop"], store=tmp_path / "s")
    maps = sum(calls["grad_cam"]), sum(calls["score_cam"])
    evaluate(net, data, {"other label": "grad_cam"}, {"AG": "average_gain"}, store=tmp_path / "s")
    assert (sum(calls["grad_cam"]), sum(calls["score_cam"])) == maps
    assert sum(calls["preserved"]) == 3 * N


def test_stored_values_are_not_measured_again_beside_another_metric(net, data, calls, tmp_path):
    first = evaluate(net, data, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    both = evaluate(net, data, ["grad_cam"], ["deletion", "average_drop"], store=tmp_path / "s")
    assert sum(calls["preserved"]) == N == sum(calls["deletion_curve"])
    again = both[both["metric"] == "average_drop"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, first)


def test_a_default_that_is_named_takes_what_is_stored(net, data, calls, tmp_path):
    evaluate(net, data, ["score_cam"], ["average_drop"], store=tmp_path / "s")
    done = total(calls)
    named = {"Score": ("score_cam", {"weighting": "logit", "masking": "pixels"})}
    drop = {"AD": ("average_drop", {"masking": "pixels"})}
    evaluate(net, data, named, drop, store=tmp_path / "s")
    assert total(calls) == done
    evaluate(
        net,
        data,
        {"Score": ("score_cam", {"weighting": "probability"})},
        drop,
        store=tmp_path / "s",
    )
    assert total(calls) > done


def test_another_choice_of_images_takes_the_stored_maps(net, data, calls, tmp_path):
    whole = evaluate(net, data, ["grad_cam"], ["average_drop"], store=tmp_path / "s", batch_size=3)
    done, some = sum(calls["grad_cam"]), [4, 0, 3]
    found = evaluate(net, data.subset(some), ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    assert sum(calls["grad_cam"]) == done
    assert_same(found, whole.iloc[some].reset_index(drop=True))


def test_figures_cost_nothing_after_the_table(net, data, calls, tmp_path):
    evaluate(net, data, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    done = total(calls)
    S = saliency_maps(net, data, "grad_cam", store=tmp_path / "s")
    assert total(calls) == done
    x = torch.stack([s.image for s in data])
    assert torch.allclose(
        S.double(), explain("grad_cam", net, x, torch.tensor(data.targets)), atol=1e-6
    )
    S = saliency_maps(net, data, "grad_cam", target="predicted", batch_size=3)
    assert torch.allclose(S.double(), explain("grad_cam", net, x), atol=1e-6)


@pytest.fixture
def in_two_processes(tmp_path, monkeypatch):
    """`in_two_processes(run)` gives both results of a run on one store. A process that finds the
    shard locked waits; here they are threads, and the first one computes only when both ask."""
    askers, second = set(), Event()

    class Lock(FileLock):
        def acquire(self, *args, **options):
            askers.add(get_ident())
            if len(askers) == 2:
                second.set()
            return super().acquire(*args, **options)

    inner = METHODS["grad_cam"].fn

    def grad_cam(net, x, target, **options):
        assert second.wait(timeout=60)
        return inner(net, x, target, **options)

    grad_cam.__signature__ = inspect.signature(inner)
    monkeypatch.setattr("lib.shard_store.FileLock", Lock)
    monkeypatch.setitem(METHODS, "grad_cam", replace(METHODS["grad_cam"], fn=grad_cam))

    def both(run):
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(run, store=tmp_path / "s") for _ in range(2)]
            return [one.result() for one in runs]

    return both


def test_values_that_another_process_makes_are_waited_for_and_read(
    net, data, calls, in_two_processes
):
    one, other = in_two_processes(partial(evaluate, net, data, ["grad_cam"], ["average_drop"]))
    assert calls == {"grad_cam": [N], "preserved": [N]}
    pd.testing.assert_frame_equal(one, other)


def test_so_are_maps(net, data, calls, in_two_processes):
    one, other = in_two_processes(partial(saliency_maps, net, data, "grad_cam", batch_size=3))
    assert calls == {"grad_cam": [3, 3, 1]} and torch.equal(one, other)


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_an_interruption_loses_no_more_than_a_batch(
    net, data, calls, tmp_path, monkeypatch, seconds
):
    """Whether each batch is written at once, or the batches of some time together."""
    monkeypatch.setattr("lib.shard.WRITING", seconds)
    counting, budget = METHODS["score_cam"].fn, [2]

    def score_cam(*args, weighting="logit", masking="pixels", chunk=None):
        budget[0] -= 1
        if budget[0] < 0:
            raise KeyboardInterrupt
        return counting(*args, weighting=weighting, masking=masking, chunk=chunk)

    how = {"batch_size": 2, "store": tmp_path / "s"}
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "score_cam", replace(METHODS["score_cam"], fn=score_cam))
        with pytest.raises(KeyboardInterrupt):
            evaluate(net, data, METHOD_NAMES, ["average_drop"], **how)
    assert (sum(calls["grad_cam"]), sum(calls["score_cam"])) == (N, 4)
    frame = evaluate(net, data, METHOD_NAMES, ["average_drop"], **how)
    assert (sum(calls["grad_cam"]), sum(calls["score_cam"])) == (N, N)
    assert_same(frame, evaluate(net, data, METHOD_NAMES, ["average_drop"]))
    assert not list((tmp_path / "s").rglob(".writing-*"))


def test_files_grow_with_shards_and_not_with_images(net, data, tmp_path):
    """Each shard has one file of maps, for labels and predicted classes, and one of each metric."""
    how = {"batch_size": 1, "shard_size": 4, "store": tmp_path / "s"}
    evaluate(net, data, ["grad_cam"], METRIC_NAMES, **how)
    blocks = [*(tmp_path / "s").glob("*/maps/*")]
    assert len(blocks) == 2
    assert len([*(tmp_path / "s").glob("*/*.safetensors")]) == 2 * len(METRIC_NAMES)


def test_batches_of_a_killed_shard_end_in_one_file(net, data, calls, tmp_path, monkeypatch):
    how = {"batch_size": 2, "store": tmp_path / "s"}

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("lib.shard.WRITING", 0)
        patch.setattr("lib.shard_store.ShardStore.gather_maps", killed)
        saliency_maps(net, data, "grad_cam", **how)
    assert len([*(tmp_path / "s").glob("*/maps/*")]) == 4
    saliency_maps(net, data, "grad_cam", **how)
    assert len([*(tmp_path / "s").glob("*/maps/*")]) == 1
    assert sum(calls["grad_cam"]) == N


@pytest.mark.parametrize("seconds", [0, 1e9])
def test_a_shard_ends_in_one_file_whenever_its_maps_are_written(
    net, data, tmp_path, monkeypatch, seconds
):
    monkeypatch.setattr("lib.shard.WRITING", seconds)
    saliency_maps(net, data, "grad_cam", batch_size=2, store=tmp_path / "s")
    assert len([*(tmp_path / "s").glob("*/maps/*")]) == 1


def changed_options(net, data):
    return net, data, {"score_cam": ("score_cam", {"weighting": "probability"})}


def changed_weights(net, data):
    return nets.wrap(Net(seed=1).double(), "act", input_size=SIZE, name="tiny"), data, ["score_cam"]


def changed_layer(net, data):
    return nets.wrap(net.model, "conv", input_size=SIZE, name="tiny"), data, ["score_cam"]


def changed_scaling(net, data):
    return (
        nets.wrap(net.model, "act", mean=(0.4,) * 3, input_size=SIZE, name="tiny"),
        data,
        ["score_cam"],
    )


def changed_precision(net, data):
    copy = pickle.loads(pickle.dumps(net))
    assert copy.fingerprint  # computed before the change
    return copy.float(), data, ["score_cam"]


def changed_size(net, data):
    return net, data.at(SIZE + 2), ["score_cam"]


def changed_content(net, data):
    Image.new("RGB", (20, 20), (200, 30, 90)).save(data.records[2].path)
    return net, data, ["score_cam"]


def changed_label(net, data):
    records = list(data.records)
    records[0] = replace(records[0], target=2)
    return net, replace(data, records=tuple(records)), ["score_cam"]


CHANGES = [changed_options, changed_weights, changed_layer, changed_scaling, changed_precision, changed_size,
           changed_content, changed_label]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_numbers_computes_them_again(net, data, calls, tmp_path, change):
    before = evaluate(net, data, ["score_cam"], ["average_drop"], store=tmp_path / "s")
    done = sum(calls["score_cam"])
    other, images, methods = change(net, data)
    after = evaluate(other, images, methods, ["average_drop"], store=tmp_path / "s")
    assert sum(calls["score_cam"]) > done
    assert not np.array_equal(before.value, after.value)
    assert_same(after, evaluate(other, images, methods, ["average_drop"]))


@pytest.fixture
def written(monkeypatch):
    """`written("cam.py", "x = 1")` adds a line to a module, but only as its hash reads it."""
    added, inner = {}, Path.read_bytes

    def add(module: str, line: str) -> None:
        added[module] = b"\n" + line.encode()
        forget()

    def forget() -> None:
        code._parsed.cache_clear(), code.code_key.cache_clear()

    monkeypatch.setattr(Path, "read_bytes", lambda path: inner(path) + added.get(path.name, b""))
    yield add
    monkeypatch.undo()
    forget()


def test_a_comment_discards_nothing_and_changed_code_does(net, written, tmp_path):
    """Changes in a method, in its imports, in a metric, and in the code that draws the images."""
    data = unnamed(datasets.load("scenes", limit=3, size=SIZE).relabelled(range(3)))

    def made(files: str) -> set[Path]:
        before = set((tmp_path / "s").glob(f"*/{files}.safetensors"))
        evaluate(net, data, ["xgrad_cam"], ["average_drop"], store=tmp_path / "s")
        return set((tmp_path / "s").glob(f"*/{files}.safetensors")) - before

    modules = ("xgrad_cam.py", "gradients.py", "saliency.py", "drawing.py", "confidence.py")
    assert made("maps/*")
    for module in modules:
        written(module, "# a comment")
    assert not made("maps/*") and not made("average_drop-*")
    for module in modules[:-1]:
        written(module, "changed = 1")
        assert made("maps/*"), module
    written("confidence.py", "changed = 1")
    assert made("average_drop-*")
    written(
        "classifier.py", "changed = 1"
    )  # a network is identified by its outputs, not by its code
    written("score_cam.py", "changed = 1")
    assert not made("maps/*") and not made("average_drop-*")


def test_a_moved_dataset_does_not(net, data, calls, tmp_path, root):
    evaluate(net, data, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    done = total(calls)
    moved = datasets.load("folder", root=root.rename(tmp_path / "elsewhere"), size=SIZE)
    evaluate(net, moved, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    assert total(calls) == done


@dataclass(frozen=True)
class Crop:
    """A record with a group, as crops of one photograph have."""

    record: object
    group: str
    target: int

    @property
    def id(self) -> str:
        return self.record.id

    def sample(self, size) -> Sample:
        return replace(self.record.sample(size), target=self.target, group=self.group)

    def fingerprint(self) -> str:
        return self.record.fingerprint()


def test_groups_survive_the_store(net, data, tmp_path):
    crops = replace(
        data,
        records=tuple(Crop(r, f"photograph {i % 2}", r.target) for i, r in enumerate(data.records)),
    )
    for _ in range(2):
        frame = evaluate(net, crops, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
        assert list(frame.group) == [f"photograph {i % 2}" for i in range(N)]


def test_a_store_may_lie_at_home(net, data, calls, tmp_path, monkeypatch):
    home, current = tmp_path / "home", tmp_path / "current"
    home.mkdir(), current.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(current)
    want = evaluate(net, data, ["grad_cam"], METRIC_NAMES, store="~/maps")
    before = total(calls)
    again = evaluate(net, data, ["grad_cam"], METRIC_NAMES, store=home / "maps")
    saliency_maps(net, data, "grad_cam", store=Path("~/maps"))
    reference_set(net, data, store="~/maps")
    assert total(calls) == before and list(home.iterdir()) == [home / "maps"]
    assert (home / "maps/references").is_dir() and not list(current.iterdir())
    assert_same(again, want)


# --------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("damage", ["truncated", "no image"])
def test_a_damaged_file_becomes_a_row_with_its_error(net, data, tmp_path, calls, damage):
    path = data.records[2].path
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage == "truncated" else b"text")
    frame = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, store=tmp_path / "s")
    bad = frame[frame.image == data.ids[2]]
    assert len(frame) == N * 6 and len(bad) == 6
    assert bad.value.isna().all() and bad.error.str.contains(path.name, regex=False).all()
    rest = frame[frame.image != data.ids[2]]
    assert rest.error.isna().all() and rest.value.notna().all()
    path.write_bytes(whole)
    assert evaluate(net, data, METHOD_NAMES, METRIC_NAMES, store=tmp_path / "s").error.isna().all()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere.png")


def folder_named_so(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (dangling, "it links to nothing"),
        (Path.unlink, "it is not there"),
        (folder_named_so, "it is a folder"),
        (pipe, "it is no file"),
    ],
)
def test_a_file_that_is_none_becomes_a_row_with_its_error(
    net, data, tmp_path, calls, harm, said, stored
):
    where = {"store": tmp_path / "s"} if stored else {}
    want = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, **where)
    harm(data.records[2].path)
    frame = evaluate(net, data, METHOD_NAMES, METRIC_NAMES, **where)
    bad = frame.image == data.ids[2]
    path = data.records[2].path
    assert set(frame[bad].error) == {f"cannot read the image {path}: {said}; replace or remove it"}
    assert frame[bad].value.isna().all() and frame[bad].seconds.isna().all()
    assert_same(frame[~bad], want[~bad])
    assert evaluate(net, data, METHOD_NAMES, METRIC_NAMES, **where).error.notna().sum() == 6


@pytest.mark.parametrize("stored", [False, True])
def test_so_does_one_whose_mask_has_gone(net, boxed_folder, tmp_path, stored):
    where = {"store": tmp_path / "s"} if stored else {}
    images = datasets.load("folder", root=boxed_folder, size=SIZE)
    (boxed_folder / "masks/a.png").unlink()
    frame = evaluate(net, images, ["grad_cam"], ["average_drop"], **where)
    assert list(frame.error.isna()) == [False, True]
    assert "masks/a.png: it is not there" in frame.error[0]


@pytest.fixture
def boxed_folder(tmp_path):
    folder = tmp_path / "masked"
    (folder / "masks").mkdir(parents=True)
    for place in ("a.png", "b.png", "masks/a.png"):
        Image.effect_noise((20, 20), 80).save(folder / place)
    return folder


def poisoned(monkeypatch, bad: torch.Tensor, when=lambda target: True) -> None:
    """Grad-CAM gives NaN on one image, for some classes."""
    inner = METHODS["grad_cam"].fn

    def grad_cam(net, x, target, **options):
        raw = inner(net, x, target, **options)
        for i in range(len(x)):
            if torch.equal(x[i], bad.to(x)) and when(target[i].item()):
                raw[i, 0, 0] = torch.nan
        return raw

    grad_cam.__signature__ = inspect.signature(inner)
    monkeypatch.setitem(METHODS, "grad_cam", replace(METHODS["grad_cam"], fn=grad_cam))


def test_a_map_that_is_not_finite_becomes_a_row_and_is_not_final(
    net, data, tmp_path, monkeypatch, calls
):
    want = evaluate(net, data, ["grad_cam"], METRIC_NAMES)
    with monkeypatch.context() as patch:
        poisoned(patch, data[3].image)
        frame = evaluate(net, data, ["grad_cam"], METRIC_NAMES, store=tmp_path / "s", batch_size=4)
        with pytest.raises(ValueError, match=f"image '{data.ids[3]}': grad_cam gave NaN"):
            saliency_maps(net, data, "grad_cam", store=tmp_path / "s")
    bad = frame.image == data.ids[3]
    assert (
        frame[bad].value.isna().all() and frame[bad].error.str.contains("grad_cam gave NaN").all()
    )
    assert frame[bad].seconds.isna().all()
    assert_same(frame[~bad], want[want.image != data.ids[3]])
    before = sum(calls["grad_cam"])
    assert_same(evaluate(net, data, ["grad_cam"], METRIC_NAMES, store=tmp_path / "s"), want)
    predicted = int(net(data[3].image[None]).argmax(1))
    assert sum(calls["grad_cam"]) - before == len(
        {predicted, data.targets[3]}
    )  # only the image with the error is computed again


def test_an_error_of_one_class_does_not_touch_the_other(net, data, monkeypatch):
    """The label's map is NaN, the predicted class's is not: the image has one error and one value."""
    i = next(i for i, s in enumerate(data) if int(net(s.image[None]).argmax(1)) != s.target)
    poisoned(monkeypatch, data[i].image, when=lambda target: target == data.targets[i])
    for metrics in (["average_drop", "deletion"], ["deletion", "average_drop"]):
        rows = (
            evaluate(net, data, ["grad_cam"], metrics)
            .query("image == @data.ids[@i]")
            .set_index("metric")
        )
        assert np.isnan(rows.value["average_drop"]) and "NaN" in rows.error["average_drop"]
        assert np.isfinite(rows.value["deletion"]) and pd.isna(rows.error["deletion"])


def test_an_image_is_decoded_once_for_all_methods(net, data, tmp_path):
    decoded = []

    class Counted(Crop):
        def sample(self, size):
            decoded.append(self.id)
            return super().sample(size)

    records = tuple(Counted(record, record.id, record.target) for record in data.records)
    images = replace(data, records=records)
    evaluate(net, images, METHOD_NAMES, METRIC_NAMES, shard_size=3, store=tmp_path / "s")
    assert sorted(decoded) == sorted(images.ids)
    evaluate(net, images, METHOD_NAMES, METRIC_NAMES, shard_size=3, store=tmp_path / "s")
    assert len(decoded) == len(images)


def test_the_group_is_that_of_the_dataset_and_not_of_what_was_stored(net, data, tmp_path):
    """The same images under other names, as from another folder, use the stored values."""
    first = evaluate(net, data, ["grad_cam"], ["average_drop"], store=tmp_path / "store")
    renamed = tuple(replace(record, id=f"other {record.id}") for record in data.records)
    other = replace(data, records=renamed)
    second = evaluate(net, other, ["grad_cam"], ["average_drop"], store=tmp_path / "store")
    assert second["group"].tolist() == second["image"].tolist() == list(other.ids)
    assert second["value"].tolist() == first["value"].tolist()


def test_an_image_that_comes_twice_is_explained_once(net, data, calls, tmp_path):
    twice, index = data.subset([0, 1, 0]), [0, 1, 0]
    want = evaluate(net, data, ["grad_cam"], ["average_drop"]).value[index].tolist()
    before = sum(calls["grad_cam"])
    found = evaluate(net, twice, ["grad_cam"], ["average_drop"], store=tmp_path / "s")
    assert found.value.tolist() == pytest.approx(want, rel=1e-9)
    assert sum(calls["grad_cam"]) - before == 2
    S = saliency_maps(net, twice, "grad_cam", store=tmp_path / "t")
    assert torch.equal(S[0], S[2])
    assert sum(calls["grad_cam"]) - before == 4


def test_an_image_that_holds_nan_becomes_a_row(net, data):
    class Nan(Crop):
        def sample(self, size):
            sample = super().sample(size)
            return replace(sample, image=sample.image / 0)

    records = (Nan(data.records[0], "a", 0), *data.records[1:])
    frame = evaluate(net, replace(data, records=records), ["grad_cam"], ["average_drop"])
    assert frame.error.notna().tolist() == [True] + [False] * (N - 1)
    assert "NaN or infinity" in frame.error[0]


def test_a_label_out_of_range_is_refused_before_anything_runs(net, data, calls):
    images = unnamed(data.relabelled([3, *data.targets[1:]]))
    with pytest.raises(ValueError, match="class 3 of folder is none of tiny, .* 0 to 2"):
        evaluate(net, images, ["grad_cam"], ["average_drop"])
    assert total(calls) == 0


def test_out_of_memory_halves_the_batch(net, data, calls, monkeypatch):
    counting = METHODS["grad_cam"].fn

    def hungry(net, x, target, *, selector="logit"):
        raw = counting(net, x, target, selector=selector)
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return raw

    hungry.__name__ = "grad_cam"
    want = evaluate(net, data, ["grad_cam"], ["average_drop"])
    calls.clear()
    monkeypatch.setitem(METHODS, "grad_cam", replace(METHODS["grad_cam"], fn=hungry))
    assert_same(evaluate(net, data, ["grad_cam"], ["average_drop"], batch_size=N), want)
    assert calls["grad_cam"] == [7, 4, 2, 2, 3, 2, 1]


def test_out_of_memory_for_one_image_is_raised(net, data, monkeypatch):
    def grad_cam(net, x, target):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(METHODS, "grad_cam", replace(METHODS["grad_cam"], fn=grad_cam))
    with pytest.raises(torch.OutOfMemoryError):
        evaluate(net, data, ["grad_cam"], ["average_drop"])


@pytest.mark.parametrize(
    "methods, metrics, message",
    [
        (["grad_cam", "gradcam"], ["average_drop"], "unknown method 'gradcam'.*valid: .*opti_cam"),
        (["grad_cam"], ["average_dorp"], "unknown metric 'average_dorp'.*valid: .*deletion"),
        (
            {"a": ("score_cam", {"chunks": 2})},
            ["average_drop"],
            "unknown option of method score_cam 'chunks'.*chunk",
        ),
        (
            ["grad_cam"],
            {"a": ("deletion", {"steps": 2})},
            "unknown option of metric deletion 'steps'.*step",
        ),
        ("grad_cam", ["average_drop"], "give a list of names, not the string 'grad_cam'"),
    ],
)
def test_unknown_names_raise_before_anything_runs(net, data, calls, methods, metrics, message):
    with pytest.raises(ValueError, match=message):
        evaluate(net, data, methods, metrics)
    assert total(calls) == 0


DATA = "the data is a Dataset, got list: data.load reads one"


@pytest.mark.parametrize(
    "call",
    [
        lambda net: evaluate(net, ["a.png"], ["grad_cam"], ["average_drop"]),
        lambda net: evaluate(net, [], ["grad_cam"], ["average_drop"]),
        lambda net: saliency_maps(net, ["a.png"], "grad_cam"),
        lambda net: evaluate_maps(net, ["a.png"], {"own": torch.zeros(1, 8, 8)}, ["average_drop"]),
    ],
    ids=["evaluate", "nothing", "saliency_maps", "evaluate_maps"],
)
def test_a_list_is_no_dataset(net, call):
    with pytest.raises(ValueError, match=DATA):
        call(net)


def test_a_store_is_a_folder(net, data):
    with pytest.raises(ValueError, match="a path is text or a pathlib.Path, got 3: name a file"):
        evaluate(net, data, ["grad_cam"], ["average_drop"], store=3)


@pytest.mark.parametrize("size", ["batch_size", "shard_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "4", None, True])
def test_sizes_are_whole_numbers(net, data, size, value):
    with pytest.raises(ValueError, match=f"{size} is .*at least 1, got {value!r}"):
        evaluate(net, data, METHOD_NAMES, METRIC_NAMES, **{size: value})


def test_maps_are_of_the_label_or_of_the_predicted_class(net, data):
    with pytest.raises(UnknownName, match="unknown target 'none'; valid: label, predicted"):
        saliency_maps(net, data, "grad_cam", target="none")


def test_given_maps_may_be_an_array(net, data):
    S = np.random.default_rng(0).random((N, SIZE, SIZE))
    want = evaluate_maps(net, data, {"S": torch.from_numpy(S)}, METRIC_NAMES)
    assert_same(evaluate_maps(net, data, {"S": S}, METRIC_NAMES), want)


def test_a_wrong_value_of_an_option_is_raised_and_not_a_row(net, data):
    with pytest.raises(UnknownName, match="unknown weighting 'logits'"):
        evaluate(net, data, {"a": ("score_cam", {"weighting": "logits"})}, ["average_drop"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(net, data):
    cuda = pickle.loads(pickle.dumps(net)).to("cuda")
    got = evaluate(cuda, data, METHOD_NAMES, METRIC_NAMES)
    pd.testing.assert_frame_equal(
        table(got), table(evaluate(net, data, METHOD_NAMES, METRIC_NAMES)), rtol=1e-5
    )


# ----------------------------------------------------------------------------------- coefficients


RUNS = {seed: ("lime_cam", {"seed": seed, "n": 20}) for seed in range(3)}


def test_coefficients_are_those_of_the_maps(net, data, tmp_path):
    found = coefficients(net, data, {"GC": "grad_cam"}, batch_size=3, store=tmp_path / "s")
    x, target = torch.stack([s.image for s in data]), torch.tensor(data.targets)
    want = attribute("grad_cam", net, x, target).coefficients
    assert found.keys() == {"GC"} and torch.allclose(found["GC"].double(), want, atol=1e-6)


def test_metrics_of_all_methods_share_the_logits_of_the_images(net, data, monkeypatch):
    passes, forward = [], net.forward
    monkeypatch.setattr(net, "forward", lambda x: passes.append(len(x)) or forward(x))
    metrics = ["average_drop", "average_gain", "average_drop_in_deletion"]
    evaluate(net, data, {c: ("fake_cam", {}) for c in "abc"}, metrics, batch_size=3)
    masked = 3 * 2 * N  # by three methods; drop and gain share a masked image
    assert sum(passes) == N + masked


@pytest.mark.parametrize("batch_size", [1, 4, 11])
def test_a_mask_that_hides_nothing_changes_no_probability(batch_size):
    """In single precision an image's logits depend on its neighbours; the two that are compared have the same."""
    net = nets.load("tf_efficientnet_lite0")
    data = datasets.load("imagenet_embedded", limit=11, size=net.input_size)
    some = data.relabelled([None if i % 3 == 1 else c for i, c in enumerate(data.targets)])
    maps = {"all": torch.ones(11, *data.size)}
    frame = evaluate_maps(
        net, some, maps, ["average_drop", "average_increase"], batch_size=batch_size
    )
    assert (frame["value"] == 0).all()


def test_coefficients_cost_nothing_after_the_table(net, data, calls, tmp_path):
    """One run gives both. The methods that `calls` counts have no coefficients."""
    evaluate(net, data, ["xgrad_cam"], ["average_drop"], store=tmp_path / "s")
    folders = set((tmp_path / "s").rglob("*.safetensors"))
    coefficients(net, data, ["xgrad_cam"], store=tmp_path / "s")
    assert set((tmp_path / "s").rglob("*.safetensors")) == folders != set()
    with pytest.raises(ValueError, match="grad_cam has no coefficients: its map is no sum"):
        coefficients(net, data, ["grad_cam"])


def test_similarity_to_the_mean_of_several_runs(net, data):
    frame = similarity(net, data, {"XG": "xgrad_cam", "lime": RUNS[0]}, RUNS)
    assert list(frame.columns) == COLUMNS and len(frame) == 2 * N
    assert set(frame["metric"]) == {"cosine_similarity"} and set(frame["method"]) == {"XG", "lime"}
    truth = torch.stack([*coefficients(net, data, RUNS).values()]).double().mean(0)
    alpha = coefficients(net, data, ["xgrad_cam"])["xgrad_cam"].double()
    want = (alpha * truth).sum(1) / alpha.norm(dim=1) / truth.norm(dim=1)
    got = frame[frame["method"] == "XG"].set_index("image")["value"]
    assert np.allclose(got[list(data.ids)], want, atol=1e-6)


def test_an_unreadable_image_has_no_similarity(net, data, root):
    data.records[2].path.write_bytes(b"no image")
    frame = similarity(net, data, ["xgrad_cam"], RUNS).set_index("image")
    assert frame["value"].isna().sum() == frame["error"].notna().sum() == 1
    damaged = data.subset([2])
    rows = similarity(net, damaged, ["xgrad_cam", "grad_cam_plus_plus"], RUNS)
    assert rows["value"].isna().all() and len(rows) == 2
    assert all(data.ids[2] in error for error in rows["error"])


# ------------------------------------------------------------------------------------ annotations


def test_metrics_get_the_boxes_of_their_images(net):
    images = datasets.load("imagenet_embedded", limit=3, size=SIZE)
    data = unnamed(images.relabelled(range(3)))
    frame = evaluate(net, data, ["grad_cam"], ["energy_pointing_game"], batch_size=2)
    for i, sample in enumerate(data):
        S = explain("grad_cam", net, sample.image[None], sample.target)
        fn = METRICS["energy_pointing_game"].fn
        want = fn(net, sample.image[None], sample.target, S, boxes=[sample.boxes])
        assert frame["value"][i] == pytest.approx(want.item(), abs=1e-5)


def test_an_image_without_boxes_is_a_row_with_its_error(net, data):
    frame = evaluate(net, data, ["grad_cam"], ["energy_pointing_game", "average_drop"])
    rows = frame.set_index("metric")
    assert rows.loc["energy_pointing_game", "value"].isna().all()
    errors = rows.loc["energy_pointing_game", "error"]
    assert set(errors) == {"energy_pointing_game needs boxes, and this image has none"}
    assert rows.loc["average_drop", "error"].isna().all()


BOXED = [name for name, metric in METRICS.items() if metric.given.get("boxes")]


def test_every_metric_of_boxes_says_so_of_images_that_have_none(net, boxed, calls):
    """Among the images are one without boxes and one with an empty list of boxes."""
    images = annotated(boxed, {1: {"boxes": None}, 2: {"boxes": torch.empty(0, 4)}})
    assert "official_metric" in BOXED and "localization_error" in BOXED  # they share a measurement
    frame = evaluate(net, images, ["grad_cam"], BOXED)
    for name in BOXED:
        rows = frame[frame["metric"] == name]
        said = f"{name} needs boxes, and this image has none"
        assert rows["error"].fillna("").tolist() == ["", said, said, "", ""]
        assert rows["value"].isna().tolist() == [False, True, True, False, False]
    assert sum(calls["grad_cam"]) == 5


def test_so_do_metrics_of_a_mask_or_of_parts(net, boxed, monkeypatch):
    def marked(net, x, target, S, *, mask):
        return torch.tensor([float(one.sum()) for one in mask])

    def seen(net, x, target, S, *, parts):
        return torch.tensor([float(len(one)) for one in parts])

    for measure in (marked, seen):
        metric = replace(METRICS["average_drop"], value=lambda found: found, measure=measure)
        monkeypatch.setitem(METRICS, measure.__name__, metric)
    nothing, whole = (fill((SIZE, SIZE), dtype=bool) for fill in (torch.zeros, torch.ones))
    images = annotated(boxed, {0: {"mask": nothing, "parts": {}}, 1: {"mask": whole}})
    frame = evaluate(net, images, ["grad_cam"], ["marked", "seen"])
    errors = {name: rows["error"].fillna("").tolist() for name, rows in frame.groupby("metric")}
    none = {what: f"<lambda> needs {what}, and this image has none" for what in ("mask", "parts")}
    assert errors == {
        "marked": [none["mask"], "", *3 * [none["mask"]]],
        "seen": 5 * [none["parts"]],
    }
    assert frame["value"].dropna().tolist() == [SIZE**2]  # an image with an error has no value


def annotated(data: Dataset, annotations: dict[int, dict]) -> Dataset:
    """The dataset with changed annotations of some images."""
    records = [Annotated(r, annotations.get(i, {}), r.target) for i, r in enumerate(data.records)]
    return replace(data, records=tuple(records))


@dataclass(frozen=True)
class Annotated:
    """A record with changed annotations."""

    record: object
    annotations: dict
    target: int

    @property
    def id(self) -> str:
        return self.record.id

    def sample(self, size) -> Sample:
        return replace(self.record.sample(size), **self.annotations)

    def fingerprint(self) -> str:
        return self.record.fingerprint()


# ---------------------------------------------------------------------------------------- classes


def named_folders(net, data, root, names) -> tuple[nets.Classifier, Dataset]:
    """The dataset with its folders renamed, and the network with the classes b, a and c."""
    for old, new in zip("012", names):
        (root / old).rename(root / new)
    known = nets.wrap(
        net.model, "act", mean=(0.5,) * 3, input_size=SIZE, name="tiny", classes=("b", "a", "c")
    )
    return known, datasets.load("folder", root=root, size=SIZE)


def test_class_folders_are_met_by_name_and_not_by_their_order(net, data, root):
    want = evaluate(net, data, ["grad_cam"], ["average_drop"])
    S = saliency_maps(net, data, "grad_cam")
    alpha = coefficients(net, data, ["xgrad_cam"])["xgrad_cam"]
    known, images = named_folders(net, data, root, ["b", "a", "c"])
    place = [images.ids.index(f"{'bac'[int(name[0])]}{name[1:]}") for name in data.ids]
    frame = evaluate(known, images, ["grad_cam"], ["average_drop"])
    assert frame.value[place].tolist() == pytest.approx(want.value.tolist(), rel=1e-9)
    assert frame.target[place].tolist() == want.target.tolist()
    assert torch.allclose(saliency_maps(known, images, "grad_cam")[place], S, atol=1e-6)
    found = coefficients(known, images, ["xgrad_cam"])["xgrad_cam"]
    assert torch.allclose(found[place], alpha, atol=1e-6)
    given = evaluate_maps(known, images, {"mine": S}, ["average_drop"])
    assert given.target[place].tolist() == want.target.tolist()
    cosines = similarity(known, images, ["xgrad_cam"], ["xgrad_cam"])
    assert cosines.target[place].tolist() == want.target.tolist()


def test_reference_images_are_met_by_name_too(net, data, root, tmp_path):
    named = copy(net)
    named.classes = ("c0", "c1", "c2")
    for folder in root.iterdir():
        folder.rename(root / f"c{folder.name}")
    (root / "c0").rename(tmp_path / "c0")  # the other folders are then 0 and 1
    images = datasets.load("folder", root=root, size=SIZE)
    assert set(images.targets) == {0, 1} and set(matched(images, named).targets) == {1, 2}
    method = {"d": ("diff_cam", {"reference": images, "k": None})}
    want = {"d": ("diff_cam", {"reference": matched(images, named), "k": None})}
    metrics = ["average_drop"]
    assert_same(evaluate(named, images, method, metrics), evaluate(named, images, want, metrics))
    own = saliency_maps(named, images, "diff_cam", reference=images, k=None)
    right = saliency_maps(named, images, "diff_cam", reference=matched(images, named), k=None)
    assert torch.equal(own, right)
    wrong = saliency_maps(
        named, images, "diff_cam", reference=replace(images, classes=None), k=None
    )
    assert not torch.equal(own, wrong)
    alien = replace(images, classes=("healthy", "ill"))
    with pytest.raises(ValueError, match="healthy, ill.* are not those of tiny"):
        evaluate(named, images, {"d": ("diff_cam", {"reference": alien})}, metrics)


def test_folders_of_other_classes_are_refused_before_anything_runs(net, data, root, calls):
    known, images = named_folders(net, data, root, ["b", "cat", "c"])
    for run in (
        lambda: evaluate(known, images, ["grad_cam"], ["average_drop"]),
        lambda: evaluate_maps(known, images, {"S": torch.rand(N, SIZE, SIZE)}, ["average_drop"]),
        lambda: saliency_maps(known, images, "grad_cam"),
        lambda: coefficients(known, images, ["xgrad_cam"]),
    ):
        with pytest.raises(ValueError, match="classes of folder .* are not those of tiny"):
            run()
    assert total(calls) == 0


def test_folders_named_as_imagenet_names_them(tmp_path):
    for name in ("tabby", "goldfish"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), "red").save(tmp_path / name / "0.png")
    lite = nets.load("tf_efficientnet_lite0", weights="random")
    images = datasets.load("folder", root=tmp_path, size=64)
    frame = evaluate(lite, images, ["fake_cam"], ["average_drop"])
    assert dict(zip(frame.image, frame.target)) == {"goldfish/0.png": 1, "tabby/0.png": 281}


# --------------------------------------------------------------------------------------- progress


class Told:
    """A `progress` function that records its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, label: str, done: int, total: int) -> None:
        self.calls.append((label, done, total))

    @property
    def steps(self) -> list[tuple[str, int]]:
        """The label of each call, and the number of images by which it advances."""
        done = [0, *(done for _, done, _ in self.calls)]
        return [(c[0], after - before) for c, before, after in zip(self.calls, done, done[1:])]


def told(net, data, metrics=("average_drop",), **options) -> list[tuple[str, int]]:
    heard = Told()
    evaluate(net, data, METHOD_NAMES, metrics, progress=heard, **options)
    assert {total for _, _, total in heard.calls} == {2 * N} and heard.calls[-1][1] == 2 * N
    return heard.steps


def test_progress_goes_by_the_batch(net, data):
    assert told(net, data, batch_size=3) == [(name, n) for name in METHOD_NAMES for n in (3, 3, 1)]


def test_progress_counts_an_image_once_for_all_its_classes(net, data):
    """The metrics need maps for the label and for the predicted class."""
    steps = told(net, data, ("average_drop", "deletion"), batch_size=3, shard_size=4)
    assert sum(n for _, n in steps) == 2 * N and all(n > 0 for _, n in steps)


def test_progress_leaps_over_what_is_known(net, data, tmp_path):
    store = {"store": tmp_path / "s", "batch_size": 3}
    assert len(told(net, data, **store)) == 6
    assert told(net, data, **store) == [(name, N) for name in METHOD_NAMES]  # values
    assert told(net, data, ("average_gain",), **store) == [(name, N) for name in METHOD_NAMES]
    some = data.subset(range(5))
    other = {"store": tmp_path / "t", "batch_size": 3}
    evaluate(net, some, METHOD_NAMES, ["average_drop"], **other)
    assert told(net, data, **other) == [(name, n) for name in METHOD_NAMES for n in (5, 2)]


def test_progress_counts_unreadable_images(net, data):
    data.records[2].path.write_bytes(b"no image")
    steps = told(net, data, batch_size=3)
    assert steps == [(name, n) for name in METHOD_NAMES for n in (3, 3, 1)]
    for record in data.records:
        record.path.write_bytes(b"no image")
    assert told(net, data) == [(name, N) for name in METHOD_NAMES]


def test_progress_counts_what_out_of_memory_halves(net, data, monkeypatch):
    inner = METHODS["grad_cam"].fn

    def hungry(net, x, target, **options):
        if len(x) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return inner(net, x, target, **options)

    hungry.__name__, hungry.__signature__ = "grad_cam", inspect.signature(inner)
    monkeypatch.setitem(METHODS, "grad_cam", replace(METHODS["grad_cam"], fn=hungry))
    steps = told(net, data, batch_size=N)
    assert steps == [("grad_cam", n) for n in (2, 2, 2, 1)] + [("score_cam", N)]


@pytest.mark.parametrize("pool", [partial(ThreadPoolExecutor, 3), partial(Elsewhere, 1)])
def test_progress_of_an_executor_goes_by_the_shard(net, data, pool):
    with pool() as executor:
        steps = told(net, data, METRIC_NAMES, executor=executor, shard_size=4, batch_size=2)
    assert steps == [(name, n) for n in (4, 3) for name in METHOD_NAMES]


def test_the_bar_counts_images_and_names_network_and_method(net, data, capsys):
    evaluate(net, data, METHOD_NAMES, ["average_drop"], progress=True)
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert last.startswith("tiny: 100%") and f"{2 * N}/{2 * N} [" in last
    assert " image/s, score_cam]" in last
    evaluate(net, data, METHOD_NAMES, ["average_drop"])  # stderr is not a terminal
    evaluate(net, data, METHOD_NAMES, ["average_drop"], progress=lambda *told: None)
    assert capsys.readouterr().err == ""


# --------------------------------------------------------------------------- maps of other origin


def test_given_maps_have_the_values_of_the_method_that_made_them(net, data):
    S = saliency_maps(net, data, "grad_cam")
    want = evaluate(net, data, ["grad_cam"], METRIC_NAMES[:2], batch_size=3)
    got = evaluate_maps(net, data, {"mine": S}, METRIC_NAMES[:2], batch_size=2)
    assert list(got.columns) == COLUMNS and set(got["method"]) == {"mine"}
    assert np.allclose(got["value"], want["value"], atol=1e-6)
    assert got["seconds"].isna().all()


def test_maps_of_another_class_are_judged_by_the_label(net, data):
    classes = [(c + 1) % 3 for c in data.targets]
    S = saliency_maps(net, data.relabelled(classes), "grad_cam")
    got = evaluate_maps(net, data, {"next": S}, ["average_drop"])
    x = torch.stack([sample.image for sample in data])
    want = METRICS["average_drop"].fn(
        net, x, torch.tensor(data.targets), explain("grad_cam", net, x, torch.tensor(classes))
    )
    assert np.allclose(got["value"], want, atol=1e-5)


def test_given_maps_leave_out_an_unreadable_image(net, data, root):
    S = torch.rand(len(data), *data.size)
    data.records[2].path.write_bytes(b"no image")
    got = evaluate_maps(net, data, {"mine": S}, ["average_drop"])
    assert got["value"].isna().tolist() == [i == 2 for i in range(len(data))]
    assert got["error"][2]


def test_given_maps_of_another_shape_are_refused(net, data):
    with pytest.raises(
        ValueError, match=r"maps 'mine' are \(N, H, W\) = \(7, 16, 16\), got \(7, 8, 8\)"
    ):
        evaluate_maps(net, data, {"mine": torch.rand(7, 8, 8)}, ["average_drop"])


# ------------------------------------------------------------- metrics of the data set as a whole


@pytest.fixture(scope="module")
def boxed() -> Dataset:
    images = datasets.load("imagenet_embedded", limit=5, size=SIZE)
    return unnamed(images.relabelled(i % 3 for i in range(5)))


def test_a_metric_of_the_data_set_is_that_of_all_its_images(net, boxed, tmp_path):
    metrics = ["average_drop", "box_accuracy", "localization_error"]
    frame = evaluate(net, boxed, METHOD_NAMES, metrics, shard_size=2, batch_size=1, store=tmp_path)
    again = evaluate(net, boxed, METHOD_NAMES, metrics, shard_size=2, store=tmp_path)
    pd.testing.assert_frame_equal(again, frame)
    maps = {name: saliency_maps(net, boxed, name) for name in METHOD_NAMES}
    elsewhere = evaluate_maps(net, boxed, maps, metrics)
    for name, S in maps.items():
        accuracy = METRICS["box_accuracy"].accumulator()
        accuracy.update(S, [sample.boxes for sample in boxed])
        for rows in (frame, elsewhere):
            values = rows[(rows.method == name) & (rows.metric == "box_accuracy")].value
            assert values.tolist() == pytest.approx(accuracy.values().tolist())
            assert values.mean() == pytest.approx(accuracy.compute())
    assert frame.value.dtype == float and frame.value.notna().all()


def test_images_without_boxes_are_left_out_of_the_whole(net, data):
    frame = evaluate(net, data, ["grad_cam"], ["box_accuracy", "average_drop"])
    rows = frame[frame.metric == "box_accuracy"]
    assert rows.value.isna().all() and rows.error.str.contains("needs boxes").all()
    assert frame.value.dtype == float
