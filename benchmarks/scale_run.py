"""One evaluation of Grad-CAM in its own process: `python -m benchmarks.scale_run small 1000 yes`."""

import hashlib
import json
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

from lib import nets, shard, values
from lib.data import Dataset, Sample
from lib.evaluate import evaluate
from lib.shard_store import ShardStore

CHOICE = ["grad_cam"], ["average_drop"]


@dataclass(frozen=True)
class Noise:
    """An image of noise, drawn from its seed."""

    seed: int
    annotated = frozenset()

    @property
    def id(self) -> str:
        return str(self.seed)

    @property
    def target(self) -> int:
        return self.seed % 10

    def sample(self, size: tuple[int, int]) -> Sample:
        generator = torch.Generator().manual_seed(self.seed)
        return Sample(torch.rand(3, *size, generator=generator), self.target, self.id)

    def fingerprint(self) -> str:
        return hashlib.sha256(f"noise {self.seed}".encode()).hexdigest()


def network(name: str):
    """A network of three convolutions for images of 64 pixels, or EfficientNet-Lite0."""
    if name != "small":
        return nets.load(name)
    torch.manual_seed(0)
    widths = (3, 16, 32, 64)
    layers = [
        layer
        for a, b in zip(widths, widths[1:])
        for layer in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.ReLU())
    ]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)
    return nets.wrap(nn.Sequential(*layers, *head), input_size=64, name=name)


class Clock:
    """The seconds that this thread spends in functions, and those of them that it computes."""

    def __init__(self):
        self.seconds = self.computing = 0.0
        self._inside = False

    @contextmanager
    def running(self):
        if self._inside:  # one of the functions calls another
            yield
            return
        self._inside, wall, cpu = True, time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - wall
            self.computing += time.thread_time() - cpu
            self._inside = False

    def watch(self, owner, *names: str) -> None:
        for name in names:
            setattr(owner, name, self.timed(getattr(owner, name)))

    def timed(self, function):
        @wraps(function)
        def run(*args, **options):
            with self.running():
                return function(*args, **options)

        return run


class Held:
    """A lock whose taking and giving back are timed."""

    def __init__(self, lock, clock: Clock):
        self.lock, self.clock = lock, clock

    def __enter__(self):
        with self.clock.running():
            self.lock.__enter__()

    def __exit__(self, *error):
        with self.clock.running():
            self.lock.__exit__(*error)


def main(name: str, n: int, stored: bool) -> dict:
    torch.set_num_threads(1)
    net = network(name)
    side = net.input_size
    data = Dataset("noise", tuple(map(Noise, range(n))), (side, side))
    evaluate(net, Dataset("warm-up", tuple(map(Noise, range(-32, 0))), (side, side)), *CHOICE)
    of_method, of_store = Clock(), Clock()
    of_method.watch(shard, "attribute")
    watch_store(of_store)
    with TemporaryDirectory() as folder:
        where = {"store": folder} if stored else {}
        seconds, computing = _timed(lambda: evaluate(net, data, *CHOICE, **where))
        found = {
            "seconds": seconds, "computing": computing,
            "grad_cam_seconds": of_method.seconds, "grad_cam_computing": of_method.computing,
            "store_seconds": of_store.seconds, "store_computing": of_store.computing,
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }  # fmt: skip
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        found |= {"files": len(files), "mib": sum(path.stat().st_size for path in files) / 2**20}
        if stored:
            found["again_seconds"], _ = _timed(lambda: evaluate(net, data, *CHOICE, **where))
    return found


def watch_store(clock: Clock) -> None:
    """Times all that a store adds: names and hashes, locks, reading and writing."""
    clock.watch(ShardStore, "read_maps", "write_maps", "complete", "gather_maps")
    clock.watch(ShardStore, "read_values", "write_values", "__init__")
    clock.watch(shard, "code_of", "key")
    clock.watch(values, "_file")
    fingerprints = clock.timed(shard.Block.fingerprints.func)
    shard.Block.fingerprints = property(lambda block: _once(block, "fingerprints", fingerprints))
    lock = clock.timed(ShardStore.lock.func)
    ShardStore.lock = property(lambda files: Held(_once(files, "lock", lock), clock))


def _once(owner, name: str, make):
    """What the owner makes when it is first asked for, as its cached property does."""
    if name not in (kept := vars(owner).setdefault("_kept", {})):
        kept[name] = make(owner)
    return kept[name]


def _timed(run) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "yes")))
