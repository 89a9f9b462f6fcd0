"""Executors on a Dask cluster: of processes on this machine, or of any machines and GPUs."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

# The variables of a process's threads: PyTorch takes the smaller number, and sums round by it.
THREADS = "OMP_NUM_THREADS", "MKL_NUM_THREADS"
SCHEDULERS = "local, local:4 (processes on this machine), or an address such as tcp://host:8786"


@contextmanager
def workers(scheduler: str | None) -> Iterator[Executor | None]:
    """The executor of a scheduler, for `evaluate`; closed at the end of the context.

    Dask gives the task of a worker that dies to another worker, until it has seen three workers die
    of the same task.

    Args:
        scheduler: "local" for one process per core of this machine, "local:4" for four processes,
            or the address of a scheduler that runs, such as "tcp://host:8786", whose workers can
            import this library. Local processes compute with one thread each, or with the number
            that $OMP_NUM_THREADS and $MKL_NUM_THREADS both say. None or an empty text gives None,
            which is this process alone.

    Raises:
        ValueError: it is no such scheduler, none answers at the address, or Dask is not installed.

    Example:
        >>> with workers("local:4") as executor:
        ...     frame = evaluate(net, data, ["score_cam"], ["average_drop"], executor=executor)
    """
    if not scheduler:
        yield None
        return
    with _client(scheduler) as client:
        yield client.get_executor(pure=False)  # its own context would wait for what is abandoned


@contextmanager
def _client(scheduler: str) -> Iterator:
    """The client of a scheduler."""
    place, _, number = scheduler.partition(":")
    is_local = place == "local" and (not number or number.isdecimal() and int(number) > 0)
    if not is_local and "://" not in scheduler:
        raise ValueError(f"there is no scheduler {scheduler!r}: give {SCHEDULERS}")
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ValueError(
            f"scheduler {scheduler!r} needs Dask ({error}): install the extra `cluster`, or "
            "`pip install distributed`"
        ) from None
    if is_local:
        how = {"n_workers": int(number) if number else None, "threads_per_worker": 1}
        how |= {"processes": True, "memory_limit": None, "dashboard_address": ":0"}
        with LocalCluster(**how) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"no scheduler answers at {scheduler!r} ({error}): start one with `dask scheduler`"
        ) from None
    with client:
        yield client
