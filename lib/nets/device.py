"""A device: a check that it exists, a clock that waits for it, and its full precision."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def check_device(device: str | torch.device) -> None:
    """Raises an error unless the device can compute on this machine.

    Raises:
        ValueError: there is no such device; the message names some that exist.

    Example:
        >>> check_device("cuda")
        Traceback (most recent call last):
        ValueError: there is no device 'cuda' here; take one of: cpu
    """
    try:
        torch.zeros(1, device=device).cpu()
    # torch raises all of these, for a name that it does not know or was not built for
    except (AssertionError, NotImplementedError, RuntimeError, TypeError):
        raise ValueError(
            f"there is no device {str(device)!r} here; take one of: {', '.join(_devices())}"
        ) from None


def _devices() -> list[str]:
    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def clock(device: torch.device) -> float:
    """The time in seconds, read once the device has finished its work.

    Example:
        >>> start = clock(net.device); net(x); seconds = clock(net.device) - start
    """
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter()


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions on CUDA keep all digits of float32 meanwhile; by default they round to TF32.

    Example:
        >>> with full_precision():
        ...     y = net.head(A)
    """
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
