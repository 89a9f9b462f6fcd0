"""A drawn dataset for classification: endoscopic views in the eight classes of Kvasir.

Three classes are landmarks: the blind end of the colon (caecum), the stomach's outlet (pylorus),
and the line between gullet and stomach (z-line). Three are findings: inflammation at that line,
polyps, and ulcerative colitis. Two are steps of a removal: a polyp lifted by an injected blue dye,
and the margins that remain when it is cut off. Folds, vessels, wet highlights, stains and the place
of the dark lumen vary independently of the class.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy import ndarray
from numpy.random import Generator

from lib.data import Sample, Size
from lib.seeding import stream

from ..drawing import (
    Colour,
    Line,
    boxes,
    branches,
    by_class,
    fingerprint,
    oklch,
    pixels,
    smooth_noise,
    step,
    strokes,
)

# The site and the findings of each class.
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "dyed-lifted-polyps": ("colon", ("dye", "polyp")),
    "dyed-resection-margins": ("colon", ("dye", "wound")),
    "esophagitis": ("gullet", ("erosion",)),
    "normal-cecum": ("caecum", ()),
    "normal-pylorus": ("stomach", ()),
    "normal-z-line": ("gullet", ()),
    "polyps": ("colon", ("polyp",)),
    "ulcerative-colitis": ("colon", ("inflammation",)),
}


@dataclass(frozen=True)
class Lumen:
    """The dark opening: its centre and radius in the image, and its outline.

    Attributes:
        lobes, lobing: the number of its lobes, and their depth.
        turn: rotation in radians.
    """

    x: float
    y: float
    radius: float
    lobes: int
    lobing: float
    turn: float


@dataclass(frozen=True)
class Mucosa:
    """The wall around it.

    Attributes:
        colours: the colours between which it varies.
        folds: the darkness of the folds' shadows.
        spacing: the distance of two folds, in powers of e from the lumen.
        vessels: the darkness of vessels.
        seed: the seed of everything irregular.
    """

    colours: tuple[Colour, Colour]
    folds: float
    spacing: float
    vessels: float
    seed: int


@dataclass(frozen=True)
class Finding:
    """A patch of the wall that differs from it; `stretch` is its length over its width."""

    kind: str
    x: float
    y: float
    radius: float
    stretch: float
    angle: float
    colour: Colour
    strength: float
    seed: int


@dataclass(frozen=True)
class Scope:
    """The instrument.

    Attributes:
        view: radius of the round view, in half sides of the image.
        light: brightness at (x, y).
        falloff: the distance from (x, y) at which half of it is left.
        grain: standard deviation of the noise per pixel.
    """

    view: float
    light: float
    falloff: float
    x: float
    y: float
    grain: float


@dataclass(frozen=True)
class View:
    """A site, its findings, and the instrument; the class follows from site and findings."""

    id: str
    target: int
    site: str
    lumen: Lumen
    mucosa: Mucosa
    findings: tuple[Finding, ...]
    scope: Scope

    @property
    def annotated(self) -> frozenset[str]:
        """Boxes and mask of the findings, if there are any besides stains."""
        lesions = [finding for finding in self.findings if finding.kind != "stain"]
        return frozenset({"boxes", "mask"} if lesions else ())

    def sample(self, size: Size) -> Sample:
        """The view at (height, width).

        There is one box per finding, and the mask is that of all findings; a polyp and the dye
        beneath it are one finding. Both are empty if the class is a landmark.
        """
        canvas = _Canvas(self, size)
        _SITES[self.site](canvas)
        seen = [_FINDINGS[finding.kind](canvas, finding) for finding in self.findings]
        lesions = np.array(seen, dtype=bool).reshape(-1, *size)
        if "dye" in CLASSES[tuple(CLASSES)[self.target]][1]:
            lesions = lesions.any(0, keepdims=True)
        visible = torch.from_numpy(lesions & canvas.visible)
        visible = visible[visible.any(2).any(1)]
        image = torch.from_numpy(canvas.finished())
        return Sample(image, self.target, self.id, boxes(visible), visible.any(0))

    def fingerprint(self) -> str:
        return fingerprint(self)


# Drawing ----------------------------------------------------------------------------------------


class _Canvas:
    """An image in the making.

    Attributes:
        x, y: of the pixels, (1,W) and (H,1).
        depth: log distance of each pixel from the lumen's edge, 0 there, (H,W).
        angle: its direction as seen from the lumen, (H,W).
        albedo: the wall's colour, (3,H,W).
        shade: the light on the wall, (H,W).
        visible: the pixels that the round view shows, (H,W).
        rng: the random numbers of everything irregular.
    """

    def __init__(self, view: View, size: Size):
        self.view, self.size = view, size
        self.x, self.y = pixels(size)
        self.rng = np.random.default_rng(view.mucosa.seed)
        lumen, scope = view.lumen, view.scope
        dx, dy = self.x - lumen.x, self.y - lumen.y
        self.angle = np.arctan2(dy, dx) - lumen.turn
        outline = lumen.radius * (1 + lumen.lobing * np.cos(lumen.lobes * self.angle))
        distance = np.hypot(dx, dy) * (1 + 0.5 * self.noise(5))
        self.depth = np.log(np.maximum(distance, 1e-3) / outline)
        first, second = np.array(view.mucosa.colours, dtype=np.float32)[:, :, None, None]
        self.albedo = first + (second - first) * (0.5 + self.noise(4) + 0.5 * self.noise(9))
        away = np.hypot(self.x - scope.x, self.y - scope.y)
        self.shade = scope.light / (1 + (away / scope.falloff) ** 2)
        u, v = np.abs(2 * self.x - 1), np.abs(2 * self.y - 1)
        self.edge = (u**5 + v**5) ** 0.2 * 0.6 + np.hypot(u, v) * 0.4  # between square and round
        self.visible = self.edge < scope.view

    def noise(self, grid: int) -> ndarray:
        """Smooth noise around 0, between -0.5 and 0.5, on a square grid of `grid` points a side."""
        return smooth_noise(self.rng.random((grid, grid)), self.x, self.y) - 0.5

    def tint(self, colour: Colour, share: ndarray) -> None:
        """Paint the wall, over a share of each pixel."""
        self.albedo += share * (np.array(colour, dtype=np.float32)[:, None, None] - self.albedo)

    def vessels(self, lines: list[Line], colour: Colour, share: ndarray | float) -> None:
        """Vessels seen through the wall."""
        self.tint(colour, share * strokes(lines, self.x, self.y, 1.0))

    def finished(self) -> ndarray:
        """The image (3,H,W) float32 in [0,1], with wet highlights, in the round view."""
        scope = self.view.scope
        image = self.albedo * self.shade
        bright = step((self.shade - 0.3) / 0.3)
        image += 0.9 * bright * strokes(_highlights(self), self.x, self.y, 0.8)
        image += scope.grain * self.rng.standard_normal((3, *self.size), dtype=np.float32)
        pixel = 2 / math.sqrt(self.size[0] * self.size[1])
        image *= np.clip(0.5 + (scope.view - self.edge) / max(pixel, 0.02), 0, 1)
        return image.clip(0, 1).astype(np.float32)


def _highlights(canvas: _Canvas) -> list[Line]:
    """Short strokes across the way to the lumen, where the wet wall mirrors the lamp."""
    rng, lumen = np.random.default_rng(canvas.view.mucosa.seed + 1), canvas.view.lumen
    lines = []
    for _ in range(int(rng.integers(8, 20))):
        x, y = rng.uniform(0.12, 0.88, 2).tolist()
        angle = math.atan2(y - lumen.y, x - lumen.x) + math.pi / 2 + rng.uniform(-0.6, 0.6)
        width = 0.004 * math.exp(rng.uniform(0, 1.7))
        length = width * rng.uniform(0, 2)
        lines.append((x, y, x + length * math.cos(angle), y + length * math.sin(angle), width))
    return lines


RED, WHITE = (0.55, 0.1, 0.09), (0.96, 0.92, 0.8)


def _colon(canvas: _Canvas) -> None:
    """Rings of folds around the lumen, and branching vessels."""
    _network(canvas, 5)
    _rings(canvas)
    canvas.shade *= 0.04 + 0.96 * step(0.35 + canvas.depth / 2.2)


def _rings(canvas: _Canvas) -> None:
    """Folds: each is lit at its edge, and throws a shadow on the wall behind it."""
    mucosa = canvas.view.mucosa
    turns = (canvas.depth + 0.25 * np.cos(2 * canvas.angle + 1)) / mucosa.spacing
    part = turns + 0.6 * canvas.noise(5)
    part -= np.floor(part)
    profile = np.where(part < 0.8, step(part / 0.8) ** 0.7, step((1 - part) / 0.2))
    reach = 0.75 + 0.5 * np.cos(3 * canvas.angle + mucosa.seed % 7)
    canvas.shade *= 1 - mucosa.folds * np.clip(reach, 0.15, 1) * (1 - profile)


def _network(canvas: _Canvas, stems: int) -> None:
    """Vessels that branch over the wall."""
    rng, lines = canvas.rng, []
    for _ in range(stems):
        x, y = rng.uniform(0.05, 0.95, 2).tolist()
        lines += branches(rng, x, y, rng.uniform(0, 2 * math.pi), rng.uniform(0.18, 0.3), 0.014, 1)
    canvas.vessels(lines, RED, canvas.view.mucosa.vessels)


def _caecum(canvas: _Canvas) -> None:
    """A blind end: three folds meet, and the mouth of the appendix is a small slit beside them."""
    mucosa, lumen = canvas.view.mucosa, canvas.view.lumen
    _network(canvas, 7)
    star = np.cos(1.5 * canvas.angle + 0.7 * canvas.noise(5)) ** 2  # three rays
    away = step(0.5 + canvas.depth / 3)
    canvas.shade *= 1 - mucosa.folds * np.exp(-star / 0.12) * step(1.7 - canvas.depth * 0.5)
    canvas.shade *= 1 + 0.2 * np.exp(-(((star - 0.4) / 0.2) ** 2))
    bow = np.abs(canvas.depth - 0.9 + 0.3 * canvas.noise(5))
    canvas.shade *= 1 - 0.5 * mucosa.folds * np.exp(-((bow / 0.12) ** 2)) * (
        np.cos(canvas.angle) > 0
    )
    canvas.shade *= 0.6 + 0.4 * away
    cos, sin = math.cos(lumen.turn), math.sin(lumen.turn)
    dx, dy = canvas.x - lumen.x, canvas.y - lumen.y
    a, b = (cos * dx + sin * dy) / lumen.radius, (cos * dy - sin * dx) / lumen.radius
    slit = np.hypot(a / 0.75, (b - 0.25 * a**2) / 0.32)
    canvas.shade *= 1 - 0.8 * step(1.4 - slit)
    canvas.shade *= 1 + 0.25 * np.exp(-(((slit - 1.9) / 0.5) ** 2))


def _stomach(canvas: _Canvas) -> None:
    """A round outlet with a swollen rim, and folds that run towards it."""
    mucosa = canvas.view.mucosa
    rays = np.cos(round(6 + mucosa.seed % 5) * canvas.angle + 4 * canvas.noise(4))
    near = np.exp(-(((canvas.depth - 0.35) / 0.5) ** 2))
    canvas.shade *= 1 - 0.5 * mucosa.folds * near * (0.5 - 0.5 * rays)
    canvas.shade *= 1 + 0.3 * np.exp(-(((canvas.depth - 0.55) / 0.25) ** 2))
    canvas.shade *= 1 - 0.35 * mucosa.folds * np.exp(-(((canvas.depth - 1.25) / 0.3) ** 2))
    canvas.shade *= 0.05 + 0.95 * step(0.5 + canvas.depth / 0.9)


def _gullet(canvas: _Canvas) -> None:
    """Pale wall that ends in a jagged line; red wall of the stomach between it and the lumen."""
    mucosa = canvas.view.mucosa
    lines = []
    for _ in range(9):  # fine vessels that run along the gullet
        angle, start = canvas.rng.uniform(0, 2 * math.pi), canvas.rng.uniform(0.28, 0.36)
        x = canvas.view.lumen.x + start * math.cos(angle)
        y = canvas.view.lumen.y + start * math.sin(angle)
        lines += branches(canvas.rng, x, y, angle, 0.2, 0.009, 0)
    canvas.vessels(lines, RED, mucosa.vessels)
    below = step(0.5 + (_line(canvas) - canvas.depth) / 0.14)
    canvas.tint(_STOMACH, 0.8 * below * (1 + 0.4 * canvas.noise(12)))
    rays = np.cos(5 * canvas.angle + 5 * canvas.noise(4))
    canvas.shade *= 1 - 0.5 * mucosa.folds * (0.5 - 0.5 * rays) * step(1.3 - canvas.depth / 2)
    canvas.shade *= 0.05 + 0.95 * step(0.3 + canvas.depth / 1.8)


_STOMACH = (0.75, 0.27, 0.2)


def _line(canvas: _Canvas) -> ndarray:
    """The depth of the z-line in every direction."""
    rng = np.random.default_rng(canvas.view.mucosa.seed + 2)
    depth = rng.uniform(0.75, 1.05)
    for k in (2, 3, 5, 8, 13):
        depth = depth + rng.uniform(0.3, 1) * 0.16 / k**0.4 * np.cos(
            k * canvas.angle + rng.uniform(0, 2 * math.pi)
        )
    return depth


def _patch(canvas: _Canvas, finding: Finding, torn: float) -> ndarray:
    """The depth of a pixel in a finding: 1 in its middle, 0 at its edge, negative outside."""
    rng = np.random.default_rng(finding.seed)
    dx, dy = canvas.x - finding.x, canvas.y - finding.y
    cos, sin = math.cos(finding.angle), math.sin(finding.angle)
    along, across = cos * dx + sin * dy, cos * dy - sin * dx
    reach = np.hypot(along / finding.stretch**0.5, across * finding.stretch**0.5)
    noise = smooth_noise(rng.random((11, 11)), canvas.x, canvas.y) - 0.5
    return 1 - reach / finding.radius + torn * noise


def _edge(canvas: _Canvas, finding: Finding, depth: ndarray, soft: float) -> ndarray:
    """1 inside a finding, over an edge of width `soft` of its radius, at least a pixel."""
    pixel = 1.5 / math.sqrt(canvas.size[0] * canvas.size[1]) / finding.radius
    return step(0.5 + depth / max(soft, pixel))


def _polyp(canvas: _Canvas, finding: Finding) -> ndarray:
    """A bump, which shades its surroundings and its own flanks."""
    depth = _patch(canvas, finding, 0.35)
    cover = _edge(canvas, finding, depth, 0.1)
    canvas.shade *= 1 - 0.45 * np.exp(-np.maximum(-depth, 0) / 0.18) * (1 - cover)
    rough = smooth_noise(np.random.default_rng(finding.seed).random((28, 28)), canvas.x, canvas.y)
    colour = np.array(finding.colour, dtype=np.float32)[:, None, None] * (0.85 + 0.3 * rough)
    share = finding.strength * cover
    canvas.albedo += share * (colour - canvas.albedo)
    round_ = np.sqrt(np.clip(depth, 0, 1) * (2 - np.clip(depth, 0, 1)))  # its height
    lit = 0.55 + 0.6 * round_
    own = np.maximum(canvas.shade, 0.35 * canvas.view.scope.light)
    canvas.shade += cover * (own * lit - canvas.shade)
    return depth > 0


def _dye(canvas: _Canvas, finding: Finding) -> ndarray:
    """A swollen cushion that shines blue."""
    depth = _patch(canvas, finding, 0.7)
    share = finding.strength * step(0.5 + depth / 0.9)
    canvas.tint(finding.colour, share)
    canvas.shade *= 1 + 0.25 * step(depth) - 0.25 * np.exp(-((depth / 0.15) ** 2))
    return depth > 0


def _wound(canvas: _Canvas, finding: Finding) -> ndarray:
    """The wound of a removed polyp: a flat pale ground in a ragged red rim."""
    depth = _patch(canvas, finding, 0.8)
    cover = _edge(canvas, finding, depth, 0.12)
    rough = smooth_noise(np.random.default_rng(finding.seed).random((20, 20)), canvas.x, canvas.y)
    canvas.tint(finding.colour, finding.strength * cover)
    canvas.tint(RED, 0.7 * finding.strength * cover * step(3 * rough - 1.8))
    canvas.tint(RED, 0.7 * finding.strength * np.exp(-((depth / 0.1) ** 2)))
    canvas.shade *= 1 - 0.25 * cover * step(1 - 2.5 * depth)
    return depth > 0


def _erosion(canvas: _Canvas, finding: Finding) -> ndarray:
    """A red streak with a whitish border."""
    depth = _patch(canvas, finding, 0.9)
    canvas.tint(WHITE, 0.5 * finding.strength * np.exp(-(((depth + 0.1) / 0.25) ** 2)))
    canvas.tint(finding.colour, finding.strength * _edge(canvas, finding, depth, 0.4))
    return depth > 0


def _inflammation(canvas: _Canvas, finding: Finding) -> ndarray:
    """A red, granular patch with small pale ulcers."""
    depth = _patch(canvas, finding, 1.0)
    rng = np.random.default_rng(finding.seed)
    share = finding.strength * step(0.5 + depth / 0.5)
    grains, coarser, ulcers = (
        smooth_noise(rng.random((n, n)), canvas.x, canvas.y) for n in (37, 23, 15)
    )
    canvas.tint(finding.colour, share)
    canvas.shade *= 1 + 0.5 * share * (grains + coarser - 1)
    canvas.tint(WHITE, 0.9 * share * step(4 * ulcers + coarser - 3.6))
    return depth > 0


def _stain(canvas: _Canvas, finding: Finding) -> ndarray:
    """A rest of food or bile, harmless."""
    depth = _patch(canvas, finding, 0.9)
    canvas.tint(finding.colour, finding.strength * _edge(canvas, finding, depth, 0.5))
    return np.zeros_like(canvas.visible)


_SITES = {"colon": _colon, "caecum": _caecum, "stomach": _stomach, "gullet": _gullet}
_FINDINGS = {
    "polyp": _polyp,
    "dye": _dye,
    "wound": _wound,
    "erosion": _erosion,
    "inflammation": _inflammation,
    "stain": _stain,
}


# Describing -------------------------------------------------------------------------------------


def records(seed: int, split: str, n: int) -> tuple[tuple[View, ...], tuple[str, ...]]:
    """The n views of a split, sorted by class."""
    return by_class(_view, seed, split, n, len(CLASSES)), tuple(CLASSES)


def _view(seed: int, name: str, target: int) -> View:
    rng = stream(seed, f"endoscopy {name}")
    site, kinds = CLASSES[tuple(CLASSES)[target]]
    lumen = _lumen(rng, site)
    mucosa = _mucosa(rng, site)
    stains = [_finding(rng, "stain", lumen) for _ in range(int(rng.integers(0, 3)))]
    findings = [finding for kind in kinds for finding in _found(rng, kind, lumen)]
    if "dye" in kinds:  # what lies on the cushion, lies in its middle
        cushion, *on_it = findings
        findings = [cushion, *(_upon(rng, cushion, finding) for finding in on_it[:1])]
    return View(name, target, site, lumen, mucosa, (*stains, *findings), _scope(rng))


def _lumen(rng: Generator, site: str) -> Lumen:
    radius = {"colon": (0.07, 0.14), "caecum": (0.06, 0.1), "stomach": (0.06, 0.16)}
    lobes, lobing = {"colon": (3, 0.25), "gullet": (5, 0.15)}.get(site, (2, 0.12))
    spread = 0.24 if site == "colon" else 0.13
    return Lumen(
        x=0.5 + rng.uniform(-spread, spread),
        y=0.5 + rng.uniform(-spread, spread),
        radius=rng.uniform(*radius.get(site, (0.07, 0.14))),
        lobes=lobes,
        lobing=rng.uniform(0, lobing),
        turn=rng.uniform(0, 2 * math.pi),
    )


def _mucosa(rng: Generator, site: str) -> Mucosa:
    lightness, hue = rng.uniform(0.66, 0.8), rng.uniform(22, 52)
    chroma = rng.uniform(0.06, 0.1) if site == "gullet" else rng.uniform(0.08, 0.13)
    other = lightness + rng.uniform(-0.08, 0.08), chroma * rng.uniform(0.8, 1.3)
    return Mucosa(
        colours=(oklch(lightness, chroma, hue), oklch(*other, hue + rng.uniform(-14, 14))),
        folds=rng.uniform(0.3, 0.7),
        spacing=rng.uniform(0.45, 0.75),
        vessels=rng.uniform(0.1, 0.5),
        seed=int(rng.integers(2**32)),
    )


def _scope(rng: Generator) -> Scope:
    return Scope(
        view=rng.uniform(0.93, 1.02),
        light=rng.uniform(1.0, 1.35),
        falloff=rng.uniform(0.6, 1.1),
        x=rng.uniform(0.35, 0.65),
        y=rng.uniform(0.35, 0.65),
        grain=rng.uniform(0.005, 0.015),
    )


def _found(rng: Generator, kind: str, lumen: Lumen) -> list[Finding]:
    """The findings of one kind: several for erosions or patches, otherwise mostly one."""
    most = {"erosion": 4, "inflammation": 4, "polyp": 2}.get(kind, 1)
    return [_finding(rng, kind, lumen) for _ in range(int(rng.integers(1, most + 1)))]


# Radius, stretch, OKLCH lightness, chroma and hue, strength: each drawn between two numbers.
_LOOKS = {
    "polyp": ((0.08, 0.18), (1, 1.6), (0.6, 0.75), (0.1, 0.15), (18, 40), (0.6, 0.95)),
    "dye": ((0.2, 0.34), (1, 1.5), (0.5, 0.68), (0.07, 0.13), (225, 260), (0.35, 0.8)),
    "wound": ((0.1, 0.2), (1, 1.6), (0.78, 0.92), (0.03, 0.07), (30, 80), (0.6, 0.95)),
    "erosion": ((0.05, 0.09), (2, 4), (0.45, 0.58), (0.14, 0.19), (20, 30), (0.55, 0.9)),
    "inflammation": ((0.13, 0.3), (1, 1.8), (0.45, 0.6), (0.14, 0.18), (18, 30), (0.4, 0.75)),
    "stain": ((0.03, 0.09), (1, 2), (0.6, 0.85), (0.06, 0.12), (75, 110), (0.3, 0.8)),
}


def _finding(rng: Generator, kind: str, lumen: Lumen) -> Finding:
    """A finding on the wall, away from the lumen and from the rim of the view."""
    radius, stretch, lightness, chroma, hue, strength = (rng.uniform(*b) for b in _LOOKS[kind])
    if kind == "erosion":  # a streak along the gullet, from the line outwards
        way = rng.uniform(0, 2 * math.pi)
        from_lumen = lumen.radius * rng.uniform(2.2, 3.2)
        x, y, angle = (
            lumen.x + from_lumen * math.cos(way),
            lumen.y + from_lumen * math.sin(way),
            way,
        )
    else:
        x, y, angle = *_place(rng, radius, lumen), rng.uniform(0, math.pi)
    seed = int(rng.integers(2**32))
    colour = oklch(lightness, chroma, hue)
    return Finding(kind, x, y, radius, stretch, angle, colour, strength, seed)


def _place(rng: Generator, radius: float, lumen: Lumen) -> tuple[float, float]:
    """A place on the wall, with its middle outside the lumen and well inside the view."""
    while True:
        x, y = rng.uniform(0.15, 0.85, 2).tolist()
        away = math.hypot(x - lumen.x, y - lumen.y)
        if away > lumen.radius + 0.6 * radius and math.hypot(x - 0.5, y - 0.5) < 0.42:
            return x, y


def _upon(rng: Generator, cushion: Finding, finding: Finding) -> Finding:
    """The finding moved onto the cushion."""
    shift = rng.uniform(-0.3, 0.3, 2) * cushion.radius
    x, y = cushion.x + float(shift[0]), cushion.y + float(shift[1])
    return replace(finding, x=x, y=y, radius=min(finding.radius, 0.6 * cushion.radius))
