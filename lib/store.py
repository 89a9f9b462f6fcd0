"""Results on disk, each file written whole or not at all.

A folder is one method, with its options, on one network; it is named by a hash of everything that
decides its numbers, so nothing is computed twice and nothing stale is read. Maps are kept by image,
so that every choice of images finds them, and values by the images that were measured together:

    <store>/<folder>/<image>-<class>.safetensors   a raw map
    <store>/<folder>/<metric>-<images>.parquet     one value an image
    <store>/<folder>/<images>.lock                 held by the process that makes either
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock
from safetensors.numpy import load_file, save_file
from torch import Tensor

Pair = tuple[str, int]  # an image's fingerprint, and the class


class Explained(NamedTuple):
    """A raw map (h, w), the seconds that it took, and its coefficients (K,) where it has them."""

    map: np.ndarray
    seconds: float
    coefficients: np.ndarray | None = None


def key(*parts: object) -> str:
    """A hash of JSON-like values, of tensors, and of what has a `content`, such as a dataset."""
    said = json.dumps(parts, sort_keys=True, default=_content)
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _content(value: object) -> str:
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):  # whose text leaves most of it out
        return hashlib.sha256(f"{value.dtype} {value.shape}".encode() + value.tobytes()).hexdigest()
    return getattr(value, "content", None) or str(value)


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
        self.images = key(images)

    @cached_property
    def lock(self) -> AbstractContextManager:
        """Held while maps or values are made: another process waits, and then reads them. A process
        that dies lets go of it. Who holds it may take it again."""
        if self.folder is None:
            return nullcontext()
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f"{self.images}.lock")

    def read_maps(self, wanted: Iterable[Pair]) -> dict[Pair, Explained]:
        """Those that are known of the maps of these images for these classes."""
        paths = {pair: self._map(pair) for pair in wanted} if self.folder else {}
        return {pair: _explained(path) for pair, path in paths.items() if path.is_file()}

    def write_maps(self, maps: dict[Pair, Explained]) -> None:
        for pair, explained in maps.items() if self.folder else ():
            tensors = {
                name: np.asarray(value, order="C")
                for name, value in explained._asdict().items()
                if value is not None
            }
            write_atomically(self._map(pair), partial(save_file, tensors))

    def read_values(self, name: str) -> pd.DataFrame | None:
        path = self.folder and self._values(name)
        return pd.read_parquet(path) if path and path.is_file() else None

    def write_values(self, name: str, frame: pd.DataFrame) -> None:
        if self.folder:
            write_atomically(self._values(name), lambda path: frame.to_parquet(path, index=False))

    def _map(self, pair: Pair) -> Path:
        return self.folder / "{}-{}.safetensors".format(*pair)

    def _values(self, name: str) -> Path:
        return self.folder / f"{name}-{self.images}.parquet"


def _explained(path: Path) -> Explained:
    tensors = load_file(path)
    return Explained(**tensors | {"seconds": float(tensors["seconds"])})
