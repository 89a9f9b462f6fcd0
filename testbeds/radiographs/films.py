"""Drawn datasets for classification: frontal chest radiographs, normal or with one of two diseases.

The densities that X-rays pass add up, and dense is bright: the body, the air in the lungs, ribs,
spine, clavicles, heart and vessels. Pneumonia adds one to four soft opacities inside the lungs. A
pneumothorax is air between a lung and the ribs: a dark rim without vessels, behind a thin line.
People, poses and exposures vary, and so do harmless shadows: breasts, shoulder blades, large
vessels. A letter in a corner marks the side, independent of the class.

The chest's frame has its origin in the middle of the chest, u to the right of the image and v down,
in half widths of the rib cage.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator

from lib.data import Sample, Size
from lib.seeding import stream

from ..drawing import (
    Line,
    boxes,
    branches,
    by_class,
    fingerprint,
    pixels,
    smooth_noise,
    step,
    strokes,
)

LEFT, RIGHT = -1, 1  # of the image


@dataclass(frozen=True)
class Chest:
    """One person before the film.

    Attributes:
        x, y: the middle of the chest in the image.
        size: half the width of the rib cage, in the image.
        height: the length of the chest relative to the usual.
        tilt: rotation in radians.
        turn: the shift of spine and heart from the middle, as when a person turns.
        domes: v of the top of the diaphragm, at the left and the right of the image.
        heart: its radius.
        spacing, phase: distance of neighbouring ribs, and where they begin.
        bone: density of the ribs.
        breast: density of the breasts.
        vessels: density of the vessels.
        seed: the seed of the branching of the vessels.
    """

    x: float
    y: float
    size: float
    height: float
    tilt: float
    turn: float
    domes: tuple[float, float]
    heart: float
    spacing: float
    phase: float
    bone: float
    breast: float
    vessels: float
    seed: int


@dataclass(frozen=True)
class Opacity:
    """A soft shadow in a lung, in the chest's frame; `stretch` is its length over its width."""

    u: float
    v: float
    radius: float
    stretch: float
    angle: float
    density: float
    seed: int

    def shadow(self, view: "_View") -> tuple[ndarray, ndarray]:
        """Its shadow, and its mask: where it has at least half of its density, inside the lungs."""
        share = _share(view, self)
        mask = (share > 0.5) & (view.lungs > 0)
        return self.density * share * view.inside(view.lungs, 0.1), mask


@dataclass(frozen=True)
class Pneumothorax:
    """Air between a lung and the ribs, in the chest's frame: the lung has drawn back.

    Attributes:
        side: that of the lung, in the image.
        width: how far the lung has drawn back, at its top.
        base: v of the lowest place where it has.
        air: how much less dense the air is than the lung.
        line: density of the lung's edge.
    """

    side: int
    width: float
    base: float
    air: float
    line: float

    def shadow(self, view: "_View") -> tuple[ndarray, ndarray]:
        """Its shadow, and its mask: the region between the ribs and the lung's edge."""
        gap = self.width * step((self.base - view.v) / 0.7)
        depth = gap - (0.93 * view.cage - view.q)  # outwards from the lung's edge
        depth = np.where(view.right == (self.side == RIGHT), depth, -1)
        within = view.inside(view.lungs)
        free = view.inside(depth) * within
        edge = np.exp(-((depth / max(0.015, view.pixel)) ** 2)) * within
        vessels = view.vessels * (1 - view.heart)
        mask = (depth > 0) & (view.lungs > 0)
        return self.line * edge - free * (self.air + vessels), mask


Lesion = Opacity | Pneumothorax


@dataclass(frozen=True)
class Exposure:
    """How the film shows density.

    Attributes:
        black, white: brightness of no density and of high density.
        gamma: above 1, middle densities are darker.
        grain: standard deviation of the noise per pixel.
        marker: the corner of the letter, at the left or the right of the image.
        seed: the seed of the unevenness of the film.
    """

    black: float
    white: float
    gamma: float
    grain: float
    marker: int
    seed: int


@dataclass(frozen=True)
class Radiograph:
    """A chest, its lesions (none if it is normal), and the film."""

    id: str
    target: int
    chest: Chest
    lesions: tuple[Lesion, ...]
    exposure: Exposure

    @property
    def annotated(self) -> frozenset[str]:
        """Boxes and mask of the lesions, if there are any."""
        return frozenset({"boxes", "mask"} if self.lesions else ())

    def sample(self, size: Size) -> Sample:
        """The film at (height, width), with one box per lesion, and none on a normal film."""
        view = _View(self.chest, size)
        air = _air(view) * (1 - 0.75 * view.heart)
        density = _body(view) - 0.56 * air + 0.1 * view.heart
        density += _bones(view) + (_soft(view) + view.vessels) * (1 - view.heart)
        lesions = np.zeros((len(self.lesions), *size), dtype=bool)
        for lesion, mask in zip(self.lesions, lesions):
            shadow, mask[:] = lesion.shadow(view)
            density += shadow
        image = torch.from_numpy(_expose(self.exposure, density, view)).expand(3, -1, -1).clone()
        visible = torch.from_numpy(lesions)
        visible = visible[visible.any(2).any(1)]
        return Sample(image, self.target, self.id, boxes(visible), visible.any(0))

    def fingerprint(self) -> str:
        return fingerprint(self)


