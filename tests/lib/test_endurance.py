"""An evaluation and its store when killed, when run twice at once, on a full disk; and its memory."""

import multiprocessing
import resource
import signal
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from lib import data as datasets
from lib import nets, shard
from lib.evaluate import evaluate
from lib.methods import METHODS
from lib.saliency import attribute, explain
from lib.store import load_notes

from .methods.test_methods import FAMILIES, FAST
from .networks import images

N, SIZE = 24, 16
CHOICE = (["grad_cam", "opti_cam", "lift_cam"], ["average_drop", "insertion", "deletion"])
HOW = {"batch_size": 2, "shard_size": 4}


@pytest.fixture(scope="module")
def net() -> nets.Classifier:
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(3, 6, 3, 2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 3),
    )
    return nets.wrap(nn.Sequential(*layers).double(), input_size=SIZE, name="tiny")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> datasets.Dataset:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for i in range(N):
        noise = rng.integers(0, 256, (5, 5, 3)).astype(np.uint8)
        Image.fromarray(noise).resize((SIZE, SIZE)).save(folder / f"{i:02}.png")
    return datasets.load("folder", root=folder, size=SIZE)


@pytest.fixture(scope="module")
def want(net, data) -> pd.DataFrame:
    return evaluate(net, data, *CHOICE, **HOW)


@pytest.fixture(scope="module")
def processes():
    """A multiprocessing context that starts processes quickly, with the library already imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["lib.evaluate", "lib.nets", "lib.data"])
    return context


def evaluate_eagerly(*args, **options) -> pd.DataFrame:
    """`evaluate`, which writes maps after each batch, so that a kill may come between them."""
    shard.WRITING = 0
    return evaluate(*args, **options)


def assert_same(got: pd.DataFrame, want: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(got.drop(columns="seconds"), want.drop(columns="seconds"))


def stored(store: Path) -> dict[Path, int]:
    """The files of a store and their times of writing."""
    found = store.rglob("*.safetensors")
    return {path: path.stat().st_mtime_ns for path in found if not path.name.startswith(".")}


def maps_in(store: Path) -> set[tuple[Path, str]]:
    """The maps of a store, each with its method's folder."""
    blocks = [path for path in stored(store) if path.parent.name == "maps"]
    return {(path.parent, name) for path in blocks for name in load_notes(path)["names"].split()}


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_loses_nothing_and_says_nothing_wrong(
    net, data, want, processes, tmp_path, monkeypatch, kills
):
    def start(store):
        process = processes.Process(
            target=evaluate_eagerly, args=(net, data, *CHOICE), kwargs={"store": store, **HOW}
        )
        process.start()
        return process

    for store in ("first", "whole"):  # the first one waits for the imports
        begin = time.monotonic()
        start(tmp_path / store).join()
    whole, complete, cut = time.monotonic() - begin, len(stored(tmp_path / "whole")), 0
    assert complete == len(CHOICE[0]) * N // HOW["shard_size"] * (1 + len(CHOICE[1]))
    explained = []

    def note(method, net, x, target, **options):
        explained.extend(x)
        return attribute(method, net, x, target, **options)

    monkeypatch.setattr("lib.shard.attribute", note)
    rng = np.random.default_rng(kills)
    for i in range(kills):
        store = tmp_path / str(i)
        process = start(store)
        time.sleep(rng.uniform(0.3, 1) * whole)
        process.kill()
        process.join()
        before, known = stored(store), maps_in(store)
        cut += 0 < len(known) < 3 * N
        explained.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # no file is damaged
            assert_same(evaluate(net, data, *CHOICE, store=store, **HOW), want)
        after = stored(store)
        assert len(after) == complete and known <= maps_in(store)
        assert len(explained) == 3 * N - len(known)
        values = {path: written for path, written in before.items() if path.parent.name != "maps"}
        assert values.items() <= after.items()
    assert cut or kills < 20, "the test needs kills midway"


def test_two_processes_on_one_store_make_each_map_once(net, data, want, processes, tmp_path):
    running = [
        processes.Process(
            target=evaluate, args=(net, data, *CHOICE), kwargs={"store": tmp_path} | HOW
        )
        for _ in range(2)
    ]
    for process in running:
        process.start()
    mine = evaluate(net, data, *CHOICE, store=tmp_path, **HOW)
    for process in running:
        process.join()
        assert process.exitcode == 0
    assert_same(mine, want)
    written = stored(tmp_path)
    assert_same(evaluate(net, data, *CHOICE, store=tmp_path, **HOW), want)
    assert stored(tmp_path) == written


