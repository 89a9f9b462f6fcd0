"""How a page shows a figure: a compact picture with its alternative text, a variant for dark pages, and
files to download."""

import re
from base64 import b64encode
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

from .drawn import drawn
from .fit import fit_titles
from .style import darken

FILES_MIME = "application/vnd.cams.figure+json"  # by suffix, each in base 64
DPI = 150
LARGE_DPI = 300  # of pictures with photographs, which a page offers instead of an SVG
MAX_BYTES = 300_000
MAX_LARGE_BYTES = 900_000


class Picture:
    """An encoded figure; its metadata become the caption, the alternative text and the anchor.

    Args:
        files: further files by suffix: "-dark.png" or "-dark.jpg" for dark pages, and the downloads
            ".svg", ".jpg" and ".csv".
    """

    def __init__(
        self,
        mime: str,
        data: bytes,
        metadata: dict[str, str],
        files: dict[str, bytes] | None = None,
    ) -> None:
        self.mime, self.data, self.metadata, self.files = mime, data, metadata, files or {}

    def __repr__(self) -> str:
        return self.metadata["alt"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {self.mime: b64encode(self.data).decode(), "text/plain": repr(self)}
        files = {suffix: b64encode(content).decode() for suffix, content in self.files.items()}
        return data | ({FILES_MIME: files} if files else {}), self.metadata


def show(
    figure: Figure,
    *,
    alt: str,
    caption: str = "",
    name: str = "",
    data: pd.DataFrame | None = None,
) -> None:
    """Display a figure and close it.

    Args:
        alt: the content of the figure for readers who do not see it.
        caption: printed below the figure (Markdown).
        name: the anchor that other pages link to; characters that an anchor cannot have become hyphens.
        data: the data behind the figure, to draw it anew; by default the values of its curves, markers
            and bars.

    Raises:
        ValueError: `alt` is empty.

    Example:
        >>> show(figure, alt="Opti-CAM covers the whole bird; Grad-CAM only its head.")
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in one sentence what the figure shows")
    fit_titles(figure)
    mime, picture = _encode(figure)
    files = _files(figure, drawn(figure) if data is None else data)
    darken(figure)
    dark_mime, dark = _encode(figure, facecolor="auto")
    files[f"-dark{_SUFFIXES[dark_mime]}"] = dark
    metadata = {"alt": alt, "caption": caption, "name": re.sub(r"[^\w-]+", "-", name)}
    plt.close(figure)
    display(Picture(mime, picture, {key: text for key, text in metadata.items() if text}, files))


_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg"}


def _files(figure: Figure, data: pd.DataFrame | None) -> dict[str, bytes]:
    """The downloads: a drawing as SVG, a figure with photographs as a large picture, and the data."""
    files = {}
    if any(axes.images for axes in figure.axes):
        mime, large = _encode(figure, LARGE_DPI, MAX_LARGE_BYTES)
        files[_SUFFIXES[mime]] = large
    else:
        svg = BytesIO()
        with plt.rc_context({"svg.hashsalt": "cams"}):  # the same file for the same figure
            figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        files[".svg"] = svg.getvalue()
    if data is not None:
        files[".csv"] = data.to_csv(index=False, float_format="%.6g").encode()
    return files


def _encode(
    figure: Figure, dpi: int = DPI, most: int | None = None, **options: Any
) -> tuple[str, bytes]:
    """PNG; where photographs make that too large, JPEG of the best quality that fits."""
    most = most or MAX_BYTES
    png = BytesIO()
    figure.savefig(png, format="png", dpi=dpi, **options)
    if png.tell() <= most:
        return "image/png", png.getvalue()
    pixels = Image.open(png).convert("RGB")
    for quality in range(92, 40, -4):
        jpeg = BytesIO()
        pixels.save(jpeg, "JPEG", quality=quality, optimize=True, progressive=True)
        if jpeg.tell() <= most:
            return "image/jpeg", jpeg.getvalue()
    raise ValueError(
        f"the figure takes {jpeg.tell()} bytes as JPEG, more than {most}; "
        "show fewer panels, or split it"
    )