# Drawing ----------------------------------------------------------------------------------------


class _View:
    """The pixels of a film in the chest's frame.

    Attributes:
        x, y: of the image, (1,W) and (H,1).
        u, v: of the chest, (H,W).
        pixel: the side of a pixel in the chest's frame.
        q: for each side, the distance of a pixel from the spine, outwards.
        t: the same divided by the half width of the rib cage at this height.
        lungs: the depth of a pixel in a lung; negative outside.
        heart: the share of the way through the chest that is heart or great vessels.
        vessels: the density of the vessels in the lungs, outside the heart.
    """

    def __init__(self, chest: Chest, size: Size):
        self.chest = chest
        self.x, self.y = pixels(size)
        cos, sin = math.cos(chest.tilt) / chest.size, math.sin(chest.tilt) / chest.size
        dx, dy = self.x - chest.x, (self.y - chest.y) / chest.height
        self.u, self.v = cos * dx + sin * dy, cos * dy - sin * dx
        self.pixel = 1 / (chest.size * math.sqrt(size[0] * size[1]))
        middle = chest.turn * (0.4 - 0.3 * self.v)
        self.q = np.abs(self.u - middle)
        self.right = self.u > middle
        self.cage = _cage(self.v)
        self.t = self.q / np.maximum(self.cage, 0.05)
        self.lungs = _lungs(chest, self.u, self.v, self.q, self.cage, self.right)

    @cached_property
    def heart(self) -> ndarray:
        return _heart(self)

    @cached_property
    def vessels(self) -> ndarray:
        return _vessels(self)

    def inside(self, depth: ndarray, soft: float = 0.0) -> ndarray:
        """1 where `depth` is positive, over an edge of width `soft`, at least a pixel."""
        return step(0.5 + depth / max(soft, 1.5 * self.pixel))


def _cage(v: ndarray) -> ndarray:
    """The half width of the rib cage at a height."""
    return np.sqrt(np.maximum(1 - np.abs((v - 0.45) / 1.62) ** 2.4, 0))


def _lungs(
    chest: Chest, u: ndarray, v: ndarray, q: ndarray, cage: ndarray, right: ndarray
) -> ndarray:
    """The depth of a place in a lung, measured from ribs, middle of the chest, and diaphragm."""
    dome = np.where(right, chest.domes[1], chest.domes[0])
    dome = dome + np.where(q > 0.45, 0.95, 0.5) * (q - 0.45) ** 2
    depth = np.minimum(0.93 * cage - q, q - 0.13 - 0.05 * np.maximum(v, 0))
    return np.minimum(depth, dome - v)


def _body(view: _View) -> ndarray:
    """Soft tissue: thick in the middle, thin to the sides; neck and shoulders."""
    v = view.v
    half = 0.4 + 1.35 * step((v + 1.55) / 0.7) - 0.5 * step((v + 0.9) / 0.9)
    thickness = np.sqrt(np.maximum(1 - (view.u / half) ** 2, 0))
    return 0.25 * thickness**0.5 + 0.45 * thickness


def _air(view: _View) -> ndarray:
    """The lungs, thinner towards their borders; and the windpipe."""
    lungs = view.inside(view.lungs, 0.03) * (0.62 + 0.38 * step(view.lungs / 0.4))
    pipe = view.inside(0.065 - view.q, 0.04) * step((-0.22 - view.v) / 0.2)
    return lungs + 0.25 * pipe


