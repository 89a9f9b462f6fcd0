"""Painting with smooth outlines, layer over layer, with exact labels of the visible pixels.

Points (n,2) are x, y in the scene's frame: the unit square, x to the right and y down.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from PIL import Image, ImageDraw

from lib.data import Size

from .drawing import Colour, pixels

_STEPS = 6  # points of a curve between two of its knots
_SUBPIXELS = 4  # along each side of a pixel, for smooth edges


# Outlines ---------------------------------------------------------------------------------------


def spline(knots: ndarray, closed: bool = True) -> ndarray:
    """The smooth curve (Catmull and Rom 1974) through knots (n,2).

    Example:
        >>> spline(np.array([(0, 0), (1, 0), (1, 1), (0, 1)])).shape
        (24, 2)
    """
    return _basis(len(knots), closed) @ np.asarray(knots, dtype=np.float64)


@cache
def _basis(n: int, closed: bool) -> ndarray:
    """The contribution of each knot to each point of the curve."""
    segments = n if closed else n - 1
    t = np.arange(_STEPS)[:, None] / _STEPS
    weights = 0.5 * np.hstack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )  # (steps,4)
    basis = np.zeros((segments * _STEPS + (not closed), n))
    for i in range(segments):
        for k in range(4):
            knot = (i + k - 1) % n if closed else min(max(i + k - 1, 0), n - 1)
            basis[i * _STEPS : (i + 1) * _STEPS, knot] += weights[:, k]
    if not closed:
        basis[-1, -1] = 1
    return basis


def ribbon(knots: ndarray, widths: float | Sequence[float]) -> ndarray:
    """The outline of a smooth stroke through knots (n,2), as wide as `widths` at each of them."""
    knots = np.asarray(knots, dtype=np.float64)
    n = len(knots)
    middle = _basis(n, False) @ knots  # (m,2)
    half = _basis(n, False) @ (np.ones(n) * widths) / 2  # (m,)
    way = _slopes(n) @ knots
    across = (half / np.hypot(*way.T))[:, None] * way[:, ::-1] * (-1, 1)
    return np.concatenate([middle + across, (middle - across)[::-1]])


@cache
def _slopes(n: int) -> ndarray:
    """The contribution of each knot to the direction of an open curve at each of its points."""
    return np.gradient(_basis(n, False), axis=0)


def ellipse(x: float, y: float, a: float, b: float, angle: float = 0.0) -> ndarray:
    """The outline of an ellipse with semi-axes a and b, whose first is turned by `angle`."""
    along, across = a * _CIRCLE[:, 0], b * _CIRCLE[:, 1]
    cos, sin = math.cos(angle), math.sin(angle)
    return np.stack([x + cos * along - sin * across, y + sin * along + cos * across], axis=1)


_TURNS = np.linspace(0, 2 * math.pi, 24, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)


# The canvas -------------------------------------------------------------------------------------


class Patch(NamedTuple):
    """The part of a canvas that an outline reaches.

    Attributes:
        window: its rows and columns.
        cover: the share of each pixel inside the outline, (h,w) in [0,1].
        x, y: the centres of the pixels, (1,w) and (h,1).
    """

    window: tuple[slice, slice]
    cover: ndarray
    x: ndarray
    y: ndarray


class Canvas:
    """An image to paint on, from back to front.

    Attributes:
        image: (3,H,W) float32.
        labels: (H,W) uint8, the label of the last layer that covers at least half of the pixel; 0
            at first.
    """

    def __init__(self, size: Size):
        self.size = size
        self.x, self.y = pixels(size)
        self.image = np.zeros((3, *size), dtype=np.float32)
        self.labels = np.zeros(size, dtype=np.uint8)
        # Outlines are filled on this finer grid of pixels.
        self._fine = Image.new("L", (_SUBPIXELS * size[1], _SUBPIXELS * size[0]))
        self._pen = ImageDraw.Draw(self._fine)

    def patch(self, *outlines: ndarray) -> Patch | None:
        """The patch that closed outlines (n,2) cover together; None if it is outside the image."""
        height, width = self.size
        points = np.concatenate(outlines) * (width, height)
        left, top = (max(math.floor(low), 0) for low in points.min(0).tolist())
        right, bottom = points.max(0).tolist()
        right, bottom = min(math.ceil(right), width), min(math.ceil(bottom), height)
        if left >= right or top >= bottom:
            return None
        scale = np.array((_SUBPIXELS * width, _SUBPIXELS * height))
        box = tuple(_SUBPIXELS * side for side in (left, top, right, bottom))
        for outline in outlines:
            self._pen.polygon((outline * scale - 0.5).ravel().tolist(), fill=255)
        shares = np.frombuffer(self._fine.reduce(_SUBPIXELS, box).tobytes(), dtype=np.uint8)
        self._pen.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), fill=0)
        cover = np.multiply(shares, 1 / 255, dtype=np.float32).reshape(bottom - top, right - left)
        rows, columns = slice(top, bottom), slice(left, right)
        return Patch((rows, columns), cover, self.x[:, columns], self.y[rows])

    def lay(self, patch: Patch, colour: ndarray, labels: ndarray | int) -> None:
        """Paint a colour, (3,h,w) or (3,1,1), over the patch."""
        image = self.image[:, *patch.window]
        image += patch.cover * (colour - image)
        seen = self.labels[patch.window]
        np.copyto(seen, labels, where=patch.cover >= 0.5, casting="unsafe")

    def paint(self, outline: ndarray, colour: Colour | ndarray, label: int = 0) -> None:
        """Paint an outline (n,2) in one colour."""
        if patch := self.patch(outline):
            self.lay(patch, channels(colour), label)


def channels(colour: Colour | ndarray) -> ndarray:
    """A colour as (3,1,1)."""
    return np.asarray(colour, dtype=np.float32).reshape(3, 1, 1)


def mix(first: ndarray, second: ndarray, share: ndarray | float) -> ndarray:
    """From the first colour at share 0 to the second at 1."""
    return first + share * (second - first)
