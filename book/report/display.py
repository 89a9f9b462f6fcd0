"""How a page shows a figure: a compact picture with the text that stands for it."""

import re
from base64 import b64encode
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure
from PIL import Image

DPI = 150
MAX_BYTES = 300_000


class Picture:
    """An encoded figure; its metadata become the caption, the alternative text and the anchor."""

    def __init__(self, mime: str, data: bytes, metadata: dict[str, str]) -> None:
        self.mime, self.data, self.metadata = mime, data, metadata

    def __repr__(self) -> str:
        return self.metadata["alt"]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        data = {self.mime: b64encode(self.data).decode(), "text/plain": repr(self)}
        return data, self.metadata


def show(figure: Figure, *, alt: str, caption: str = "", name: str = "") -> None:
    """Display a figure and close it.

    Args:
        alt: what a reader who does not see the figure should know of it.
        caption: printed below it (Markdown).
        name: the anchor that other pages link to; what no anchor can hold becomes a hyphen.

    Raises:
        ValueError: `alt` is empty.

    Example:
        >>> show(figure, alt="Opti-CAM covers the whole bird; Grad-CAM only its head.")
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in one sentence what the figure shows")
    mime, data = _encode(figure)
    metadata = {"alt": alt, "caption": caption, "name": re.sub(r"[^\w-]+", "-", name)}
    plt.close(figure)
    display(Picture(mime, data, {key: text for key, text in metadata.items() if text}))


def _encode(figure: Figure) -> tuple[str, bytes]:
    """PNG; photographs, which make it large, as JPEG of the best quality that fits."""
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI)
    if png.tell() <= MAX_BYTES:
        return "image/png", png.getvalue()
    pixels = Image.open(png).convert("RGB")
    for quality in range(92, 40, -4):
        jpeg = BytesIO()
        pixels.save(jpeg, "JPEG", quality=quality, optimize=True, progressive=True)
        if jpeg.tell() <= MAX_BYTES:
            return "image/jpeg", jpeg.getvalue()
    raise ValueError(
        f"the figure takes {jpeg.tell()} bytes as JPEG, more than {MAX_BYTES}; "
        "show fewer panels, or split it"
    )