def _bones(view: _View) -> ndarray:
    """Ribs behind and, fainter, in front; spine, clavicles and shoulder blades."""
    chest, q, v, t = view.chest, view.q, view.v, view.t
    fall = np.minimum(t, 1) ** 2.4  # the descent of a rib on its way outwards
    behind = 0.46 * fall - 0.05 * np.sin(2.8 * np.minimum(t, 1))
    front = 0.46 + 0.5 * (1 - np.minimum(t, 1)) ** 0.8
    within = view.inside(view.cage - q) * view.inside(q - 0.1)
    ribs = 1.0 * _ribs(view, v - behind, 1 + 1.4 * t)
    ribs += 0.5 * _ribs(view, v - front, 1.1) * step((t - 0.3) / 0.35)
    spine = view.inside(0.115 - q, 0.05)
    discs = 0.5 + 0.5 * np.cos(2 * math.pi * v / 0.19)
    place = q / 1.1
    course = -0.83 - 0.2 * place + 0.05 * np.sin(2 * math.pi * place)
    thick = 0.05 + 0.02 * np.abs(place - 0.5)
    clavicle = view.inside(thick - np.abs(v - course), 0.02) * view.inside(q - 0.12)
    clavicle *= view.inside(1.2 - q, 0.1)
    blade = view.inside(q - 0.98 + 0.35 * (v + 0.5) ** 2, 0.05) * view.inside(0.12 - v, 0.1)
    blade *= view.inside(v + 0.95, 0.1)
    return (
        chest.bone * ribs * within + spine * (0.1 - 0.05 * discs) + 0.16 * clavicle + 0.05 * blade
    )


def _ribs(view: _View, height: ndarray, slope: ndarray | float) -> ndarray:
    """Bands, brighter at their edges, where a curve's height is a rib's."""
    spacing, half = view.chest.spacing, 0.27 * view.chest.spacing
    turns = height / spacing + view.chest.phase
    away = np.abs(turns - np.floor(turns) - 0.5) * spacing
    band = view.inside((half - away) / slope**0.5, 0.03) * (0.55 + 0.45 * (away / half) ** 2)
    return band * view.inside(height + 1.2, 0.05) * view.inside(0.75 - height, 0.1)


def _heart(view: _View) -> ndarray:
    """The share of the way through the chest that is heart or great vessels."""
    v, radius = view.v, view.chest.heart
    u = view.u - view.chest.turn
    a, b = (u - 0.17) * 0.8 + (v - 0.36) * 0.6, (v - 0.36) * 0.8 - (u - 0.17) * 0.6
    heart = view.inside(radius - np.hypot(a / 1.25, b), 0.05)
    atrium = view.inside(0.75 * radius - np.hypot(u + 0.02, v - 0.33), 0.06)
    arch = view.inside(0.14 - np.hypot(u - 0.11, v + 0.36), 0.05)
    vessel = view.inside(0.17 - np.abs(u - 0.02), 0.06) * view.inside(0.35 - np.abs(v + 0.05), 0.1)
    return np.maximum(np.maximum(heart, atrium), 0.8 * np.maximum(arch, vessel))


def _soft(view: _View) -> ndarray:
    """The roots of the lungs, the breasts, and the region below the diaphragm."""
    v = view.v
    root = np.exp(-(((view.q - 0.27) / 0.1) ** 2) - ((v + 0.02) / 0.17) ** 2)
    breast = view.inside(0.52 - np.hypot(view.q - 0.52, (v - 0.38) * 1.15), 0.12) * step(1.6 * v)
    below = step((v - 0.3) / 0.3) * view.inside(0.93 * view.cage - view.q, 0.3)
    below *= 1 - view.inside(view.lungs, 0.03)
    return 0.16 * root + view.chest.breast * breast + 0.12 * below


def _vessels(view: _View) -> ndarray:
    """Branches from the roots of the lungs, thinning outwards."""
    lines = _lines(view.chest)
    return view.chest.vessels * strokes(lines, view.x, view.y, 1.0) * view.inside(view.lungs, 0.1)


def _lines(chest: Chest) -> list[Line]:
    """The vessels in the frame of the image."""
    rng = np.random.default_rng(chest.seed)

    def place(u: float, v: float) -> tuple[float, float]:
        cos, sin = math.cos(chest.tilt) * chest.size, math.sin(chest.tilt) * chest.size
        return chest.x + cos * u - sin * v, chest.y + chest.height * (sin * u + cos * v)

    lines = []
    for side in (LEFT, RIGHT):
        for way in (-1.2, -0.5, 0.15, 0.85):
            start, angle = rng.uniform(-0.12, 0.12), way + rng.uniform(-0.25, 0.25)
            vessel = branches(rng, 0.24, start, angle, rng.uniform(0.32, 0.42), 0.045, forks=1)
            lines += [
                (*place(side * u0, v0), *place(side * u1, v1), width * chest.size)
                for u0, v0, u1, v1, width in vessel
            ]
    return lines


def _share(view: _View, opacity: Opacity) -> ndarray:
    """An opacity's density at each pixel, as a fraction of its own: soft, with a ragged edge."""
    rng = np.random.default_rng(opacity.seed)
    du, dv = view.u - opacity.u, view.v - opacity.v
    cos, sin = math.cos(opacity.angle), math.sin(opacity.angle)
    along, across = (cos * du + sin * dv) / opacity.stretch**0.5, cos * dv - sin * du
    radius = np.hypot(along, across * opacity.stretch**0.5) / opacity.radius
    torn = smooth_noise(rng.random((14, 14)), view.x, view.y) - 0.5
    patchy = smooth_noise(rng.random((24, 24)), view.x, view.y) - 0.5
    return step(1.35 - radius + 0.9 * torn) * (1 + 0.3 * patchy)


