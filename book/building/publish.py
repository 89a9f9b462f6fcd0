"""Run Jupyter Book over the staged tree."""

import shutil
import subprocess
import sys
from pathlib import Path

# The command `jupyter-book` of this interpreter, which may not be on the PATH.
_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"


def publish(source: Path, html: Path, *, strict: bool = True) -> str:
    """Build the HTML book from `source` into `html`; return the warnings, if there are any.

    Args:
        strict: whether a warning is an error. A build of some pages alone has dead links.
    """
    work = source.parent / "sphinx"
    for folder in (
        work,
        html,
    ):  # pages that were read before would keep their warnings to themselves
        shutil.rmtree(folder, ignore_errors=True)
    print("building the pages", flush=True)
    options = ["-q", "--path-output", str(work)]
    options += ["-W", "-n", "--keep-going"] if strict else []
    command = [sys.executable, "-c", _JUPYTER_BOOK, "build", str(source), *options]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        return run.stderr.strip() or run.stdout.strip()
    (work / "_build" / "html").rename(html)
    shutil.rmtree(work)
    return ""
