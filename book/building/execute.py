"""Execute notebooks with papermill, several at a time, and each only once for the same content."""

import hashlib
import json
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
import torch
from papermill.exceptions import PapermillExecutionError
from tqdm.auto import tqdm

from lib.cluster import workers

from .. import progress
from ..parameters import WHERE, check
from . import contents


@dataclass(frozen=True)
class Task:
    """One notebook: its percent script, the path of the executed notebook, its parameters, its key."""

    source: Path
    output: Path
    parameters: Mapping[str, Any]
    key: str

    @property
    def name(self) -> str:
        return f"{self.source.parent.name}/{self.source.stem}"

    @property
    def fresh(self) -> bool:
        return self.output.is_file() and _stamp(self.output).get("key") == self.key

    @property
    def outdated(self) -> bool:
        """Whether it was executed for the book with other inputs than these."""
        return self.output.is_file() and _stamp(self.output).get("key", self.key) != self.key


@dataclass(frozen=True)
class Failure:
    """The error that stopped a notebook; the notebook up to the error is at `output`."""

    name: str
    error: str
    output: Path
    cell: str = ""  # the source of the cell that failed

    def __str__(self) -> str:
        shown = "".join(f"\n    | {line}" for line in self.cell.splitlines())
        return f"{self.name}: {self.error}{shown}\n    see {self.output}"


# Freshness --------------------------------------------------------------------------------------


def environment(root: Path) -> str:
    """A digest of everything that a notebook's numbers depend on, except its own source.

    That is: the packages (except the code that builds the book and reads the command line), the
    manifests (except those that the build reads), the pinned versions, and the kind of machine.
    """
    files = [*root.glob("data_manifests/**/*"), root / "constraints.txt"]
    for package in ("lib", "testbeds", "book"):
        files += [*root.glob(f"{package}/**/*.py"), *root.glob(f"{package}/*.yaml")]
    build = (
        "book/building", "book/reference/pages", "book/commands.py", "lib/__main__.py", "data_manifests/book",
    )  # fmt: skip
    made_here = [root / place for place in build]
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.is_file()):
        if not any(path.is_relative_to(place) for place in made_here):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    versions = [platform.python_version(), *map(version, ("torch", "torchvision", "timm"))]
    return hashlib.sha256(json.dumps([digest.hexdigest(), device, versions]).encode()).hexdigest()


def freshness(source: Path, parameters: Mapping[str, Any], environment: str) -> str:
    """The key under which an executed notebook is still valid, wherever it was executed."""
    given = {name: value for name, value in parameters.items() if name not in WHERE}
    content = [source.read_text("utf-8"), given, environment]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plan(
    root: Path, executed: Path, parameters: Mapping[str, Any], notebooks: Sequence[Path]
) -> list[Task]:
    """One task per notebook, each with the parameters that the notebook declares.

    Raises:
        UnknownName: a parameter that no notebook has.
    """
    defaults = {path: contents.parameters(path) for path in notebooks}
    everywhere = {name: value for declared in defaults.values() for name, value in declared.items()}
    if notebooks:
        check(parameters, everywhere)
    shared = environment(root)
    tasks = []
    for path in notebooks:
        known = {**defaults[path], **WHERE}
        given = {name: value for name, value in parameters.items() if name in known}
        check(given, defaults[path])
        output = executed / path.relative_to(root).with_suffix(".ipynb")
        tasks.append(Task(path, output, given, freshness(path, given, shared)))
    return tasks


def _stamp(executed: Path) -> dict[str, Any]:
    return json.loads(executed.read_text("utf-8"))["metadata"].get("book", {})


# Execution --------------------------------------------------------------------------------------


