"""Figures of a page: their variants for dark pages, and their downloads."""

import re
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from ...report.display import FILES_MIME

FOLDER = "figures"  # in the static files; names are hashes of the picture that the page shows
DARK = "-dark"
_FIGURE = re.compile(r"<figure\b([^>]*)>(.*?)</figure>", re.DOTALL)
_IMAGE = re.compile(r'<img\b[^>]*\bsrc="[^"]*/([0-9a-f]{64})\.\w+"[^>]*/?>')
_LABELS = {".svg": "SVG", ".png": "PNG", ".jpg": "large JPEG", ".csv": "data as CSV"}


def store(data: dict[str, Any], static: Path) -> None:
    """Move the files of a figure from the output of a notebook to the folder where `completed` finds them.

    Args:
        data: the output, by MIME type.
        static: the folder of the static files.
    """
    files = data.pop(FILES_MIME, {})
    for mime in [mime for mime in data if files and mime.startswith("image/")]:
        picture = sha256(b64decode(data[mime])).hexdigest()  # as MyST-NB calls it
        (static / FOLDER).mkdir(parents=True, exist_ok=True)
        for suffix, content in files.items():
            (static / FOLDER / f"{picture}{suffix}").write_bytes(b64decode(content))


def completed(body: str, folder: Path, url: str, page: str) -> str:
    """A page whose figures have the downloads and dark variants that lie in a folder, see `store`.

    Args:
        body: HTML.
        folder: with files <sha256 of the picture>.svg, .csv, ..., and <sha256>-dark.png.
        url: the address of the folder from the page.
        page: its name, which becomes part of the names of downloads.

    Example:
        >>> completed(body, source / "book/_static/figures", "../_static/figures", "book/index")
    """
    return _FIGURE.sub(lambda found: _complete(found, folder, url, page.rpartition("/")[2]), body)


def _complete(found: re.Match, folder: Path, url: str, page: str) -> str:
    image = _IMAGE.search(found[2])
    if not image:
        return found[0]
    files = {path.name: path for path in sorted(folder.glob(f"{image[1]}*"))}
    dark = next((name for name in files if DARK in name), None)
    inside = found[2]
    if dark:
        both = _in_both_schemes(image[0], f"{url}/{dark}", Image.open(files[dark]).size)
        inside = inside.replace(image[0], both)
    links = [
        f'<a href="{url}/{name}" download="{_name(found, page)}{path.suffix}">{_LABELS[path.suffix]}</a>'
        for name, path in files.items()
        if name != dark
    ]
    taken = f'<p class="figure-files">Download: {", ".join(links)}</p>' if links else ""
    return f"<figure{found[1]}>{inside}{taken}</figure>"


def _in_both_schemes(image: str, dark: str, size: tuple[int, int]) -> str:
    """An image with its variant for dark pages; a browser loads only the one that it shows."""
    known = 'width="{}" height="{}" loading="lazy"'.format(
        *size
    )  # so that the text does not move while images load
    light = image.replace("<img", f'<img class="on-light" {known}', 1)
    return light + re.sub(r'src="[^"]*"', f'src="{dark}"', light).replace("on-light", "on-dark", 1)


def _name(found: re.Match, page: str) -> str:
    """The name of a downloaded figure: its page and its anchor."""
    anchor = re.search(r'\bid="([^"]+)"', found[1])
    return f"{page}-{anchor[1]}" if anchor else page