def _expose(exposure: Exposure, density: ndarray, view: _View) -> ndarray:
    rng = np.random.default_rng(exposure.seed)
    uneven = smooth_noise(rng.random((4, 4)), view.x, view.y) - 0.5
    density = np.clip(density + 0.1 * uneven, 0, 1.15) / 1.15
    image = exposure.black + (exposure.white - exposure.black) * density**exposure.gamma
    image += exposure.grain * rng.standard_normal(image.shape, dtype=np.float32)
    letter = strokes(_letter(exposure.marker), view.x, view.y)
    image += letter * (0.95 - image)
    return image.clip(0, 1).astype(np.float32)


def _letter(corner: int) -> tuple[Line, ...]:
    """An L, which marks the person's left, in an upper corner."""
    x = 0.07 if corner == LEFT else 0.9
    return (x, 0.06, x, 0.12, 0.014), (x, 0.12, x + 0.035, 0.12, 0.014)


# Describing -------------------------------------------------------------------------------------


Records = tuple[tuple[Radiograph, ...], tuple[str, ...]]


def records(seed: int, split: str, n: int) -> Records:
    """The n films of a split, sorted by class, half of them normal, the others with pneumonia."""
    return by_class(_with_pneumonia, seed, split, n, 2), ("normal", "pneumonia")


def pneumothorax(seed: int, split: str, n: int) -> Records:
    """Films of the same people as those of `records`; half of them have a pneumothorax."""
    return by_class(_with_pneumothorax, seed, split, n, 2), ("normal", "pneumothorax")


def _film(
    lesions: Callable[[Generator, Chest], tuple[Lesion, ...]], seed: int, name: str, target: int
) -> Radiograph:
    rng = stream(seed, f"radiograph {name}")
    chest, exposure = _chest(rng), _exposure(rng)
    return Radiograph(name, target, chest, lesions(rng, chest) if target else (), exposure)


def _chest(rng: Generator) -> Chest:
    dome = rng.uniform(0.5, 0.78)
    return Chest(
        x=0.5 + rng.uniform(-0.03, 0.03),
        y=0.5 + rng.uniform(-0.03, 0.04),
        size=rng.uniform(0.35, 0.41),
        height=rng.uniform(0.95, 1.12),
        tilt=rng.uniform(-0.08, 0.08),
        turn=rng.uniform(-0.1, 0.1),
        domes=(dome - rng.uniform(0.02, 0.1), dome),
        heart=rng.uniform(0.33, 0.45),
        spacing=rng.uniform(0.19, 0.23),
        phase=rng.uniform(0, 1),
        bone=rng.uniform(0.09, 0.17),
        breast=max(rng.uniform(-0.12, 0.12), 0.0),
        vessels=rng.uniform(0.06, 0.16),
        seed=int(rng.integers(2**32)),
    )


def _exposure(rng: Generator) -> Exposure:
    return Exposure(
        black=rng.uniform(0.01, 0.08),
        white=rng.uniform(0.85, 1.05),
        gamma=rng.uniform(0.75, 1.1),
        grain=rng.uniform(0.008, 0.022),
        marker=RIGHT if rng.random() < 0.5 else LEFT,
        seed=int(rng.integers(2**32)),
    )


def _opacities(rng: Generator, chest: Chest) -> tuple[Opacity, ...]:
    """One to four, each well inside a lung."""
    n = int(rng.integers(1, 5))
    found = []
    while len(found) < n:
        u, v = rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.8)
        at = np.array(u), np.array(v)
        depth = _lungs(chest, *at, np.abs(at[0]), _cage(at[1]), at[0] > 0)
        if depth > 0.1:
            found.append(
                Opacity(
                    u,
                    v,
                    radius=rng.uniform(0.11, 0.27),
                    stretch=rng.uniform(1, 1.8),
                    angle=rng.uniform(0, math.pi),
                    density=rng.uniform(0.14, 0.34),
                    seed=int(rng.integers(2**32)),
                )
            )
    return tuple(found)


def _pneumothorax(rng: Generator, chest: Chest) -> tuple[Pneumothorax, ...]:
    return (
        Pneumothorax(
            side=RIGHT if rng.random() < 0.5 else LEFT,
            width=rng.uniform(0.1, 0.35),
            base=rng.uniform(0, 0.9),
            air=rng.uniform(0.03, 0.08),
            line=rng.uniform(0.03, 0.08),
        ),
    )


_with_pneumonia = partial(_film, _opacities)  # one function for each: `by_class` caches by it
_with_pneumothorax = partial(_film, _pneumothorax)
