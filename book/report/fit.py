"""Titles that fit above their panels."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

_LEAST = 8.5  # points: a title that would be smaller is broken into two lines
_GAP = 3  # pixels between two titles, in addition to the gap between their panels


def fit_titles(figure: Figure) -> None:
    """Make the titles that are wider than their panels smaller, or break them into two lines.

    Example:
        >>> fit_titles(gallery(images, {"Grad-CAM, as it is": S}))
    """
    figure.draw_without_rendering()
    for axes in figure.axes:
        if axes.get_title() and _too_wide(axes.title, axes):
            _shrink(axes.title, axes)


def _too_wide(title: Text, axes: Axes) -> float:
    """The ratio of the widths of a title and its panel; 0 where the title fits."""
    factor = title.get_window_extent().width / (axes.get_window_extent().width - _GAP)
    return factor if factor > 1 else 0


def _shrink(title: Text, axes: Axes) -> None:
    size, text = title.get_fontsize(), title.get_text()
    factor = _too_wide(title, axes)
    if size / factor < _LEAST and (space := _break(text)):
        title.set_text(f"{text[:space]}\n{text[space + 1 :]}")
        factor = _too_wide(title, axes) or 1
    title.set_fontsize(max(size / factor, 6))


def _break(text: str) -> int:
    """The space nearest the middle of a text of one line, or 0."""
    spaces = [i for i, letter in enumerate(text) if letter == " "]
    if "\n" in text or not spaces:
        return 0
    return min(spaces, key=lambda i: abs(i - len(text) / 2))
