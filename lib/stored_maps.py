"""Raw maps on disk in blocks, so that there are few files, and any choice of images finds its maps."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from threading import RLock
from typing import NamedTuple

import numpy as np

from .store import keep, key, load_arrays, load_notes, recall, save_arrays

Pair = tuple[str, int]  # an image's fingerprint, and the class

SUFFIX = ".safetensors"


class Explained(NamedTuple):
    """A raw map (h, w), the seconds it took, and its coefficients (K,) if it has any."""

    map: np.ndarray
    seconds: float
    coefficients: np.ndarray | None = None


class StoredMaps:
    """The raw maps of one method on one network, in a folder of blocks.

    A block is a file with the maps of some pairs of image and class, which its header lists; its
    name is a hash of that list. The blocks of a shard that are written on the way become one when it
    is complete. The folder is listed at each reading, because other processes write and merge blocks
    too; a header is read once.

    Example:
        >>> maps = StoredMaps(Path("results/method/maps"))
        >>> maps.write({("1f0c", 243): Explained(M, seconds=0.1)})
        >>> maps.read([("1f0c", 243), ("77ab", 12)]).keys()
        dict_keys([('1f0c', 243)])
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: dict[str, tuple[str, ...]] = {}  # the maps of each block
        self._block: dict[str, str] = {}  # of each map
        self._damaged: set[str] = set()
        self._changing = RLock()  # for the threads of this process

    def read(self, pairs: Iterable[Pair]) -> dict[Pair, Explained]:
        """The stored maps among those of the given pairs."""
        missing, found, tried = {_name(pair): pair for pair in pairs}, {}, set()
        while missing:
            self._look()
            blocks = {self._block.get(name) for name in missing} - tried - {None}
            if not blocks:
                break
            for block in blocks:
                names, arrays = self._names.get(block, ()), recall(self.folder / block, load_arrays)
                if arrays is None:  # damaged, or merged by another process and found elsewhere
                    self._lose(block)
                    continue
                self._damaged.discard(block)
                for row, name in enumerate(names):
                    if name in missing:
                        found[missing.pop(name)] = _row(arrays, row)
            tried |= blocks
        return found

    def write(self, maps: Mapping[Pair, Explained]) -> None:
        """Writes maps as one block; if that fails, only warns."""
        self._write({_name(pair): one for pair, one in maps.items()})

    def _write(self, maps: Mapping[str, Explained]) -> str | None:
        """The new block, or None if it could not be written."""
        names = tuple(sorted(maps))
        block = _block(names)
        columns = zip(Explained._fields, zip(*(maps[name] for name in names)))
        arrays = {field: np.array(of_each) for field, of_each in columns if of_each[0] is not None}
        save = partial(save_arrays, arrays, names="\n".join(names))
        if not keep(self.folder / block, save, store=self.folder.parent.parent):
            return None
        with self._changing:
            self._names[block] = names
            self._block |= dict.fromkeys(names, block)
            self._remove(self._damaged - {block})  # their maps can only be computed anew
            self._damaged.clear()
        return block

    def complete(self, pairs: Iterable[Pair]) -> bool:
        """Whether `gather` would leave everything as it is."""
        names = set(map(_name, pairs))
        return len(self._within(names)) < 2 and names <= self._block.keys()

    def gather(self, maps: Mapping[Pair, Explained]) -> None:
        """Writes one block of the maps that are in no block, or in one that holds only maps of these."""
        maps = {_name(pair): one for pair, one in maps.items()}
        small, new = self._within(maps), maps.keys() - self._block.keys()
        if len(small) < 2 and not new:
            return
        together = new.union(*small.values())
        # The old blocks go when the new one is there; it is one of them if that was interrupted.
        if whole := self._write({name: maps[name] for name in together}):
            self._remove(small.keys() - {whole})

    def _within(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The blocks that hold only maps of these names."""
        names = set(names)
        with self._changing:
            return {
                block: held
                for block, held in self._names.items()
                if all(name in names for name in held)  # ends at the first that is not
            }

    def _look(self) -> None:
        """Notes which blocks other processes have removed and written."""
        with self._changing:
            try:
                files = os.listdir(self.folder)
            except (FileNotFoundError, NotADirectoryError):
                files = []
            blocks = {file for file in files if file.endswith(SUFFIX) and file[0] != "."}
            for block in self._names.keys() - blocks:
                self._lose(block)
            for block in blocks - self._names.keys():
                names = recall(self.folder / block, _listed)
                if names is None:
                    self._lose(block)
                    continue
                self._names[block] = names
                for name in names:
                    self._block.setdefault(name, block)

    def _lose(self, block: str) -> None:
        """Forgets a block, which has been removed or, if it is still there, is damaged."""
        with self._changing:
            for name in self._names.pop(block, ()):
                if self._block.get(name) == block:
                    del self._block[name]
            if (self.folder / block).exists():
                self._damaged.add(block)

    def _remove(self, blocks: Iterable[str]) -> None:
        for block in blocks:
            with suppress(OSError):
                (self.folder / block).unlink(missing_ok=True)
            self._lose(block)


@lru_cache(maxsize=64)  # an evaluation uses the folders of all its methods in turn
def stored_maps(folder: Path) -> StoredMaps:
    """The maps of a folder; those of one process share what they know of it."""
    return StoredMaps(folder)


def _name(pair: Pair) -> str:
    return "{}-{}".format(*pair)


def _block(names: Sequence[str]) -> str:
    """The file of these maps, in order."""
    return key("\n".join(names)) + SUFFIX


def _listed(path: Path) -> tuple[str, ...]:
    """The maps that a block's header lists."""
    names = tuple(load_notes(path)["names"].split("\n"))
    if _block(names) != path.name:
        raise ValueError("its list of maps has not the hash that is its name")
    return names


def _row(arrays: dict[str, np.ndarray], row: int) -> Explained:
    """One map, copied, so that it does not keep its whole block in memory."""
    of_one = {field: array[row].copy() for field, array in arrays.items()}
    return Explained(**of_one | {"seconds": float(of_one["seconds"])})
