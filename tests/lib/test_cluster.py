"""Dask as the executor of an evaluation: numbers, what is sent, and workers that die."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pandas as pd
import pytest
import torch

from lib import data, nets, processes
from lib.__main__ import main
from lib.cluster import workers
from lib.evaluate import evaluate
from lib.paths import ROOT

distributed = pytest.importorskip("distributed", reason="Dask is not installed")

METHODS = ["grad_cam", "ablation_cam", "opti_cam"]
METRICS = ["average_drop", "insertion"]
NETWORK = "test_resnet"  # of timm, and tiny


@pytest.fixture(scope="module")
def client() -> Iterator:
    """The client of two processes, each with as many threads as this one: more threads sum in
    another order."""
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, memory_limit=None, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(torch.set_num_threads, torch.get_num_threads())
        yield client


@pytest.fixture(scope="module")
def net() -> nets.Classifier:
    return nets.load(NETWORK, weights="random")


@pytest.fixture(scope="module")
def images(net) -> data.Dataset:
    return data.load("imagenet_embedded", size=net.input_size, limit=24)


@pytest.fixture(scope="module")
def alone(net, images) -> pd.DataFrame:
    return evaluate(net, images, METHODS, METRICS, batch_size=4).drop(columns="seconds")


def assert_equal(frame: pd.DataFrame, alone: pd.DataFrame) -> None:
    """The same rows in the same order, bit for bit."""
    pd.testing.assert_frame_equal(frame.drop(columns="seconds"), alone, check_exact=True)


def values_read() -> int:
    return processes._read.cache_info().misses


@pytest.mark.parametrize("stored", [False, True])
def test_a_killed_worker_changes_nothing(client, net, images, alone, tmp_path, stored):
    killed = []

    def kill(label: str, done: int, total: int) -> None:
        if not killed:
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            killed.append(client.run(os.getpid, workers=busy[:1])[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

    frame = evaluate(
        net, images, METHODS, METRICS,
        batch_size=4, shard_size=2, executor=client.get_executor(), progress=kill,
        store=tmp_path / "store" if stored else None,
    )  # fmt: skip
    assert_equal(frame, alone)
    client.wait_for_workers(2)  # Dask has replaced it
    client.run(torch.set_num_threads, torch.get_num_threads())
    assert killed[0] not in client.run(os.getpid).values()


def test_the_network_is_sent_once_to_each_worker(client, net, images, alone, tmp_path):
    before = client.run(values_read)
    how = {"executor": client.get_executor(), "batch_size": 4}
    with distributed.get_task_stream(client) as stream:
        for shard_size in (2, 3):
            frame = evaluate(net, images, METHODS, METRICS, shard_size=shard_size, **how)
            assert_equal(frame, alone)
    done_by = [task["worker"] for task in stream.data]
    assert len(done_by) == (12 + 8) * len(METHODS)
    for worker, number in client.run(values_read).items():
        # the network, unless it has it from an earlier test; and what is asked of it, by each call
        assert done_by.count(worker) > 3 and number - before[worker] <= 3


def test_an_error_in_a_worker_is_the_error_of_the_call(client, net, images):
    metrics = {"finest": ("insertion", {"step": -1})}
    with pytest.raises(ValueError) as here:
        evaluate(net, images, ["grad_cam"], metrics)
    with pytest.raises(ValueError) as there:
        evaluate(net, images, ["grad_cam"], metrics, executor=client.get_executor())
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
