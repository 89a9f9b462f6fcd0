"""Results on disk, each file written whole or not at all.

A folder is one method, with its options, on one network; it is named by a hash of everything that
decides its numbers, so nothing is computed twice and nothing stale is read. Maps are kept by image,
so that every choice of images finds them, and values by the images that were measured together:

    <store>/<folder>/<image>-<class>.safetensors   a raw map
    <store>/<folder>/<metric>-<key>.parquet        one value an image
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from safetensors.numpy import load_file, save_file


class Held(Exception):
    """Another process is making what is asked for."""


class Explained(NamedTuple):
    """A raw map (h, w), the seconds that it took, and its coefficients (K,) where it has them."""

    map: np.ndarray
    seconds: float
    coefficients: np.ndarray | None = None


Maps = dict[tuple[int, int], Explained]  # by an image's place in its shard, and class


def key(*parts: object) -> str:
    """A hash of JSON-like values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, then rename it: an interruption leaves no half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
    os.close(handle)
    try:
        write(Path(temporary))
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


class ShardStore:
    """What is stored of one method on the images of a shard; without a store, it remembers nothing.

    Args:
        store: the folder of all results; None keeps nothing.
        folder: the name of the method's.
        images: the fingerprints of the shard's images.
    """

    def __init__(self, store: str | Path | None, folder: str, images: Sequence[str]):
        self.folder = Path(store) / folder if store is not None else None
        self.images = list(images)

    @contextmanager
    def claim(self, image: int, target: int, *, wait: bool) -> Iterator[None]:
        """Held while a map is computed: another process does others first, or waits.

        Raises:
            Held: another process holds it, and this one does not `wait`.
        """
        if self.folder is None:
            yield
            return
        path = self._map(image, target).with_suffix(".claim")
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as mine:
            try:
                mine.enter_context(FileLock(path, timeout=-1 if wait else 0))
            except Timeout:
                raise Held(path.name) from None
            yield
            path.unlink(missing_ok=True)  # whoever waits for it finds the map, or makes it again

    def read_values(self, name: str) -> pd.DataFrame | None:
        path = self._values(name)
        return pd.read_parquet(path) if path and path.is_file() else None

    def write_values(self, name: str, frame: pd.DataFrame) -> None:
        if self.folder:
            write_atomically(self._values(name), lambda p: frame.to_parquet(p, index=False))

    def read_maps(self, wanted: Iterable[tuple[int, int]]) -> Maps:
        """Those that are known of the maps of these images for these classes."""
        paths = {pair: self._map(*pair) for pair in wanted} if self.folder else {}
        return {pair: _explained(path) for pair, path in paths.items() if path.is_file()}

    def write_maps(self, maps: Maps) -> None:
        if self.folder:
            for pair, explained in maps.items():
                tensors = {
                    name: np.asarray(value, order="C")
                    for name, value in explained._asdict().items()
                    if value is not None
                }
                write_atomically(self._map(*pair), partial(save_file, tensors))

    def _map(self, image: int, target: int) -> Path:
        return self.folder / f"{self.images[image]}-{target}.safetensors"

    def _values(self, name: str) -> Path | None:
        return self.folder and self.folder / f"{name}-{key(self.images)}.parquet"


def _explained(path: Path) -> Explained:
    tensors = load_file(path)
    return Explained(**tensors | {"seconds": float(tensors["seconds"])})
