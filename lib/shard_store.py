"""The stored results of one method on the images of a shard: maps, values, and a lock.

A folder holds the results of one method, with its options, on one network. Its name is a hash of
everything on which the numbers depend, so nothing is computed twice and nothing stale is read. Maps
are stored by image and class, so that any selection of images finds them; values are stored by the
images that were measured together:

    <store>/<folder>/maps/<maps>.safetensors        the raw maps of some batches, or of a shard
    <store>/<folder>/<metric>-<images>.safetensors  one value per image
    <store>/<folder>/<images>.lock                  held by the process that computes either
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from .store import keep, key, load_arrays, recall, save_arrays, warn_unkept
from .stored_maps import Explained, Pair, stored_maps


class ShardStore:
    """The stored results of one method on the images of a shard.

    Args:
        store: the folder of all results; None stores nothing.
        folder: the name of the method's folder.
        images: the fingerprints of the shard's images.
    """

    def __init__(self, store: str | Path | None, folder: str, images: Sequence[str]):
        self.folder = Path(store) / folder if store is not None else None
        self._maps = stored_maps(self.folder / "maps") if self.folder else None
        self.images = key(images)

    @cached_property
    def lock(self) -> AbstractContextManager:
        """A lock to hold while maps or values are computed, so that other processes wait and then
        read them. It is reentrant, and released when its process dies. If the store cannot be
        written, nothing is locked."""
        if self.folder is None:
            return nullcontext()
        path = self.folder / f"{self.images}.lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            warn_unkept(self.folder.parent, error)
            return nullcontext()
        return FileLock(path)

    def read_maps(self, wanted: Iterable[Pair]) -> dict[Pair, Explained]:
        """The stored maps among those of the given images and classes."""
        return self._maps.read(wanted) if self._maps else {}

    def write_maps(self, maps: Mapping[Pair, Explained]) -> None:
        if self._maps:
            self._maps.write(maps)

    def complete(self, maps: Iterable[Pair]) -> bool:
        """Whether `gather_maps` would leave everything as it is."""
        return self._maps is None or self._maps.complete(maps)

    def gather_maps(self, maps: Mapping[Pair, Explained]) -> None:
        """Stores these maps, in one file but for those that other choices of images have stored."""
        if self._maps:
            self._maps.gather(maps)

    def read_values(self, name: str, columns: Sequence[str]) -> dict[str, np.ndarray] | None:
        """The stored columns, each with one row per image, or None."""

        def read(path: Path) -> dict[str, np.ndarray]:
            found = load_arrays(path)
            if found.keys() != set(columns):
                raise ValueError(f"its columns are {', '.join(found)}")
            return found

        return recall(self._values(name), read) if self.folder else None

    def write_values(self, name: str, columns: Mapping[str, np.ndarray]) -> None:
        if self.folder:
            keep(self._values(name), partial(save_arrays, columns))

    def _values(self, name: str) -> Path:
        return self.folder / f"{name}-{self.images}.safetensors"
