"""The footer of a page: the code, parameters, versions and machine that made it."""

import platform
import subprocess
import time
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import torch

from lib import __version__
from lib.paths import ROOT


@dataclass(frozen=True)
class Provenance:
    """The provenance of a page, displayed as a footer; its record is also the metadata of the output."""

    record: dict[str, Any]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {text}" for name, text in _lines(self.record).items())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        lines = [f"<b>{name}</b> {escape(text)}" for name, text in _lines(self.record).items()]
        html = f'<p class="provenance"><small>{"<br>".join(lines)}</small></p>'
        return {"text/html": html, "text/plain": repr(self)}, {"provenance": self.record}


def provenance(**parameters: Any) -> Provenance:
    """The provenance of the page that is executed, without host name and date.

    Example:
        >>> provenance(profile="embedded", network="tf_efficientnet_lite0", seed=0)
    """
    packages = ("torch", "torchvision", "timm", "numpy")
    return Provenance(
        {
            "commit": commit(),
            "parameters": {name: plain(value) for name, value in parameters.items()},
            "versions": {"python": platform.python_version(), "lib": __version__}
            | {package: version(package) for package in packages},
            "device": _device(),
            "threads": torch.get_num_threads(),
            "seconds": round(time.time() - psutil.Process().create_time(), 1),
        }
    )


def _device() -> str:
    on_gpu = torch.cuda.is_available()
    return torch.cuda.get_device_name() if on_gpu else f"{platform.machine()} CPU"


def commit(root: Path = ROOT) -> str:
    """The short commit of the checkout at `root`, marked "(modified)" where it is; or "unknown"."""
    if not (root / ".git").exists():  # an installed package may lie within another's repository
        return "unknown"
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        return head + (" (modified)" if _git(root, "status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):  # no git, or no commit yet
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    run = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def plain(value: Any) -> Any:
    """A parameter as JSON stores it; in a path, ~ stands for the home folder."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (Path, str)):
        text, home = str(value), str(Path.home())
        return f"~{text[len(home) :]}" if text == home or text.startswith(f"{home}/") else text
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _lines(record: dict[str, Any]) -> dict[str, str]:
    return {
        "Commit": record["commit"],
        "Parameters": ", ".join(
            f"{name} {value}"
            for name, value in record["parameters"].items()
            if value not in ("", None)
        ),
        "Versions": ", ".join(f"{name} {value}" for name, value in record["versions"].items()),
        "Run": f"{record['device']}, {record['threads']} threads, {record['seconds']} s",
    }
