"""Tasks in processes: results in order, few waiting, and a value that each process receives once."""

import os
import pickle
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import pytest

from lib.processes import KEPT, Shared, in_order


class Later:
    """An executor whose calls run when their result is asked for."""

    def __init__(self):
        self.submitted, self.cancelled = 0, 0

    def submit(self, function, *arguments):
        self.submitted += 1
        future = Future()
        future.result = lambda: function(*arguments)
        future.add_done_callback(self._count)
        return future

    def _count(self, future):
        self.cancelled += future.cancelled()


def test_results_come_in_order():
    with ThreadPoolExecutor(3) as executor:
        assert [*in_order(executor, pow, ((n, 2) for n in range(50)))] == [n * n for n in range(50)]


def test_only_so_many_calls_wait_and_those_left_are_cancelled():
    later = Later()
    results = in_order(later, pow, ((n, 2) for n in range(100)), ahead=5)
    assert [*islice(results, 3)] == [0, 1, 4]
    assert later.submitted == 3 + 5
    results.close()
    assert later.cancelled == 5


def test_an_error_is_that_of_its_call_and_ends_the_others():
    later = Later()
    with pytest.raises(ZeroDivisionError):
        [*in_order(later, divmod, [(1, 1), (1, 0), (1, 1), (1, 1)])]
    assert later.cancelled == 2


class Heavy:
    """A value that counts in a folder how often a process unpickles it."""

    def __init__(self, folder: Path, name: str):
        self.folder, self.name = folder, name

    def __setstate__(self, state):
        self.__dict__ = state
        (self.folder / f"{self.name}-{os.getpid()}").open("a").write("x")


def name_of(handle) -> str:
    return handle.value.name


@pytest.mark.parametrize("folder", [True, False])
def test_a_process_reads_a_value_once_however_many_tasks_carry_it(tmp_path, folder):
    place = tmp_path / "values" if folder else None
    value = Heavy(tmp_path, "net")
    with ProcessPoolExecutor(2, get_context("spawn")) as executor:
        for _ in range(2):  # the same value, sent again
            with Shared(value, place) as handle:
                assert [*in_order(executor, name_of, [(handle,)] * 20)] == ["net"] * 20
                assert len(pickle.dumps(handle)) < 500
    counted = [file.read_text() for file in tmp_path.glob("net-*")]
    assert counted and set(counted) == {"x"}
    assert not place or not [*place.iterdir()]  # the file is removed


def test_a_process_keeps_few_values(tmp_path):
    handles = [Shared(Heavy(tmp_path, str(n))) for n in range(KEPT + 1)]
    sent = [pickle.loads(pickle.dumps(handle)) for handle in handles]
    assert [one.value.name for one in [*sent, sent[-1], sent[0]]] == [*"01234", "4", "0"]
    assert (tmp_path / f"0-{os.getpid()}").read_text() == "xx"
    assert (tmp_path / f"4-{os.getpid()}").read_text() == "x"
    for handle in handles:
        handle.__exit__()


def test_threads_share_the_value_itself(tmp_path):
    unpicklable = lambda: "mine"  # noqa: E731
    with ThreadPoolExecutor(2) as executor, Shared(unpicklable, tmp_path) as handle:
        assert executor.submit(lambda one: one.value, handle).result() is unpicklable
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_written_is_replaced(tmp_path):
    (tmp_path / "file").write_text("")
    with Shared("value", tmp_path / "file") as handle:
        assert pickle.loads(pickle.dumps(handle)).value == "value"


def test_a_machine_that_does_not_see_the_folder_says_what_to_give(tmp_path):
    with Shared(str(tmp_path), tmp_path) as handle:
        sent = pickle.loads(pickle.dumps(handle))
    with pytest.raises(FileNotFoundError, match="give `store`, a folder that all machines"):
        sent.value  # noqa: B018
