"""Drawn scenes: a description in numbers, and its image with exact masks at any size.

A scene's frame is the unit square, x to the right and y down; an image of another aspect stretches
it, as resizing a photograph does. Shapes are signed distance functions, negative inside, in the
frame of a shape that fits the unit circle.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from lib.boxes import tight_box
from lib.code import code_key
from lib.data import Record, Size

Colour = tuple[float, float, float]  # sRGB in [0,1]
Line = tuple[float, float, float, float, float]  # from x, y to x, y, and its width

_ROUNDING = 0.06  # radius of a polygon's corners, in the shape's frame
_SHADOW = 0.3  # darkness of the shadow that touches an object
_SHADOW_REACH = 0.02  # how far it falls, in the scene's frame


@dataclass(frozen=True)
class Object:
    """A shape of one colour; `radius` is that of the circle around it, `angle` in radians."""

    shape: str
    colour: Colour
    x: float
    y: float
    radius: float
    angle: float


@dataclass(frozen=True)
class Background:
    """A texture between two colours; its own numbers (directions, places) come from `seed`."""

    texture: str
    colours: tuple[Colour, Colour]
    seed: int


@dataclass(frozen=True)
class Scene:
    """Objects before a background, from back to front, under one light.

    Attributes:
        light: direction the light comes from, in radians.
        contrast: the fraction by which the lit side of the scene is brighter than the other.
        grain: standard deviation of the noise per pixel.
    """

    objects: tuple[Object, ...]
    background: Background
    light: float
    contrast: float
    grain: float


# Colours ----------------------------------------------------------------------------------------


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """The sRGB colour of a lightness in [0,1], a chroma (about 0 to 0.3) and a hue in degrees.

    In OKLCH (Ottosson 2020) equal steps look equally large; what sRGB cannot show is clipped.

    Example:
        >>> oklch(1, 0, 0) == (1, 1, 1)
        True
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )


def _gamma(linear: float) -> float:
    linear = min(max(linear, 0.0), 1.0)
    value = 12.92 * linear if linear < 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(value, 4)


# Shapes -----------------------------------------------------------------------------------------


def _circle(x: ndarray, y: ndarray) -> ndarray:
    return np.hypot(x, y) - 0.9


def _ring(x: ndarray, y: ndarray) -> ndarray:
    return np.abs(np.hypot(x, y) - 0.74) - 0.2


def _crescent(x: ndarray, y: ndarray) -> ndarray:
    """A disc of radius 0.92 without another of radius 0.74 (after Quilez)."""
    y = np.abs(y)
    tip_x, tip_y = 0.55125, 0.73656  # where the two circles meet
    moon = np.maximum(np.hypot(x, y) - 0.92, 0.74 - np.hypot(x - 0.48, y))
    beyond = x * tip_y - y * tip_x > 0.48 * np.maximum(tip_y - y, 0)
    return np.where(beyond, np.hypot(x - tip_x, y - tip_y), moon)


def _heart(x: ndarray, y: ndarray) -> ndarray:
    """Two strokes that widen from the foot to a round end (after Quilez)."""
    x, y = np.abs(x), 0.85 - y  # the foot is the origin, y up
    foot, end, end_x, end_y = 0.09, 0.48, 0.42, 0.99  # two radii, and the end's centre
    length = math.hypot(end_x, end_y)
    along = (x * end_x + y * end_y) / length
    across = np.abs(x * end_y - y * end_x) / length
    sine = (end - foot) / length
    cosine = math.sqrt(1 - sine**2)
    at = along * cosine + across * sine
    return np.select(
        [at < 0, at < cosine * length],
        [np.hypot(x, y) - foot, across * cosine - along * sine - foot],
        np.hypot(x - end_x, y - end_y) - end,
    )


