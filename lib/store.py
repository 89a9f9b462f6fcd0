"""Results on disk; each file is written completely or not at all.

A folder holds the results of one method, with its options, on one network. Its name is a hash of
everything on which the numbers depend, so nothing is computed twice and nothing stale is read. Maps
are stored by image, so that any selection of images finds them; values are stored by the images
that were measured together:

    <store>/<folder>/<image>-<class>.safetensors   a raw map
    <store>/<folder>/<metric>-<images>.parquet     one value per image
    <store>/<folder>/<images>.lock                 held by the process that computes either

Each file has a checksum of its numbers. A damaged file is named in a warning and computed anew. If
the store cannot be written, results are returned but not stored, with a warning.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
import pandas as pd
from filelock import FileLock
from safetensors import safe_open
from safetensors.numpy import save
from torch import Tensor

Pair = tuple[str, int]  # an image's fingerprint, and the class


class Explained(NamedTuple):
    """A raw map (h, w), the seconds it took, and its coefficients (K,) if it has any."""

    map: np.ndarray
    seconds: float
    coefficients: np.ndarray | None = None


def key(*parts: object) -> str:
    """A hash of JSON-like values, tensors, and objects with a `content`, such as datasets."""
    said = json.dumps(parts, sort_keys=True, default=_content)
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _content(value: object) -> str:
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):  # its text would be abbreviated
        return hashlib.sha256(f"{value.dtype} {value.shape}".encode() + value.tobytes()).hexdigest()
    return getattr(value, "content", None) or str(value)


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` write a file beside `path` and renames it, so that no partial file remains."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".writing-{uuid4().hex}{path.suffix}"
    )  # readable as other files are
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def keep(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file atomically; if that fails, as on a full disk, only warns."""
    try:
        write_atomically(path, write)
    except OSError as error:
        _warn_unkept(path.parent.parent, error)


def _warn_unkept(store: Path, error: OSError) -> None:
    warnings.warn(
        f"cannot write into {store} ({error.strerror or error}): results are returned, but not kept; "
        "make room there, or make it writable, and run again",
        stacklevel=3,
    )


def recall(path: Path, read: Callable[[Path], Any]) -> Any | None:
    """The content of a file; None if it does not exist or, with a warning, if it is damaged."""
    try:
        return read(path)
    except FileNotFoundError:
        return None
    except (PermissionError, MemoryError):  # the file is not to blame
        raise
    except Exception as error:  # readers may raise anything on invalid bytes
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"{path} is damaged and computed anew ({said})", stacklevel=2)
        return None


def save_arrays(arrays: dict[str, np.ndarray], path: Path) -> None:
    """Writes arrays by name as a safetensors file, with their checksum."""
    arrays = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    path.write_bytes(save(arrays, {"checksum": key(arrays)}))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays that `save_arrays` wrote; a ValueError if their checksum is wrong."""
    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
        if (file.metadata() or {}).get("checksum") != key(arrays):
            raise ValueError("its numbers have not their checksum")
    return arrays


class ShardStore:
    """The stored results of one method on the images of a shard.

    Args:
        store: the folder of all results; None stores nothing.
        folder: the name of the method's folder.
        images: the fingerprints of the shard's images.
    """

    def __init__(self, store: str | Path | None, folder: str, images: Sequence[str]):
        self.folder = Path(store) / folder if store is not None else None
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
            _warn_unkept(self.folder.parent, error)
            return nullcontext()
        return FileLock(path)

    def read_maps(self, wanted: Iterable[Pair]) -> dict[Pair, Explained]:
        """The stored maps among those of the given images and classes."""
        known = {pair: recall(self._map(pair), _explained) for pair in wanted if self.folder}
        return {pair: explained for pair, explained in known.items() if explained is not None}

    def write_maps(self, maps: dict[Pair, Explained]) -> None:
        for pair, explained in maps.items() if self.folder else ():
            arrays = {k: value for k, value in explained._asdict().items() if value is not None}
            keep(self._map(pair), partial(save_arrays, arrays))

    def read_values(self, name: str, columns: Sequence[str]) -> pd.DataFrame | None:
        """The stored frame with these columns, or None."""

        def read(path: Path) -> pd.DataFrame:
            frame = pd.read_parquet(path, page_checksum_verification=True)
            if list(frame.columns) != list(columns):
                raise ValueError(f"its columns are {', '.join(frame.columns)}")
            return frame

        return recall(self._values(name), read) if self.folder else None

    def write_values(self, name: str, frame: pd.DataFrame) -> None:
        def write(path: Path) -> None:
            frame.to_parquet(path, index=False, write_page_checksum=True)

        if self.folder:
            keep(self._values(name), write)

    def _map(self, pair: Pair) -> Path:
        return self.folder / "{}-{}.safetensors".format(*pair)

    def _values(self, name: str) -> Path:
        return self.folder / f"{name}-{self.images}.parquet"


def _explained(path: Path) -> Explained:
    arrays = load_arrays(path)
    return Explained(**arrays | {"seconds": float(arrays["seconds"])})
