"""The points that a chart draws, as a table: the data behind a figure without a frame of its own."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

_COLUMNS = ["panel", "series", "x", "y", "low", "high", "x is", "y is"]


def drawn(figure: Figure) -> pd.DataFrame | None:
    """The points of all curves, markers and bars of a figure; None for a figure of photographs alone.

    Returns:
        One row per point: panel, series, x, y, the bounds of its interval where one is drawn, and the
        axis labels of x and y. On an axis of categories, the value is the name of the category.

    Example:
        >>> drawn(curves(x, {"Opti-CAM": p}, xlabel="Fraction", ylabel="Probability").figure)
    """
    rows = [row for axes in figure.axes if not axes.images for row in _points(axes)]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    told = [name for name in frame if not frame[name].isin(["", np.nan]).all()]
    return None if frame.empty else frame[told]


def _points(axes: Axes) -> Iterator[tuple]:
    panel = axes.get_title() or axes.get_title("left")
    labels = (axes.get_xlabel(), axes.get_ylabel())
    series = [*_intervals(axes), *_bars(axes), *_lines(axes), *_clouds(axes)]
    for name, x, y, low, high in series:
        for point in zip(_named(axes.xaxis, x), _named(axes.yaxis, y), low, high):
            yield (panel, name, *point, *labels)


def _intervals(axes: Axes) -> Iterator[tuple]:
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer) and container[0] is not None:
            x, y = container[0].get_data(orig=False)
            low = high = np.full(len(x), np.nan)
            if container[2]:
                along = 0 if container.has_xerr else 1
                ends = np.array([segment[:, along] for segment in container[2][0].get_segments()])
                low, high = ends.T if len(ends) == len(x) else (low, high)
            yield _name(container), x, y, low, high


def _bars(axes: Axes) -> Iterator[tuple]:
    for container in axes.containers:
        if isinstance(container, BarContainer):
            x = [bar.get_x() + bar.get_width() / 2 for bar in container]
            y = [bar.get_height() for bar in container]
            yield _name(container), x, y, *_unknown(x)


def _lines(axes: Axes) -> Iterator[tuple]:
    """Curves with the bands around them; lines that only mark a value are left out."""
    inside = {
        line for c in axes.containers if isinstance(c, ErrorbarContainer) for line in (c[0], *c[1])
    }
    for line in axes.lines:
        x, y = (np.asarray(values) for values in line.get_data(orig=False))
        if line not in inside and (len(x) > 2 or not line.get_label().startswith("_")):
            yield _name(line), x, y, *_band(axes, line, x)


def _band(axes: Axes, line: Line2D, x: np.ndarray) -> tuple:
    """The bounds of the band of a curve's colour, if there is one."""
    for band in axes.collections:
        paths = band.get_paths() if isinstance(band, FillBetweenPolyCollection) else []
        if len(paths) == 1 and np.allclose(band.get_facecolor()[0][:3], to_rgb(line.get_color())):
            corners, n = paths[0].vertices, len(x)
            if len(corners) == 2 * n + 3:
                return corners[1 : n + 1, 1], corners[n + 2 : 2 * n + 2, 1][::-1]
    return _unknown(x)


def _clouds(axes: Axes) -> Iterator[tuple]:
    for points in axes.collections:
        if isinstance(points, PathCollection):
            x, y = points.get_offsets().T
            yield _name(points), x, y, *_unknown(x)


def _unknown(x) -> tuple:
    return np.full(len(x), np.nan), np.full(len(x), np.nan)


def _name(artist) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _named(axis: Axis, values) -> list:
    """Values, or on an axis of categories the names of the categories."""
    ticks = {
        tick: text.get_text() for tick, text in zip(axis.get_ticklocs(), axis.get_ticklabels())
    }
    if not any(
        text and not text.replace("−", "-").lstrip("-").replace(".", "").isdigit()
        for text in ticks.values()
    ):
        return [*values]
    places = np.array([*ticks])
    return [ticks[places[np.abs(places - value).argmin()]] for value in values]
