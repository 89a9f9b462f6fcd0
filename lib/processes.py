"""Tasks in the processes of an executor: results in order, and values that each process receives once."""

import os
import pickle
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

AHEAD = 1000  # calls submitted before their turn: memory does not grow with their number
KEPT = 4  # values that a process keeps: of two evaluations, the network and what is asked of it


def in_order(
    executor: Executor, function: Callable, calls: Iterable[tuple], ahead: int = AHEAD
) -> Iterator[Any]:
    """The result of a function for each tuple of arguments, in order, as from `executor.map`; but
    `calls` is read as they run: at most `ahead` of them wait.

    Example:
        >>> list(in_order(executor, pow, [(2, 3), (3, 2)]))
        [8, 9]
    """
    waiting = deque()
    try:
        for call in calls:
            waiting.append(executor.submit(function, *call))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class Shared:
    """A handle of a value, which tasks carry in place of the value; a context manager.

    The first time that a handle is pickled, the value is written into a file. A process reads the
    file when it first needs the value, and knows the value again in later handles. In the process
    that made the handle, and in its threads, nothing is written or read. The file is removed at the
    end of the context.

    Args:
        value: anything that can be pickled. Tensors keep the name of their device.
        folder: a folder that all processes see; None, or one that cannot be written, for the
            temporary folder of this machine.

    Example:
        >>> with Shared(net) as handle, ProcessPoolExecutor() as executor:
        ...     executor.submit(function, handle).result()  # function reads handle.value
    """

    def __init__(self, value: Any, folder: Path | None = None):
        self.value, self._folder = value, folder
        self._sent: _Sent | None = None
        self._sending = Lock()

    def __enter__(self) -> "Shared":
        return self

    def __exit__(self, *error) -> None:
        if self._sent:
            self._sent.path.unlink(missing_ok=True)

    def __reduce__(self) -> tuple:
        with self._sending:
            self._sent = self._sent or self._written()
        return _Sent, (self._sent.key, self._sent.path)

    def _written(self) -> "_Sent":
        content = pickle.dumps(self.value)
        try:
            path = _file(content, self._folder)
        except OSError:
            path = _file(content, None)
        return _Sent(sha256(content).hexdigest(), path)


def _file(content: bytes, folder: Path | None) -> Path:
    """A new file with this content, which only this user can read."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=".sent-", dir=folder, delete=False) as file:
        try:
            file.write(content)
        except OSError:
            os.unlink(file.name)
            raise
    return Path(file.name)


@dataclass(frozen=True)
class _Sent:
    """A handle in another process. Values with the same key are the same."""

    key: str
    path: Path = field(compare=False)

    @property
    def value(self) -> Any:
        with _READING:  # threads of a process read it once
            return _read(self)


_READING = Lock()


@lru_cache(KEPT)
def _read(sent: _Sent) -> Any:
    try:
        return pickle.loads(sent.path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no {sent.path} on this machine: give `store`, a folder that all machines of "
            "the executor see"
        ) from None