@contextmanager
def room_for(largest: int):
    """Limit the size of files in bytes: a write beyond the limit fails midway, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize(
    ("largest", "kept"), [(0, set()), (100, set()), (500, {"values"}), (900, {"values", "maps"})]
)
def test_a_full_disk_loses_nothing(net, data, want, tmp_path, monkeypatch, largest, kept):
    """There is room for no file, for part of one, for values, or for batches but not for shards."""
    monkeypatch.setattr(shard, "WRITING", 0)
    with room_for(largest), pytest.warns(UserWarning, match="cannot write into .*not kept"):
        assert_same(evaluate(net, data, *CHOICE, store=tmp_path, **HOW), want)
    before = stored(tmp_path)
    assert {"maps" if path.parent.name == "maps" else "values" for path in before} == kept
    assert not [*tmp_path.rglob(".writing-*")]
    assert_same(evaluate(net, data, *CHOICE, store=tmp_path, **HOW), want)
    now = stored(tmp_path)
    assert all(now[path] == written for path, written in before.items())


def test_a_store_that_becomes_read_only_is_still_read(net, data, want, tmp_path, monkeypatch):
    evaluate(net, data[: N // 2], *CHOICE, store=tmp_path, **HOW)
    before = stored(tmp_path)

    def read_only(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patched, pytest.warns(UserWarning, match="Read-only file system"):
        # this also stops the superuser, whom permissions do not stop
        patched.setattr("lib.store.write_atomically", read_only)
        patched.setattr("lib.store.Path.mkdir", read_only)
        got = evaluate(net, data, *CHOICE, store=tmp_path, **HOW)
    assert_same(got, want)
    assert stored(tmp_path) == before


@pytest.mark.parametrize("kind", ["maps", "values"])
def test_what_is_damaged_in_the_store_is_computed_anew(net, data, want, tmp_path, kind):
    evaluate(net, data, *CHOICE, store=tmp_path, **HOW)
    maps = {path for path in stored(tmp_path) if path.parent.name == "maps"}
    values = stored(tmp_path).keys() - maps
    files = sorted(maps if kind == "maps" else values)
    for path in files[::3]:
        path.write_bytes(path.read_bytes()[:-20])
    for path in values if kind == "maps" else ():
        path.unlink()  # otherwise the values would be read, and no map would be needed
    with pytest.warns(UserWarning, match="damaged and computed anew") as said:
        assert_same(evaluate(net, data, *CHOICE, store=tmp_path, **HOW), want)
    assert {path for path in files if any(str(path) in str(one.message) for one in said)} == {
        *files[::3]
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same(evaluate(net, data, *CHOICE, store=tmp_path, **HOW), want)


# ------------------------------------------------------------------------------------- memory


def resident() -> int:
    """The process's memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def grown(call, calls: int) -> int:
    """The bytes by which the process grows over so many calls, the smallest of three measurements. A
    leak grows in each of them; an allocator that fills its pools does not."""
    found = []
    for _ in range(3):
        start = resident()
        for _ in range(calls):
            call()
        found.append(resident() - start)
        if found[-1] <= 0:
            break
    return min(found)


LEAK = 4096  # bytes per call that count as a leak: about a map of 16 x 16


@pytest.mark.slow
def test_a_leak_would_be_seen():
    kept = []
    assert (
        grown(lambda: kept.append(torch.ones(2 * LEAK // 8, dtype=torch.float64)), 1000)
        > 1000 * LEAK
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_thousand_calls_keep_memory_flat(method):
    net, x = FAMILIES[method].plain(), images(1)
    small = {"opti_cam": {"iterations": 2}, "lime": {"n": 5, "superpixels": 4}}
    small["extremal_perturbation"] = {"iterations": 2, "areas": (0.1,)}
    options = FAST.get(method, {}) | small.get(method, {})
    assert grown(lambda: explain(method, net, x, 1, **options), 1000) < 1000 * LEAK