def _polygon(x: ndarray, y: ndarray, corners: ndarray) -> ndarray:
    """Distance to a polygon whose `corners` (n,2) are softened by a small radius."""
    start = corners.astype(np.float32).T[:, :, None, None]  # (2,n,1,1)
    edge = np.roll(start, -1, axis=1) - start
    dx, dy = x - start[0], y - start[1]  # (n,h,w), from each corner to each pixel
    along = np.clip((dx * edge[0] + dy * edge[1]) / (edge**2).sum(0), 0, 1)
    distance = np.sqrt(((dx - edge[0] * along) ** 2 + (dy - edge[1] * along) ** 2).min(0))
    # A horizontal ray from an inner pixel crosses an odd number of edges.
    below = dy >= 0
    crossed = (below != np.roll(below, -1, axis=0)) & (below == (edge[0] * dy < edge[1] * dx))
    inside = np.logical_xor.reduce(crossed)
    return np.where(inside, -distance, distance) - _ROUNDING


def _corners(*polar: tuple[float, float]) -> ndarray:
    """Corners from (radius, degrees clockwise from the top)."""
    return np.array(
        [(r * math.sin(math.radians(a)), -r * math.cos(math.radians(a))) for r, a in polar]
    )


def _regular(n: int, radius: float, first: float = 0) -> ndarray:
    return _corners(*((radius, first + 360 * i / n) for i in range(n)))


_POLYGONS = {
    "square": _regular(4, 0.94, 45),
    "triangle": _regular(3, 0.94),
    "star": _corners(*((0.94 if i % 2 == 0 else 0.42, 36 * i) for i in range(10))),
    "cross": _corners(
        *((r, 90 * i + a) for i in range(4) for r, a in ((0.94, -16), (0.94, 16), (0.37, 45)))
    ),
    "bolt": np.array(
        [(0.3, -0.89), (-0.66, 0.25), (-0.06, 0.25), (-0.3, 0.89), (0.66, -0.25), (0.06, -0.25)]
    ),
    "arrow": np.array(
        [(0, -0.94), (0.74, -0.1), (0.27, -0.1), (0.27, 0.86)]
        + [(-0.27, 0.86), (-0.27, -0.1), (-0.74, -0.1)]
    ),
}

SHAPES: dict[str, Callable[[ndarray, ndarray], ndarray]] = {
    "circle": _circle,
    "ring": _ring,
    "crescent": _crescent,
    "heart": _heart,
    **{name: partial(_polygon, corners=corners) for name, corners in _POLYGONS.items()},
}


# Textures ---------------------------------------------------------------------------------------


def _gradient(x: ndarray, y: ndarray, rng: Generator) -> ndarray:
    angle = rng.uniform(0, 2 * math.pi)
    return 0.5 + 0.7 * _towards(angle, x - 0.5, y - 0.5)


def _clouds(x: ndarray, y: ndarray, rng: Generator) -> ndarray:
    """Smooth noise: random values on a coarse and a finer grid."""
    coarse, fine = rng.random((4, 4)), rng.random((9, 9))
    return 0.7 * smooth_noise(coarse, x, y) + 0.3 * smooth_noise(fine, x, y)


def smooth_noise(grid: ndarray, x: ndarray, y: ndarray) -> ndarray:
    """The values (H,W) of a square grid between its points, at x (1,W) and y (H,1)."""

    def weights(at: ndarray) -> ndarray:
        away = np.abs(at.reshape(-1, 1) * (len(grid) - 1) - np.arange(len(grid)))
        return step(1 - away)  # (pixels, grid)

    return weights(y) @ grid.astype(np.float32) @ weights(x).T


def _stripes(x: ndarray, y: ndarray, rng: Generator) -> ndarray:
    angle, phase = rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi)
    turns = 2 * math.pi * rng.uniform(2.5, 7)
    return step(0.5 + 1.2 * np.sin(turns * _towards(angle, x, y) + phase))


def _blobs(x: ndarray, y: ndarray, rng: Generator) -> ndarray:
    centres, widths = rng.uniform(0, 1, (2, 9, 1)), rng.uniform(0.06, 0.14, (9, 1))
    across = np.exp(-(((x - centres[0]) / widths) ** 2))  # (9,W)
    down = np.exp(-(((y.T - centres[1]) / widths) ** 2))  # (9,H)
    return step(2.5 * (down.T @ across) - 0.6)


TEXTURES: dict[str, Callable[[ndarray, ndarray, Generator], ndarray]] = {
    "gradient": _gradient,
    "clouds": _clouds,
    "stripes": _stripes,
    "blobs": _blobs,
}


