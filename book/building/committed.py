"""The notebooks that are committed beside their scripts, with smoke outputs small enough to read and diff."""

from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from ..report.display import FILES_MIME
from . import contents

THUMBNAIL = (320, 320)  # pixels, at most


def refresh(root: Path, executed: Path) -> list[Path]:
    """Replace the committed notebooks by the executed ones, their figures as thumbnails.

    Args:
        root: the project.
        executed: the folder of the executed notebooks of the smoke profile, see `build`.

    Returns:
        The notebooks written.
    """
    written = []
    for script in contents.notebooks(root):
        page = script.relative_to(root).with_suffix(".ipynb")
        notebook = nbformat.read(executed / page, as_version=4)
        notebook.metadata.pop("book", None)
        notebook.cells = [
            cell for cell in notebook.cells if "injected-parameters" not in _tags(cell)
        ]
        for i, cell in enumerate(notebook.cells):
            cell.id = f"cell-{i}"  # else each run would change every line
            if cell.cell_type == "code":  # warnings name files of the machine that ran the notebook
                cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
                for output in cell.outputs:
                    _shrink(output)
                    output.get("metadata", {}).pop(
                        "differences", None
                    )  # long, and changed by every digit
                    if "nbval-check-output" not in _tags(cell) and "text/html" in output.get(
                        "data", {}
                    ):
                        output.data.pop("text/plain", None)  # the same table again
        nbformat.write(notebook, root / page)
        written.append(root / page)
    return written


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _shrink(output: NotebookNode) -> None:
    """A picture as a thumbnail in JPEG, without the files that a page offers."""
    data = output.get("data", {})
    data.pop(FILES_MIME, None)
    for mime in [mime for mime in data if mime.startswith("image/")]:
        picture = Image.open(BytesIO(b64decode(data.pop(mime)))).convert("RGB")
        picture.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
        small = BytesIO()
        picture.save(small, "JPEG", quality=50, optimize=True)
        data["image/jpeg"] = b64encode(small.getvalue()).decode()
