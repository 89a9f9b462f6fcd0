"""Fixtures that all tests share."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import lib  # noqa: F401  it must precede the import of torchvision: see lib/torchvision_ops.py

# A shell starts background jobs with SIGINT ignored. Restore it for the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""


@pytest.fixture
def project(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Writes a miniature project: `project({"one": percent source})` has a page `notebooks/mini/one`."""

    def write(notebooks: Mapping[str, str]) -> Path:
        folder = tmp_path / "notebooks" / "mini"
        folder.mkdir(parents=True, exist_ok=True)
        pages = "".join(f"  - file: notebooks/mini/{name}\n" for name in notebooks)
        chapters = f"chapters:\n{pages}" if notebooks else ""
        (tmp_path / "_toc.yml").write_text(f"format: jb-book\nroot: book/index\n{chapters}")
        for name, source in notebooks.items():
            (folder / f"{name}.py").write_text(HEADER + source)
        return tmp_path

    return write


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the book's HTML, made once from the committed notebooks with their outputs. (nbval
    checks these outputs.)"""
    from book.building.publish import publish
    from book.building.stage import stage
    from lib.paths import ROOT

    out = tmp_path_factory.mktemp("book")
    stage(ROOT, ROOT, out / "source", "smoke")
    assert publish(out / "source", out / "html") == ""
    return out / "html"
