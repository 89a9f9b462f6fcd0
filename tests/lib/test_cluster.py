"""Dask as the executor of an evaluation: numbers, what is sent, and workers that die."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache

import pandas as pd
import pytest
import torch

from lib import data, nets, processes
from lib.__main__ import main
from lib.cluster import THREADS, workers
from lib.errors import UnknownName
from lib.evaluate import evaluate
from lib.paths import ROOT

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

METHODS = {name: name for name in ("grad_cam", "ablation_cam")}
METHODS["opti_cam"] = ("opti_cam", {"iterations": 2})
METRICS = ["average_drop", "average_gain"]
NETWORK = "test_resnet"  # of timm, and tiny


@pytest.fixture(scope="module")
def client() -> Iterator:
    """The client of two processes, each with as many threads as this one: more threads sum in
    another order."""
    how = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "memory_limit": None}
    how["env"] = dict.fromkeys(THREADS, str(torch.get_num_threads()))
    with (
        distributed.LocalCluster(**how, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def net() -> nets.Classifier:
    return nets.load(NETWORK, weights="random")


@pytest.fixture(scope="module")
def images(net) -> data.Dataset:
    return data.load("imagenet_embedded", size=net.input_size, limit=16)


@pytest.fixture(scope="module")
def alone(net, images) -> Callable[[int], pd.DataFrame]:
    """The frame of one process, by batch size: sums over other batches round in another way."""

    @cache
    def run(batch_size: int) -> pd.DataFrame:
        return evaluate(net, images, METHODS, METRICS, batch_size=batch_size, shard_size=2)

    return run


def assert_equal(frame: pd.DataFrame, alone: pd.DataFrame) -> None:
    """The same rows in the same order, bit for bit."""
    got, want = (one.drop(columns="seconds") for one in (frame, alone))
    pd.testing.assert_frame_equal(got, want, check_exact=True)


def values_read() -> int:
    return processes._read.cache_info().misses


@pytest.mark.parametrize("store, batch_size", [(None, 2), ("store", 1)])
def test_a_killed_worker_changes_nothing(client, net, images, alone, tmp_path, store, batch_size):
    killed = []

    def kill(label: str, done: int, total: int) -> None:
        if not killed:
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            killed.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

    frame = evaluate(
        net, images, METHODS, METRICS,
        batch_size=batch_size, shard_size=2, executor=client.get_executor(), progress=kill,
        store=store and tmp_path / store,
    )  # fmt: skip
    assert_equal(frame, alone(batch_size))
    client.wait_for_workers(2)  # Dask has replaced it
    assert killed[0] not in client.run(os.getpid).values()


def test_the_network_is_sent_once_to_each_worker(client, net, images, alone, monkeypatch):
    files, write = [], processes._file
    monkeypatch.setattr(processes, "_file", lambda *how: files.append(write(*how)) or files[-1])
    before = client.run(values_read)
    how = {"executor": client.get_executor(), "batch_size": 2, "shard_size": 2}
    with distributed.get_task_stream(client) as stream:
        for _ in range(2):
            assert_equal(evaluate(net, images, METHODS, METRICS, **how), alone(2))
    assert len(files) == 2 * 2, "the network, and what is asked of it, by each call"
    done_by = [task["worker"] for task in stream.data]
    assert len(done_by) == 2 * 8 * len(METHODS)
    for worker, number in client.run(values_read).items():
        # the network, unless it has it from an earlier test; and what is asked of it, by each call
        assert done_by.count(worker) > 3 and number - before[worker] <= 3


def test_an_error_in_a_worker_is_the_error_of_the_call(client, net, images):
    methods = {"heavy": ("score_cam", {"weighting": "heavy"})}
    with pytest.raises(UnknownName) as here:
        evaluate(net, images, methods, METRICS)
    with pytest.raises(UnknownName) as there:
        evaluate(net, images, methods, METRICS, executor=client.get_executor())
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize("scheduler", ["local:2", "address"])
def test_a_scheduler_is_an_option_of_the_command_line(client, tmp_path, scheduler):
    table = tmp_path / "table.parquet"
    asked = ["evaluate", "--network", NETWORK, "--weights", "random", "--limit", "4"]
    asked += ["--method", "grad_cam", "--metric", "average_drop", "--out"]
    address = client.scheduler.address if scheduler == "address" else scheduler
    command = [sys.executable, "-m", "lib", *asked, table, "--scheduler", address]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0 and "Grad-CAM" in run.stdout, run.stderr
    main([*asked, str(tmp_path / "alone.parquet")], standalone_mode=False)
    got, want = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("table", "alone"))
    pd.testing.assert_frame_equal(got.drop(columns="seconds"), want.drop(columns="seconds"))


def test_local_processes_are_as_many_as_asked():
    with workers("local:3") as executor:
        pids = {*executor._client.run(os.getpid).values()}
        assert len(pids) == 3 and os.getpid() not in pids


def test_no_scheduler_is_this_process():
    with workers("") as executor:
        assert executor is None


@pytest.mark.parametrize(
    "scheduler, message",
    [
        ("slurm", "no scheduler 'slurm': give local, local:4 .* tcp://host:8786"),
        ("local:0", "no scheduler 'local:0'"),
        ("local:many", "no scheduler 'local:many'"),
        ("quux://host:1", "no scheduler answers at 'quux://host:1'"),
    ],
)
def test_a_wrong_scheduler_is_an_error_that_names_it(scheduler, message):
    with pytest.raises(ValueError, match=message), workers(scheduler):
        pass


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ValueError, match="'local' needs Dask .*install the extra `cluster`"):
        with workers("local"):
            pass
