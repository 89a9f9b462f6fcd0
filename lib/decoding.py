"""Images decoded ahead by other processes, so that a fast device need not wait for them."""

import os
import pickle
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import torch

from .checks import check_count
from .data import Dataset, Sample

AHEAD = 8  # images per worker that wait, decoded, for the network
MOST = 8  # workers, where the number is not given


def workers_for(device: torch.device, workers: int | None) -> int:
    """The number of processes that decode: by default none on a CPU, which they would only share,
    and elsewhere one per core, at most 8."""
    check_count("workers", workers, least=0)
    if workers is not None:
        return workers
    return 0 if device.type == "cpu" else min(MOST, len(os.sched_getaffinity(0)))


class Decoder:
    """The samples of a dataset, decoded by worker processes before they are asked for.

    Any order of asking gives the same samples; an ascending one finds them ready. No more than
    `AHEAD` images per worker wait.

    Args:
        workers: the number of processes; 0 decodes each image in this one when it is asked for.

    Example:
        >>> with Decoder(data, workers=4) as decoder:
        ...     samples = [decoder.sample(i) for i in range(len(data))]
    """

    def __init__(self, data: Dataset, workers: int):
        self.data, self.workers = data, workers
        self._pool: ProcessPoolExecutor | None = None  # started with the first image
        self._coming: dict[int, Future] = {}

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *raised) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def sample(self, i: int) -> Sample:
        """The i-th sample; a ValueError if it cannot be read, as the dataset raises."""
        if not self.workers:
            return self.data[i]
        self._ask(range(i, min(i + AHEAD * self.workers, len(self.data))))
        try:
            return pickle.loads(self._coming.pop(i).result())
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"a process that decodes images has died, perhaps for want of memory: "
                f"take fewer than {self.workers} workers, or 0"
            ) from error

    def since(self, start: int) -> Callable[[int], Sample]:
        """The samples counted from `start`, as those of a block are."""
        return lambda i: self.sample(start + i)

    def _ask(self, wanted: range) -> None:
        """Has the wanted samples decoded, and forgets those that were passed over."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.workers, initializer=_keep, initargs=(self.data,))
        for i in [i for i in self._coming if i not in wanted]:
            self._coming.pop(i).cancel()
        for i in wanted:
            if i not in self._coming:
                self._coming[i] = self._pool.submit(_decode, i)


_data: Dataset


def _keep(data: Dataset) -> None:
    """Begins a worker: it keeps the dataset, and one thread, as there are other workers."""
    global _data
    _data = data
    torch.set_num_threads(1)


def _decode(i: int) -> bytes:
    """The i-th sample, pickled here, as tensors would else go through shared memory, whose
    files are counted."""
    return pickle.dumps(_data[i])
