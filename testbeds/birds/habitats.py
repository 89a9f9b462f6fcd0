"""The habitats of the test bed's birds: the backdrop, the perch, and the leaves in front."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from ..drawing import oklch, smooth_noise, step
from ..painting import Canvas, channels, ellipse, mix, ribbon, spline


@dataclass(frozen=True)
class Habitat:
    """A place; its own numbers (colours, branches, leaves) come from `seed`.

    Attributes:
        kind: one of `HABITATS`.
        perch: what the bird stands on, one of `PERCHES`.
        leaves, blades, twigs: the numbers of each in front of the bird.
    """

    kind: str
    perch: str
    leaves: int
    blades: int
    twigs: int
    seed: int


def paint_behind(canvas: Canvas, habitat: Habitat, feet: tuple[float, float]) -> None:
    """Paints the backdrop, and the perch under the feet of a bird."""
    rng = np.random.default_rng([habitat.seed, 0])
    canvas.image[:] = HABITATS[habitat.kind](canvas, rng)
    PERCHES[habitat.perch](canvas, rng, *feet)


def paint_before(canvas: Canvas, habitat: Habitat, around: tuple[float, float]) -> None:
    """Paints leaves, blades of grass and twigs in front of a bird whose place is `around`."""
    rng = np.random.default_rng([habitat.seed, 1])
    for _ in range(habitat.twigs):
        _twig(canvas, rng, around)
    hue = rng.uniform(60, 150)
    for _ in range(habitat.leaves):
        turn, away = rng.uniform(0, 2 * math.pi), rng.uniform(0.12, 0.5)
        x, y = around[0] + away * math.cos(turn), around[1] + away * math.sin(turn)
        _leaf(canvas, rng, x, y, rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.2), hue)
    for _ in range(habitat.blades):
        _blade(canvas, rng, rng.uniform(0, 1), rng.uniform(0.45, 0.85), rng.uniform(95, 135))


# Behind -----------------------------------------------------------------------------------------


def _blur(canvas: Canvas, centres: ndarray, radii: ndarray, colours: ndarray) -> ndarray:
    """Colours (n,3) that flow into each other, as things far behind the focus do: (3,H,W)."""
    across = np.exp(-(((canvas.x - centres[:, :1]) / radii[:, :1]) ** 2))  # (n,W)
    down = np.exp(-(((canvas.y.T - centres[:, 1:]) / radii[:, 1:]) ** 2)) + 1e-6  # (n,H)
    weighted = colours.T[:, :, None] * down  # (3,n,H)
    total = down.T @ across + 1e-9
    return (np.swapaxes(weighted, 1, 2) @ across / total).astype(np.float32)


def _colours(rng: Generator, n: int, lightness, chroma, hue) -> ndarray:
    """Random colours (n,3) from ranges in OKLCH."""
    return np.array(
        [oklch(rng.uniform(*lightness), rng.uniform(*chroma), rng.uniform(*hue)) for _ in range(n)]
    )


def _foliage(canvas: Canvas, rng: Generator) -> ndarray:
    n, hue, light = 28, rng.uniform(85, 150), rng.uniform(0.3, 0.6)
    colours = _colours(rng, n, (light - 0.14, light + 0.2), (0.03, 0.12), (hue - 18, hue + 18))
    radii = np.repeat(rng.uniform(0.05, 0.16, (n, 1)), 2, axis=1)
    canvas.image[:] = _blur(canvas, rng.uniform(-0.1, 1.1, (n, 2)), radii, colours)
    for colour in _colours(rng, 7, (light + 0.2, light + 0.34), (0.03, 0.1), (hue - 25, hue + 10)):
        radius = rng.uniform(0.02, 0.06)
        _glaze(canvas, ellipse(*rng.uniform(0, 1, 2), radius, radius), colour, 0.4)
    return canvas.image


def _branches(canvas: Canvas, rng: Generator) -> ndarray:
    n, hue, light = 9, rng.uniform(0, 360), rng.uniform(0.62, 0.88)
    colours = _colours(rng, n, (light - 0.1, light + 0.07), (0.01, 0.05), (hue - 25, hue + 25))
    canvas.image[:] = _blur(canvas, rng.uniform(0, 1, (n, 2)), np.full((n, 2), 0.3), colours)
    for colour in _colours(rng, 5, (light - 0.4, light - 0.15), (0.01, 0.05), (30, 90)):
        start, slope = rng.uniform(-0.2, 1.2), rng.uniform(-0.7, 0.7)
        x = np.array([start, start + 0.5 * slope + rng.uniform(-0.1, 0.1), start + slope])
        y = np.array([-0.1, rng.uniform(0.3, 0.7), 1.1])
        width = rng.uniform(0.015, 0.06)
        stem = np.stack([x, y] if rng.random() < 0.7 else [y, x], axis=1)
        for spread in (1.5, 1.0):  # out of focus: a soft edge
            _glaze(
                canvas,
                ribbon(stem, (spread * width, 0.8 * spread * width, 0.6 * spread * width)),
                colour,
                0.45,
            )
    return canvas.image


def _sky(canvas: Canvas, rng: Generator) -> ndarray:
    hue = rng.uniform(215, 265) if rng.random() < 0.7 else rng.uniform(20, 80)
    top = channels(oklch(rng.uniform(0.5, 0.75), rng.uniform(0.04, 0.11), hue))
    low = channels(oklch(rng.uniform(0.82, 0.93), 0.035, hue + rng.uniform(-60, 60)))
    image = mix(top, low, step(0.1 + canvas.y))
    noise = 0.65 * smooth_noise(rng.random((5, 5)), canvas.x, canvas.y)
    noise += 0.35 * smooth_noise(rng.random((11, 11)), canvas.x, canvas.y)
    return mix(
        image, channels(oklch(0.95, 0.01, hue)), 0.75 * step(3 * (noise - rng.uniform(0.4, 0.65)))
    )


def _water(canvas: Canvas, rng: Generator) -> ndarray:
    hue = rng.uniform(150, 255)
    lightness = rng.uniform(0.38, 0.65)
    deep = channels(oklch(lightness, rng.uniform(0.03, 0.08), hue))
    bright = channels(oklch(lightness + rng.uniform(0.12, 0.28), 0.035, hue + rng.uniform(-30, 30)))
    drift = smooth_noise(rng.random((14, 14)), 0.3 * canvas.x + 0.2, canvas.y)  # flat waves
    turns = rng.uniform(6, 9) * np.log(0.25 + canvas.y) + 2.4 * drift
    waves = np.sin(2 * math.pi * turns)
    image = mix(deep, bright, step(0.35 + 0.6 * waves * drift) * (0.35 + 0.5 * canvas.y))
    if rng.random() < 0.6:  # the other shore
        n, shore = 12, rng.uniform(0.12, 0.4)
        colours = _colours(rng, n, (0.3, 0.6), (0.03, 0.09), (80, 150))
        radii = np.full((n, 2), (0.09, 0.12))
        far = _blur(canvas, rng.uniform(0, 1, (n, 2)) * (1, shore), radii, colours)
        image = mix(image, far, step((shore - canvas.y) / 0.03))
    return image


def _grass(canvas: Canvas, rng: Generator) -> ndarray:
    n, hue, light = 22, rng.uniform(85, 140), rng.uniform(0.45, 0.75)
    colours = _colours(rng, n, (light - 0.12, light + 0.12), (0.05, 0.12), (hue - 15, hue + 15))
    radii = rng.uniform(0.04, 0.1, (n, 2)) * (1, 3)
    canvas.image[:] = _blur(canvas, rng.uniform(0, 1, (n, 2)), radii, colours)
    for _ in range(8):
        _blade(canvas, rng, rng.uniform(0, 1), rng.uniform(0.05, 0.6), hue + rng.uniform(-15, 15))
    return canvas.image


HABITATS: dict[str, Callable[[Canvas, Generator], ndarray]] = {
    "branches": _branches,
    "foliage": _foliage,
    "grass": _grass,
    "sky": _sky,
    "water": _water,
}


def _glaze(canvas: Canvas, outline: ndarray, colour: ndarray, opacity: float) -> None:
    """Paints an outline transparently."""
    if patch := canvas.patch(outline):
        canvas.lay(patch._replace(cover=opacity * patch.cover), channels(colour), 0)


# Under the feet ---------------------------------------------------------------------------------


def _round(canvas: Canvas, middle: ndarray, widths: ndarray, colour: ndarray) -> None:
    """A stem that is lit from above."""
    canvas.paint(ribbon(middle, widths), colour * 0.72)
    canvas.paint(ribbon(middle - (0, 0.12 * widths.max()), 0.6 * widths), colour * 1.05)


def _bark(rng: Generator) -> ndarray:
    return channels(oklch(rng.uniform(0.35, 0.66), rng.uniform(0.015, 0.05), rng.uniform(40, 85)))


def _branch(canvas: Canvas, rng: Generator, x: float, y: float) -> None:
    slope, width, bark = rng.uniform(-0.3, 0.3), rng.uniform(0.045, 0.085), _bark(rng)
    y += 0.4 * width
    bend = rng.uniform(-0.05, 0.05, 2)
    stem = [
        (-0.1, y + slope * (-0.1 - x) + bend[0]),
        (x - 0.2, y - 0.2 * slope),
        (x + 0.2, y + 0.2 * slope),
    ]
    stem = np.array([*stem, (1.1, y + slope * (1.1 - x) + bend[1])])
    grows = 1 if rng.random() < 0.5 else -1
    widths = width * np.linspace(1, 0.6, 4)[::grows]
    fork = np.array([stem[1 if grows > 0 else 2], (0, 0), (0, 0)])
    fork[1:] = fork[0] + np.array([(0.2, -0.09), (0.38, -0.24 if rng.random() < 0.5 else 0.2)]) * (
        grows,
        1,
    )
    canvas.paint(ribbon(fork, 0.45 * width * np.array([1, 0.8, 0.4])), bark * 0.8)
    hue = rng.uniform(60, 145)
    for _ in range(int(rng.integers(0, 4))):
        _leaf(canvas, rng, *fork[2], rng.uniform(-math.pi, 0), rng.uniform(0.1, 0.16), hue)
    _round(canvas, stem, widths, bark)


def _wire(canvas: Canvas, rng: Generator, x: float, y: float) -> None:
    slope = rng.uniform(-0.15, 0.15)
    line = np.array(
        [(at, y + 0.012 + slope * (at - x) + 0.08 * (at - x) ** 2) for at in (-0.1, x, 1.1)]
    )
    canvas.paint(ribbon(line, 0.022), oklch(rng.uniform(0.25, 0.4), 0.02, 250))


def _post(canvas: Canvas, rng: Generator, x: float, y: float) -> None:
    half, lean, bark = rng.uniform(0.07, 0.12), rng.uniform(-0.06, 0.06), _bark(rng)
    side = np.array([(x - half, y), (x + half, y), (x + half + lean, 1.1), (x - half + lean, 1.1)])
    canvas.paint(side, bark * 0.85)
    lit = np.array([(x - 0.8 * half, y), (x, y), (x + lean, 1.1), (x - 0.8 * half + lean, 1.1)])
    canvas.paint(lit, bark)
    canvas.paint(ellipse(x, y + 0.01, 1.08 * half, 0.022), bark * 1.2)


def _stone(canvas: Canvas, rng: Generator, x: float, y: float) -> None:
    grey = channels(oklch(rng.uniform(0.5, 0.72), rng.uniform(0.005, 0.03), rng.uniform(40, 260)))
    half = rng.uniform(0.22, 0.4)
    at = x + rng.uniform(-0.1, 0.1)
    top = [(-1, 0.12), (-0.72, 0.025), (-0.25, -0.005), (0.3, 0.0), (0.75, 0.03), (1, 0.13)]
    base = [(1.08, 0.26), (0.5, 0.33), (-0.5, 0.33), (-1.1, 0.25)]
    shape = np.array(top + base) * (half, 1) + (at, y)
    patch = canvas.patch(spline(shape))
    if patch:
        height = (patch.y - y) / 0.33
        lit = 1.12 - 0.5 * step(1.3 * height) - 0.15 * ((patch.x - at) / half) ** 2
        rough = smooth_noise(rng.random((14, 14)), patch.x, patch.y)
        canvas.lay(patch, grey * (lit + 0.16 * (rough - 0.5)), 0)


PERCHES: dict[str, Callable[[Canvas, Generator, float, float], None]] = {
    "branch": _branch,
    "post": _post,
    "stone": _stone,
    "wire": _wire,
}


# In front ---------------------------------------------------------------------------------------

_LEAF = spline(np.array([(0, 0), (0.25, 0.17), (0.6, 0.17), (1, 0)]), closed=False)
_LEAF = np.concatenate([_LEAF, _LEAF[::-1] * (1, -1)])


def _leaf(
    canvas: Canvas, rng: Generator, x: float, y: float, angle: float, length: float, hue: float
) -> None:
    """A pointed leaf whose halves catch the light differently."""
    colour = channels(
        oklch(rng.uniform(0.42, 0.7), rng.uniform(0.06, 0.13), hue + rng.uniform(-12, 12))
    )
    cos, sin = math.cos(angle), math.sin(angle)
    patch = canvas.patch(length * _LEAF @ np.array([(cos, sin), (-sin, cos)]) + (x, y))
    if patch:
        across = cos * (patch.y - y) - sin * (patch.x - x)
        side = step(0.5 + across / (0.07 * length))
        canvas.lay(patch, colour * (1 - 0.25 * (side if cos > 0 else 1 - side)), 0)


def _blade(canvas: Canvas, rng: Generator, x: float, top: float, hue: float) -> None:
    """A blade of grass from below the image up to `top`."""
    lean, width = rng.uniform(-0.22, 0.22), rng.uniform(0.012, 0.028)
    colour = oklch(rng.uniform(0.45, 0.75), rng.uniform(0.07, 0.13), hue)
    stem = np.array([(x, 1.05), (x + 0.3 * lean, (1.05 + top) / 2), (x + lean, top)])
    canvas.paint(ribbon(stem, (width, 0.9 * width, 0.1 * width)), colour)


def _twig(canvas: Canvas, rng: Generator, around: tuple[float, float]) -> None:
    """A thin twig across the image, off the middle of the bird."""
    turn = rng.uniform(0, math.pi)
    off = rng.uniform(0.1, 0.3) if rng.random() < 0.5 else -rng.uniform(0.1, 0.3)
    way = np.array([math.cos(turn), math.sin(turn)])
    middle = np.array(around) + off * way[::-1] * (-1, 1)
    knots = np.array([middle - 1.2 * way, middle + rng.uniform(-0.03, 0.03, 2), middle + 1.2 * way])
    width = rng.uniform(0.012, 0.024)
    colour = _bark(rng)
    canvas.paint(ribbon(knots, width), colour * 0.75)
    canvas.paint(ribbon(knots - (0, 0.2 * width), 0.5 * width), colour)
