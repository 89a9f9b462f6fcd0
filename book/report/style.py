"""The house style of all figures, on light pages and on dark ones."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from numpy.typing import ArrayLike

WIDTH = 6.4  # inches: the text width of a page; on a phone of 360 pixels, 12 points stay legible
# Petroff 2021: ten colours that the common colour-vision deficiencies leave distinct.
COLOURS = plt.color_sequences["petroff10"]
# Dashes tell neighbours apart where colours do not.
LINES = [
    {"color": colour, "linestyle": dash}
    for colour, dash in zip(COLOURS, cycle(["-", "--", "-.", ":"]))
]
MARKERS = "osD^vP*X"
_INK = "#2b2b33"
_DARK_GROUND = "#121212"  # of the theme's dark pages

_STYLE = {
    "figure.facecolor": "white",  # opaque, so that dark pages do not swallow the text
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#8a8a94",
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#d9d9df",
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "image.cmap": "inferno",
}


def style() -> None:
    """Set the house style: white ground, text legible at phone width, colours safe for all eyes."""
    plt.rcParams.update(_STYLE)


def array(values: ArrayLike) -> np.ndarray:
    """A numpy array, from a tensor on any device or from anything that numpy takes."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)


def darken(figure: Figure) -> None:
    """Repaint a figure for dark pages: the ground becomes dark, greys are inverted, dark colours become
    lighter.

    Marks over a photograph, such as the outline of an object, stay as they are.

    Example:
        >>> darken(figure)
        >>> figure.savefig("dark.png")
    """
    over = {
        artist
        for axes in figure.axes
        if axes.images
        for artist in (*axes.lines, *axes.patches, *axes.collections, *axes.texts)
    }
    painted = figure.findobj(lambda artist: isinstance(artist, _PAINTED) and artist not in over)
    # All are read before one is written: the colour of a marker may be that of its line.
    repaints = [repaint for artist in painted for repaint in _repaints(artist)]
    for write, colour in repaints:
        write(colour)


_PAINTED = (Text, Line2D, Patch, Collection)
_PARTS = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


def _repaints(artist: Artist) -> Iterator[tuple[Callable, Any]]:
    """The functions that set the colours of an artist, each with the colour for a dark page."""
    if isinstance(artist, Collection) and artist.get_array() is not None:
        return  # a colour map paints it
    for part in _PARTS:
        read, write = (getattr(artist, f"{verb}_{part}", None) for verb in ("get", "set"))
        if read and write:
            colour = read()
            several = isinstance(artist, Collection)
            yield write, [*map(_on_dark, colour)] if several else _on_dark(colour)


def _on_dark(colour) -> tuple[float, float, float, float]:
    """A colour on a dark page: white is the ground, black is nearly white, a dark hue is lighter."""
    *rgb, opacity = to_rgba(colour)  # of "none", transparent
    if min(rgb) > 0.99:
        return (*to_rgba(_DARK_GROUND)[:3], opacity)
    if max(rgb) - min(rgb) < 0.1:  # a grey
        grey = 0.93 - 0.8 * sum(rgb) / 3
        return (grey, grey, grey, opacity)
    pale = 0.35 * max(0.0, 1 - sum(rgb) / 1.5)
    return (*((1 - pale) * c + pale for c in rgb), opacity)