def step(t: ndarray) -> ndarray:
    """From 0 at t <= 0 smoothly to 1 at t >= 1."""
    t = np.minimum(np.maximum(t, 0), 1)
    return t * t * (3 - 2 * t)


# Lines ------------------------------------------------------------------------------------------


def branches(
    rng: Generator, x: float, y: float, angle: float, length: float, width: float, forks: int
) -> list[Line]:
    """A winding, thinning vessel that forks in two, `forks` times over.

    Args:
        x, y: its starting point.
        angle: its initial direction, in radians.
        length, width: the length and width of its stem.
    """
    lines = []
    for _ in range(2):
        angle += rng.uniform(-0.3, 0.3)
        end = x + length / 2 * math.cos(angle), y + length / 2 * math.sin(angle)
        lines.append((x, y, *end, width))
        x, y = end
    for turn in (rng.uniform(0.25, 0.7), -rng.uniform(0.25, 0.7)) if forks else ():
        part = rng.uniform(0.6, 0.9)
        lines += branches(rng, x, y, angle + turn, length * part, width * 0.75, forks - 1)
    return lines


def strokes(lines: Sequence[Line], x: ndarray, y: ndarray, soft: float = 0.5) -> ndarray:
    """The share of each pixel that the lines cover, (H,W) in [0,1].

    Args:
        x, y: the centres of the pixels, (1,W) and (H,1).
        soft: the width of a line's edge, as a fraction of the line's, at least one pixel.
    """
    cover = np.zeros((y.size, x.size), dtype=np.float32)
    pixel = 1 / math.sqrt(cover.size)
    for x0, y0, x1, y1, width in lines:
        edge = max(soft * width, pixel)
        reach = (width + edge) / 2
        across = _between(min(x0, x1) - reach, max(x0, x1) + reach, x.size)
        down = _between(min(y0, y1) - reach, max(y0, y1) + reach, y.size)
        dx, dy = x[:, across] - x0, y[down] - y0  # (1,w), (h,1)
        way_x, way_y = x1 - x0, y1 - y0
        length = max(way_x**2 + way_y**2, 1e-12)
        along = dx * (way_x / length) + dy * (way_y / length)  # (h,w), 0 to 1 from end to end
        along = np.minimum(np.maximum(along, 0), 1)
        distance = np.sqrt((dx - along * way_x) ** 2 + (dy - along * way_y) ** 2)
        # A line thinner than its edge is fainter, so that it covers as much at every size.
        full = 4 * width * edge / (width + edge) ** 2 if width < edge else 1.0
        share = np.minimum((reach - distance) * (full / edge), full)
        np.maximum(cover[down, across], share, out=cover[down, across])
    return cover


def _between(low: float, high: float, n: int) -> slice:
    """The pixels of n between two coordinates."""
    return slice(max(math.floor(low * n), 0), max(math.ceil(high * n), 0))


# Drawing ----------------------------------------------------------------------------------------


def pixels(size: Size) -> tuple[ndarray, ndarray]:
    """The centres of the pixels in the scene's frame: x (1,W) and y (H,1)."""
    height, width = size
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]
    return x, y


def render(scene: Scene, size: Size) -> tuple[Tensor, Tensor]:
    """The image (3,H,W) float32 in [0,1], and the visible pixels (n,H,W) bool of each object.

    A pixel belongs to an object if its centre lies in that object and in none in front of it.
    Everything but the grain is the same at every size.

    Example:
        >>> red = Object("circle", (1, 0, 0), x=0.5, y=0.5, radius=0.3, angle=0)
        >>> plain = Background("gradient", ((1, 1, 1), (1, 1, 1)), seed=0)
        >>> image, visible = render(Scene((red,), plain, light=0, contrast=0, grain=0), (64, 64))
        >>> image.shape, visible.shape
        (torch.Size([3, 64, 64]), torch.Size([1, 64, 64]))
    """
    x, y = pixels(size)
    rng = np.random.default_rng(scene.background.seed)
    image = _paint_background(scene.background, x, y, rng)
    visible = np.zeros((len(scene.objects), *size), dtype=bool)
    for i, item in enumerate(scene.objects):
        window = _window(item, size)
        inside = _paint(image[:, *window], item, x[:, window[1]], y[window[0]], scene.light, size)
        visible[:i, *window] &= ~inside
        visible[i, *window] = inside
    slope = scene.contrast * _towards(scene.light, x - 0.5, y - 0.5)
    image *= 1 + slope
    image += scene.grain * rng.standard_normal(size, dtype=np.float32)
    return torch.from_numpy(image.clip(0, 1)), torch.from_numpy(visible)


