"""Whether a device is one of this machine's, asked before anything is read or trained; and when it has
finished."""

import time

import torch


def check_device(device: str | torch.device) -> None:
    """Refuse a device on which nothing can be computed here.

    Raises:
        ValueError: there is none of that name here; names some that there are.

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
    """Seconds, once the device has finished what it was given.

    Example:
        >>> start = clock(net.device); net(x); seconds = clock(net.device) - start
    """
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter()
