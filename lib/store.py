"""Files on disk, each written completely or not at all, and read with a checksum.

A damaged file is named in a warning and computed anew. If a file cannot be written, what it would
hold is returned but not stored, with a warning.
"""

import errno
import hashlib
import json
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from safetensors.numpy import load, save
from torch import Tensor


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
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".writing-{uuid4().hex}{path.suffix}"
    )  # readable as other files are
    try:
        write(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def keep(path: Path, write: Callable[[Path], None], store: Path | None = None) -> bool:
    """Writes a file atomically and says whether it is there; if it fails, as on a full disk, only
    warns, and names `store`, which by default is the folder above that of the file."""
    try:
        write_atomically(path, write)
    except OSError as error:
        warn_unkept(store or path.parent.parent, error)
        return False
    return True


def warn_unkept(store: Path, error: OSError) -> None:
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
        if getattr(error, "errno", None) == errno.ESTALE:  # removed on another machine
            return None
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"{path} is damaged and computed anew ({said})", stacklevel=2)
        return None


def save_arrays(arrays: dict[str, np.ndarray], path: Path, **notes: str) -> None:
    """Writes arrays by name as a safetensors file, with their checksum and with notes."""
    arrays = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    path.write_bytes(save(arrays, {"checksum": key(arrays), **notes}))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays that `save_arrays` wrote; a ValueError if their checksum is wrong."""
    content = path.read_bytes()  # not mapped: another machine may remove the file meanwhile
    arrays = load(content)
    if _notes(BytesIO(content), len(content)).get("checksum") != key(arrays):
        raise ValueError("its numbers have not their checksum")
    return arrays


def load_notes(path: Path) -> dict[str, str]:
    """The checksum and the notes that `save_arrays` wrote; the arrays are not read."""
    with path.open("rb") as file:
        return _notes(file, path.stat().st_size)


def _notes(file: BinaryIO, size: int) -> dict[str, str]:
    length = int.from_bytes(file.read(8), "little")
    if length > size:
        raise ValueError("its header is cut off")
    return json.loads(file.read(length)).get("__metadata__", {})