def _paint_background(background: Background, x: ndarray, y: ndarray, rng: Generator) -> ndarray:
    share = TEXTURES[background.texture](x, y, rng)  # (H,W)
    first, second = np.array(background.colours, dtype=np.float32)[:, :, None, None]  # (3,1,1)
    return (first + (second - first) * share).astype(np.float32)


def _window(item: Object, size: Size) -> tuple[slice, slice]:
    """Rows and columns that an object and its shadow reach."""
    reach = item.radius + 4 * _SHADOW_REACH
    return tuple(
        slice(
            max(math.floor((centre - reach) * side), 0), max(math.ceil((centre + reach) * side), 0)
        )
        for centre, side in zip((item.y, item.x), size)
    )


def _paint(
    image: ndarray, item: Object, x: ndarray, y: ndarray, light: float, size: Size
) -> ndarray:
    """Paints an object and its shadow over `image` (3,h,w); gives its pixels (h,w) bool."""
    x, y = (x - item.x) / item.radius, (y - item.y) / item.radius
    cos, sin = math.cos(item.angle), math.sin(item.angle)
    distance = SHAPES[item.shape](cos * x + sin * y, cos * y - sin * x)  # (h,w)
    lit = _towards(light, x, y)
    shade = 1 + 0.1 * lit * (1 + step(1 + 5 * distance))  # a rim that catches the light
    image *= 1 - _SHADOW * np.exp(-np.maximum(distance, 0) * item.radius / _SHADOW_REACH)
    cover = np.clip(0.5 - distance * item.radius * math.sqrt(size[0] * size[1]), 0, 1)
    colour = np.array(item.colour, dtype=np.float32)[:, None, None]  # (3,1,1)
    image += cover * (colour * shade - image)
    return distance < 0


def _towards(light: float, x: ndarray, y: ndarray) -> ndarray:
    return x * math.cos(light) + y * math.sin(light)


def boxes(masks: Tensor) -> Tensor:
    """The tight boxes x0,y0,x1,y1, half-open, of masks (n,H,W) that are not empty: (n,4)."""
    found = [tight_box(mask) for mask in masks.numpy()]
    return torch.tensor(found, dtype=torch.float32).reshape(-1, 4)


# Describing -------------------------------------------------------------------------------------


def pick(rng: Generator, choices: Sequence) -> Any:
    """One of the choices, with equal probability."""
    return choices[int(rng.integers(len(choices)))]


def scatter(
    rng: Generator, radii: Sequence[float], apart: float, place: Callable[[float], float]
) -> list[tuple[float, float]]:
    """Random centres for circles of these radii.

    Args:
        apart: the smallest distance of two centres, as a fraction of the sum of their radii.
        place: a random coordinate for a circle of the given radius; called for x, then for y.
    """
    found: list[tuple[float, float]] = []
    for tries in itertools.count(1):
        radius = radii[len(found)]
        x, y = place(radius), place(radius)
        if all(
            math.hypot(x - a, y - b) >= apart * (radius + other)
            for (a, b), other in zip(found, radii)
        ):
            found.append((x, y))
        elif tries % 50 == 0:  # there may be no room left: start again
            found = []
        if len(found) == len(radii):
            return found


@cache
def by_class(
    draw: Callable[[int, str, int], Record], seed: int, split: str, n: int, classes: int
) -> tuple[Record, ...]:
    """The n records of a split, sorted by class, with classes of as equal size as possible.

    Args:
        draw: `draw(seed, name, class)` makes one record.
    """
    targets = [i * classes // n for i in range(n)]
    return tuple(draw(seed, f"{split}_{i:05}", target) for i, target in enumerate(targets))


def fingerprint(record: Any) -> str:
    """SHA-256 of a record's description and of the code that draws it."""
    code = code_key(type(record).__module__, outside=("lib",))
    return hashlib.sha256(f"{code} {record!r}".encode()).hexdigest()
