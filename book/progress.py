"""The progress of a page, which the notebook's kernel reports to the build that waits for it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

# The environment variable with the path of the file that the build reads; without it, no build waits.
VARIABLE = "CAMS_PROGRESS"
_SECONDS = 0.5  # between two lines


def of(network: str) -> Callable[[str, int, int], None] | None:
    """The function that `lib.evaluate` calls with the method and how many of all images are done; None if no
    build waits.

    Example:
        >>> evaluate(net, data, methods, metrics, progress=progress.of(net.name))
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    started = last = time.monotonic()

    def tell(method: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SECONDS or done == total:
            last = now
            rest = (now - started) * (total - done) / max(done, 1)
            said = f"{method} on {network}, {done} of {total} images, {_time(rest)} left"
            Path(path).write_text(said, encoding="utf-8")

    return tell


def read(path: Path) -> str:
    """The last report of a kernel; empty if there is none yet."""
    return path.read_text("utf-8") if path.is_file() else ""


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
