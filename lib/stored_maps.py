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
    name is a hash of that list. Each batch is written as a block, and the blocks of a shard are
    merged when it is complete. The folder is listed at each reading, because other processes write
    and merge blocks too; a header is read once.

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

    def write(self, maps: Mapping[Pair, Explained]) -> bool:
        """Writes maps as one block, and says whether it is there; if that fails, only warns."""
        maps = {_name(pair): one for pair, one in maps.items()}
        names = tuple(sorted(maps))
        block = _block(names)
        columns = zip(Explained._fields, zip(*(maps[name] for name in names)))
        arrays = {field: np.stack(of_each) for field, of_each in columns if of_each[0] is not None}
        save = partial(save_arrays, arrays, names="\n".join(names))
        if not keep(self.folder / block, save, store=self.folder.parent.parent):
            return False
        with self._changing:
            self._names[block] = names
            self._block |= dict.fromkeys(names, block)
            self._remove(self._damaged - {block})  # their maps can only be computed anew
            self._damaged.clear()
        return True

    def scattered(self, pairs: Iterable[Pair]) -> bool:
        """Whether more than one block holds only maps of these pairs."""
        return len(self._within(map(_name, pairs))) > 1

    def merge(self, maps: Mapping[Pair, Explained]) -> None:
        """Puts all blocks that hold only maps among these into one."""
        named = {_name(pair): pair for pair in maps}
        small = self._within(named)
        if len(small) < 2:
            return
        together = sorted({name for names in small.values() for name in names})
        # The old blocks go when the new one is there; it is one of them if a merge was interrupted.
        if self.write({named[name]: maps[named[name]] for name in together}):
            self._remove(small.keys() - {_block(together)})

    def _within(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The blocks that hold only maps of these names."""
        names = set(names)
        with self._changing:
            return {block: held for block, held in self._names.items() if names.issuperset(held)}

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
    return key(*names) + SUFFIX


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
