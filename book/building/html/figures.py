"""Figures of a page: their variant for dark pages, and the files that a reader can take away."""

import re
from pathlib import Path

FOLDER = "figures"  # of the static files, by the content of the picture that the page shows
DARK = "-dark"
_FIGURE = re.compile(r"<figure\b([^>]*)>(.*?)</figure>", re.DOTALL)
_IMAGE = re.compile(r'<img\b[^>]*\bsrc="[^"]*/([0-9a-f]{64})\.\w+"[^>]*/?>')
_LABELS = {".svg": "SVG", ".png": "PNG", ".jpg": "JPEG, 300 dpi", ".csv": "CSV"}


def completed(body: str, folder: Path, url: str, page: str) -> str:
    """A page whose figures have what lies in a folder for them, see `book.building.stage`.

    Args:
        body: HTML.
        folder: with files <sha256 of the picture>.svg, .csv, ..., and <sha256>-dark.png.
        url: where the page finds the folder.
        page: its name; what is downloaded is called after it.

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
        light = image[0].replace("<img", '<img class="only-light" loading="lazy"', 1)
        source = re.sub(r'src="[^"]*"', f'src="{url}/{dark}"', light)
        inside = inside.replace(image[0], light + source.replace("only-light", "only-dark"))
    links = [
        f'<a href="{url}/{name}" download="{_name(found, page)}{path.suffix}">{_LABELS[path.suffix]}</a>'
        for name, path in files.items()
        if name != dark
    ]
    taken = f'<p class="figure-files">Download: {", ".join(links)}</p>' if links else ""
    return f"<figure{found[1]}>{inside}{taken}</figure>"


def _name(found: re.Match, page: str) -> str:
    """What a figure is called on a reader's disk: its page and its anchor."""
    anchor = re.search(r'\bid="([^"]+)"', found[1])
    return f"{page}-{anchor[1]}" if anchor else page