def execute(
    tasks: Sequence[Task], jobs: int | None = None, scheduler: str | None = None
) -> list[Failure]:
    """Execute the stale tasks; a task that fails does not stop the others.

    Args:
        jobs: how many notebooks run at a time; the cores are divided among them.
        scheduler: of Dask, as of `lib.cluster.workers`, on whose workers notebooks run in place of
            processes here, one per worker. The workers see the folder of the project and that of the book.

    Raises:
        ValueError: `jobs` is less than 1, or there is no such scheduler.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is at least 1, got {jobs}")
    stale = [task for task in tasks if not task.fresh]
    print(f"{len(stale)} of {len(tasks)} notebooks to execute", flush=True)
    if not stale:
        return []
    most = jobs or (len(stale) if scheduler else _default_jobs())
    at_once = min(len(stale), most)
    with workers(scheduler) if scheduler else _processes(at_once) as pool:
        waiting, running, outcomes = dict(enumerate(stale)), {}, []
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    place = _furthest(waiting, running.values())
                    running[_submitted(pool, waiting.pop(place))] = place
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcomes.append(_outcome(future, stale[running.pop(future)]))
        except KeyboardInterrupt:
            if isinstance(pool, ProcessPoolExecutor):  # other workers end with their scheduler
                _stop(pool)
            raise
    return [failure for failure in outcomes if failure]


def _processes(number: int) -> ProcessPoolExecutor:
    """Processes here, among which the cores are divided, each with a line of the terminal."""
    # Fresh processes: a fork of a process in which torch has started threads may hang.
    context = get_context("spawn")
    lock, lines = context.RLock(), context.Queue()
    tqdm.set_lock(lock)
    for line in range(number):
        lines.put(line)
    how = {"initializer": _start, "initargs": (lock, lines, _cores() // number)}
    return ProcessPoolExecutor(number, context, **how)


def _submitted(pool: Executor, task: Task) -> Future:
    """The future of a submitted task; a failed one if a worker of the pool has died."""
    try:
        return pool.submit(_run, task)
    except BrokenExecutor as error:
        failed = Future()
        failed.set_exception(error)
        return failed


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers and their kernels at once; stored results are complete."""
    workers = list(pool._processes.values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
        worker.join()
    print(file=sys.stderr)  # ends the line of the last progress


def _furthest(waiting: Iterable[int], running: Iterable[int]) -> int:
    """The waiting place that is furthest in the book from all running ones; the first of several. Neighbours
    need the same networks and maps, so that one would wait for the other.

    Example:
        >>> _furthest([1, 2, 3, 4], [0, 4])
        2
    """
    running = list(running)
    return max(sorted(waiting), key=lambda one: min((abs(one - r) for r in running), default=0))


def _default_jobs() -> int:
    """One on a GPU; else one per two cores, but at least two where there are two cores. Figures and small
    networks leave cores idle, which the other notebook then uses."""
    return 1 if torch.cuda.is_available() else max(min(2, _cores()), _cores() // 2)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outcome(future: Future, task: Task) -> Failure | None:
    crash = future.exception()  # not an error of the notebook, but a dead kernel or a full disk
    failure = (
        Failure(task.name, f"{type(crash).__name__}: {crash}", task.output)
        if crash
        else future.result()
    )
    took = "failed" if failure else f"{_stamp(task.output)['seconds']:.0f} s"
    tqdm.write(f"  {task.name}: {took}", file=sys.stdout)
    sys.stdout.flush()
    return failure


# In the worker processes ------------------------------------------------------------------------

_line: int | None = None  # the line of the terminal with this worker's progress, if it has one


def _start(lock: Any, lines: Any, threads: int) -> None:
    global _line
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    tqdm.set_lock(lock)
    _line = lines.get()
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads))  # the kernels inherit it


def _leave_with_parent() -> None:
    """End this worker when its build is killed; a kernel ends with its worker."""
    parent_process().join()
    os._exit(1)


def _run(task: Task) -> Failure | None:
    started = time.monotonic()
    task.output.parent.mkdir(parents=True, exist_ok=True)
    # papermill reads no percent script, and writes what it has even when a cell fails.
    converted, partial = (
        task.output.with_suffix(f".{state}.ipynb") for state in ("source", "partial")
    )
    nbformat.write(contents.script(task.source), converted)
    try:
        with _told(task.name):
            notebook = papermill.execute_notebook(
                converted,
                partial,
                dict(task.parameters),
                kernel_name="python3",
                cwd=task.source.parent,
                extra_arguments=["--log-level=CRITICAL"],  # else the kernel logs its shutdown
                progress_bar=False,
            )
    except PapermillExecutionError as error:
        if len(error.traceback) == 1:  # a sentence, see `Page`
            return Failure(task.name, error.evalue, partial)
        return Failure(task.name, f"{error.ename}: {error.evalue}", partial, error.source)
    finally:
        converted.unlink()
    _forget_paths(notebook)
    notebook.metadata["book"] = {"key": task.key, "seconds": round(time.monotonic() - started, 1)}
    nbformat.write(notebook, partial)
    partial.replace(task.output)
    return None


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Show a line on the terminal meanwhile: the page, and the progress that its kernel reports."""
    with TemporaryDirectory() as folder:
        file, done = Path(folder) / "progress", threading.Event()
        os.environ[progress.VARIABLE] = str(file)  # the kernel inherits it
        hidden = True if _line is None else None  # None: shown on a terminal
        line = tqdm(desc=name, bar_format="{desc}", position=_line, leave=False, disable=hidden)

        def follow() -> None:
            while not done.wait(0.5):
                line.set_description_str(f"{name}: {progress.read(file) or 'starting'}")

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            line.close()
            del os.environ[progress.VARIABLE]


def _forget_paths(notebook: nbformat.NotebookNode) -> None:
    """Remove the paths that papermill records, since a page may be moved."""
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
