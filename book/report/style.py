"""The house style of all figures."""

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import ArrayLike

WIDTH = 6.4  # inches: the text width of a page; at a phone's 360 pixels, 12 points stay legible
# Petroff 2021: ten colours that the common colour-vision deficiencies leave distinct.
COLOURS = plt.color_sequences["petroff10"]
# Dashes tell neighbours apart where colours do not.
LINES = [
    {"color": colour, "linestyle": dash}
    for colour, dash in zip(COLOURS, cycle(["-", "--", "-.", ":"]))
]
MARKERS = "osD^vP*X"
_INK = "#2b2b33"

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
    """A numpy array of a tensor on any device, or of what is one already."""
    return values.detach().cpu().numpy() if hasattr(values, "detach") else np.asarray(values)
