"""Results on disk: one folder a shard, each file written whole or not at all.

A shard is one method (with its options) on one network and a few images. Its folder is named by a
hash of everything that decides its numbers, so nothing is computed twice and nothing stale is read:

    <store>/<shard>/maps-<targets>.npz    raw maps of the images for those classes
    <store>/<shard>/<metric>-<key>.parquet   one value an image
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from filelock import FileLock

HERE = Path(__file__).parent


class Explained(NamedTuple):
    """A raw map (h, w), the seconds that it took, and its coefficients (K,) where it has them."""

    map: np.ndarray
    seconds: float
    coefficients: np.ndarray | None = None


Maps = dict[tuple[int, int], Explained]  # by image of the shard, and class


def key(*parts: object) -> str:
    """A hash of JSON-like values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]


@cache
def code_key(*places: str) -> str:
    """A hash of the source files at these places in the library: changed code, new results."""
    files = sorted(
        f
        for place in places
        for f in ([HERE / place] if place.endswith(".py") else (HERE / place).rglob("*.py"))
    )
    return key([hashlib.sha256(f.read_bytes()).hexdigest() for f in files])


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
    """The folder of one shard; without a store, it remembers nothing."""

    def __init__(self, store: str | Path | None, shard: str):
        self.folder = Path(store) / shard if store is not None else None

    def lock(self) -> AbstractContextManager:
        """Held while the shard is computed: another process waits, then finds it done."""
        if self.folder is None:
            return nullcontext()
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")

    def read_values(self, name: str) -> pd.DataFrame | None:
        path = self.folder / f"{name}.parquet" if self.folder else None
        return pd.read_parquet(path) if path and path.is_file() else None

    def write_values(self, name: str, frame: pd.DataFrame) -> None:
        if self.folder:
            write_atomically(
                self.folder / f"{name}.parquet", lambda p: frame.to_parquet(p, index=False)
            )

    def read_maps(self) -> Maps:
        known = {}
        for path in sorted(self.folder.glob("maps-*.npz")) if self.folder else ():
            with np.load(path) as file:
                keys = zip(file["image"].tolist(), file["target"].tolist())
                alphas = file.get("coefficients", [None] * len(file["image"]))
                rows = zip(file["map"], file["seconds"].tolist(), alphas)
                known |= {key: Explained(*row) for key, row in zip(keys, rows)}
        return known

    def write_maps(self, maps: Maps) -> None:
        if self.folder and maps:
            image, target = np.array(list(maps)).T
            raw, seconds, alpha = zip(*maps.values())
            arrays = {"image": image, "target": target, "map": np.stack(raw), "seconds": seconds}
            if alpha[0] is not None:
                arrays["coefficients"] = np.stack(alpha)
            path = self.folder / f"maps-{key(image.tolist(), target.tolist())}.npz"
            write_atomically(path, lambda p: np.savez_compressed(p, **arrays))
