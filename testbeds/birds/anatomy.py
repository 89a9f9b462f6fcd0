"""Drawing a bird: the look of its parts in any pose, and which of them are visible.

A bird is drawn in its own frame: X in the direction it faces, Y down, in half lengths of its torso.
Torso and head are round: their colours lie on an ellipsoid and a sphere, so that a turned head
shows the right parts. Each pixel of a bird belongs to one part: the cheeks belong to the throat,
the rump to the back, the flanks to the belly, and a crest to the crown.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from ..drawing import oklch, step
from ..painting import Canvas, Patch, channels, ellipse, mix, ribbon, spline
from .species import ATTRIBUTES, COLOURS, PARTS

LABELS = {part: i + 1 for i, part in enumerate(PARTS)}  # on the canvas


@dataclass(frozen=True)
class Bird:
    """One bird with its place and pose; none of its values but `species` depends on the species.

    Attributes:
        species: one of `CLASSES`.
        x, y: the middle of the torso in the scene.
        scale: half the length of the torso in the scene.
        right: whether it faces the right of the image, so that its right side is visible.
        pitch: how upright the torso is, in radians; 0 is level.
        yaw: how far the torso is turned to the viewer.
        head_yaw: the same for the head; beyond a quarter turn it looks back.
        nod: how far the beak points up.
        stretch: length of the neck.
        plump: thickness of the torso, about 1.
        head: radius of the head.
        leg: length of the visible leg.
        tail: how far the tail hangs down from the torso's axis, in radians.
        wings: direction of the raised wings, in radians from the front; None if they are folded.
        crest: how far a crest is raised, about 1.
        tint: the shift in lightness, chroma and hue of its colours.
        phase: the start of patterns, in turns.
    """

    species: str
    x: float
    y: float
    scale: float
    right: bool
    pitch: float
    yaw: float
    head_yaw: float
    nod: float
    stretch: float
    plump: float
    head: float
    leg: float
    tail: float
    wings: float | None
    crest: float
    tint: tuple[float, float, float]
    phase: float

    @property
    def feet(self) -> tuple[float, float]:
        """The place in the scene where it stands."""
        figure = _Figure(self, (0.0, -1.0, 0.0))
        x, y = figure.to_scene(figure.foot)
        return float(x), float(y)


def draw(canvas: Canvas, bird: Bird, light: tuple[float, float, float]) -> None:
    """Paints a bird, each part with its label.

    Args:
        light: the direction from which light comes: right, down, towards the viewer.
    """
    figure = _Figure(bird, light)
    near, far = ("right", "left") if bird.right else ("left", "right")
    _tail(canvas, figure)
    if bird.wings is not None:
        _raised_wing(canvas, figure, f"{far}_wing", nearer=False)
    _leg(canvas, figure, f"{far}_leg", 0.13, 0.82)
    _leg(canvas, figure, f"{near}_leg", -0.05, 1.0)
    if figure.attributes["crown"].shape == "crested":
        _crest(canvas, figure)
    beak_behind = math.sin(bird.head_yaw) < -0.05
    if beak_behind:
        _beak(canvas, figure)
    _body(canvas, figure)
    if not beak_behind:
        _beak(canvas, figure)
    _eye(canvas, figure, f"{near}_eye", 1)
    _eye(canvas, figure, f"{far}_eye", -1)
    if bird.wings is None:
        _folded_wing(canvas, figure, f"{near}_wing")
    else:
        _raised_wing(canvas, figure, f"{near}_wing", nearer=True)


# Frames -----------------------------------------------------------------------------------------


class _Figure:
    """A bird's frames, and the colours of its parts.

    Attributes:
        light: its direction in the bird's frame: to the front, down, towards the viewer.
        glint: 1 or -1, the side of the eye on which light falls.
        short: the foreshortening of the turned torso.
        thick: half the height of the torso.
        neck: direction of the neck, in radians above the front.
        centre: of the head.
        foot: where the bird stands.
    """

    def __init__(self, bird: Bird, light: tuple[float, float, float]):
        self.bird = bird
        self.attributes = ATTRIBUTES[bird.species]
        self.side = 1 if bird.right else -1
        self.light = (self.side * light[0], *light[1:])
        self.glint = math.copysign(1, self.light[0])
        self.cos, self.sin = math.cos(bird.pitch), math.sin(bird.pitch)
        self.short = math.hypot(math.cos(bird.yaw), 0.55 * math.sin(bird.yaw))
        self.thick = 0.53 * bird.plump
        self.neck = 0.75 + 0.45 * bird.pitch
        toward = np.array([math.cos(self.neck), -math.sin(self.neck)])
        self.centre = self.from_torso([(0.6, -0.45 * self.thick)])[0] + bird.stretch * toward
        hip = self.from_torso([(-0.1, 0.85 * self.thick)])[0]
        self.foot = hip + np.array([0.06, bird.leg])
        self._colours: dict[str, ndarray] = {}

    def to_scene(self, points: ndarray) -> ndarray:
        """Points (n,2) from the bird's frame, in the scene."""
        bird = self.bird
        return points * (self.side * bird.scale, bird.scale) + (bird.x, bird.y)

    def from_torso(self, points) -> ndarray:
        """Points along and across the torso, in the bird's frame."""
        u, v = np.asarray(points, dtype=float).T
        u = u * self.short
        return np.stack([self.cos * u + self.sin * v, self.cos * v - self.sin * u], axis=-1)

    def from_head(self, points) -> ndarray:
        """Points towards the beak and up, in radii of the unturned head, in the bird's frame."""
        p, q = np.asarray(points, dtype=float).T
        cos, sin = math.cos(self.bird.nod), math.sin(self.bird.nod)
        turned = np.stack([cos * p - sin * q, -sin * p - cos * q], axis=-1)
        return self.centre + self.bird.head * turned

    def torso(self, patch: Patch) -> tuple[ndarray, ndarray]:
        """The places of a patch's pixels, along and across the torso."""
        x, y = self.own(patch)
        return (self.cos * x - self.sin * y) / self.short, self.sin * x + self.cos * y

    def head(self, patch: Patch) -> tuple[ndarray, ndarray]:
        """The places of a patch's pixels in the head's frame, towards the beak and up."""
        x, y = self.own(patch)
        x, y = (x - self.centre[0]) / self.bird.head, (y - self.centre[1]) / self.bird.head
        cos, sin = math.cos(self.bird.nod), math.sin(self.bird.nod)
        return cos * x - sin * y, -sin * x - cos * y

    def own(self, patch: Patch) -> tuple[ndarray, ndarray]:
        """The places of a patch's pixels in the bird's frame."""
        bird = self.bird
        return (patch.x - bird.x) * (self.side / bird.scale), (patch.y - bird.y) / bird.scale

    def colour(self, name: str) -> ndarray:
        """A colour of its plumage, (3,1,1)."""
        if name not in self._colours:
            lightness, chroma, hue = (a + b for a, b in zip(COLOURS[name], self.bird.tint))
            self._colours[name] = channels(oklch(lightness, max(chroma, 0), hue))
        return self._colours[name]

    def flat(self, part: str) -> ndarray:
        """The colour of a part without its pattern, (3,1,1)."""
        return self.colour(self.attributes[part].colour)

    def plumage(self, part: str, along: ndarray, across: ndarray) -> ndarray:
        """The colours of a part with its pattern, at places in half lengths of the torso."""
        look = self.attributes[part]
        colour = self.colour(look.colour)
        if look.pattern not in _PATTERNS:
            return colour
        share = _PATTERNS[look.pattern](along, across, 2 * math.pi * self.bird.phase)
        return mix(colour, self.colour(look.second), share)


# Patterns ---------------------------------------------------------------------------------------


def _barred(along: ndarray, across: ndarray, phase: float) -> ndarray:
    return step(0.5 + 1.3 * np.sin(22 * along + 4 * across * across + phase))


def _striped(along: ndarray, across: ndarray, phase: float) -> ndarray:
    return step(0.35 + 1.3 * np.sin(29 * across + 1.2 * np.sin(7 * along + phase)))


def _spotted(along: ndarray, across: ndarray, phase: float) -> ndarray:
    return step(1.6 * np.sin(17 * along + phase) * np.sin(17 * across + phase) - 0.15)


_PATTERNS = {"barred": _barred, "striped": _striped, "spotted": _spotted}


def _scales(along: ndarray, across: ndarray, length: float) -> ndarray:
    """Rows of small feathers: from 0 at the root of each to 1 at its round tip."""
    row = along / length + 0.35 * np.abs(np.sin(math.pi * across / length))
    return row - np.floor(row)


def _vanes(turns: ndarray) -> ndarray:
    """Long feathers side by side: from 0 at one edge of each to 1 at the other."""
    return turns - np.floor(turns)


# Body -------------------------------------------------------------------------------------------


def _silhouette(figure: _Figure) -> tuple[ndarray, ndarray, ndarray]:
    """The outlines of the torso, of the head, and of both with the neck between them."""
    t = figure.thick
    above = figure.from_torso([(-1.0, -0.13), (-0.62, -0.68 * t), (-0.1, -0.93 * t)])
    below = [(0.94, 0.1 * t), (0.85, 0.6 * t), (0.4, 1.04 * t)]
    below += [(-0.15, 1.02 * t), (-0.65, 0.62 * t), (-1.0, 0.06)]
    below = figure.from_torso(below)
    shoulder = figure.from_torso([(0.5, -0.85 * t)])
    around = figure.neck + np.radians(np.linspace(112, -112, 8))
    top = figure.centre + figure.bird.head * np.stack([np.cos(around), -np.sin(around)], axis=1)
    head = ellipse(*figure.centre, figure.bird.head, figure.bird.head)
    torso = np.concatenate([above, shoulder, below])
    return spline(torso), head, spline(np.concatenate([above, top, below]))


def _body(canvas: Canvas, figure: _Figure) -> None:
    patch = canvas.patch(*(figure.to_scene(outline) for outline in _silhouette(figure)))
    if patch is None:
        return
    bird = figure.bird
    x, y = figure.own(patch)
    # The head is a unit sphere: f to the beak, up, and z towards the viewer.
    dx, dy = (x - figure.centre[0]) / bird.head, (y - figure.centre[1]) / bird.head
    p, up = figure.head(patch)
    z = np.sqrt(np.maximum(1 - p * p - up * up, 0.0))
    f = math.cos(bird.head_yaw) * p + math.sin(bird.head_yaw) * z
    beyond = math.cos(figure.neck) * dx - math.sin(figure.neck) * dy + 0.8  # the end of the neck
    # The torso is an ellipsoid.
    u, v = figure.torso(patch)
    high = -v / figure.thick
    depth = np.sqrt(np.maximum(1 - u * u - high * high, 0.0))
    front = math.cos(bird.yaw) * u + 0.55 * math.sin(bird.yaw) * depth

    rough = 0.025 * np.sin(19 * u + 13 * v) * np.sin(23 * v - 11 * u)
    cap = up - 0.27 + 0.24 * np.maximum(f, -0.2)
    below = f + 0.22 - 0.25 * np.minimum(up, 0.2)  # under the cap: throat before, nape behind
    regions = (  # each lies over the ones before it, where its field is positive
        ("breast", front - 0.1 - 0.15 * high),
        ("back", high - 0.22 + 0.2 * front),
        ("nape", np.minimum(0.5 * beyond, 0.1 - below)),
        ("throat", np.minimum(0.5 * beyond, below)),
        ("crown", np.minimum(cap, 0.46 - f)),
        ("forehead", np.minimum(cap, f - 0.36)),
    )
    colour = figure.plumage("belly", u, v)
    labels = np.full(patch.cover.shape, LABELS["belly"], dtype=np.uint8)
    for part, field in regions:
        share = step(0.5 + (field + rough) / 0.12)
        colour = mix(colour, figure.plumage(part, u, v), share)
        labels[share > 0.5] = LABELS[part]

    neck = step(0.3 + 0.6 * beyond)
    nx, ny = mix(figure.cos * u + figure.sin * v, dx, neck), mix(1.5 * v - 0.3 * u, dy, neck)
    colour = colour * _shade(figure, nx, ny, mix(depth, z, neck))
    scales = _scales(-u + 0.6 * v, v - 0.3 * u, 0.13) - 0.5
    colour *= 1 - 0.1 * _fine(figure, canvas, 0.13) * scales
    canvas.lay(patch, colour, labels)


def _shade(figure: _Figure, nx: ndarray, ny: ndarray, nz: ndarray) -> ndarray:
    """Light on a round body whose normal is (nx, ny, nz)."""
    lx, ly, lz = figure.light
    return 0.62 + 0.46 * np.maximum(lx * nx + ly * ny + lz * nz + 0.25, 0)


def _fine(figure: _Figure, canvas: Canvas, length: float) -> float:
    """How well a texture of this length is resolved: 0 if it is finer than two pixels."""
    across = length * figure.bird.scale * math.sqrt(canvas.size[0] * canvas.size[1])
    return min(max(across / 2 - 1, 0.0), 1.0)


# Tail, wings, legs ------------------------------------------------------------------------------

# One half of each tail, along and across it, from the root to the end of the middle.
_TAILS = {
    "fan": [(0, 0.13), (0.5, 0.3), (0.88, 0.52), (1.05, 0.4), (1.13, 0.2), (1.16, 0)],
    "forked": [(0, 0.13), (0.5, 0.2), (1.0, 0.3), (1.5, 0.47), (1.12, 0.2), (0.72, 0)],
    "notched": [(0, 0.13), (0.5, 0.2), (0.95, 0.3), (1.1, 0.3), (1.0, 0.12), (0.88, 0)],
    "square": [(0, 0.13), (0.5, 0.19), (0.9, 0.23), (1.05, 0.22), (1.08, 0.1), (1.07, 0)],
}
_TIPS = {"forked": 3}  # which of the points is sharp


def _tail_outline(shape: str) -> ndarray:
    """Along and across the tail (n,2)."""
    half = np.array(_TAILS[shape])
    other = half[::-1] * (1, -1)
    if shape not in _TIPS:
        return spline(np.concatenate([half, other[1:]]))
    tip = _TIPS[shape]
    middle = np.concatenate([half[tip:], other[1 : len(half) - tip]])
    pieces = half[: tip + 1], middle, other[len(half) - 1 - tip :]
    return np.concatenate([spline(piece, closed=False) for piece in pieces])


def _tail(canvas: Canvas, figure: _Figure) -> None:
    along, across = _tail_outline(figure.attributes["tail"].shape).T
    angle = figure.bird.pitch + figure.bird.tail
    cos, sin = math.cos(angle), math.sin(angle)
    root = figure.from_torso([(-0.86, -0.04)])[0]
    outline = np.stack([sin * across - cos * along, sin * along + cos * across], axis=1)
    patch = canvas.patch(figure.to_scene(root + outline))
    if patch is None:
        return
    x, y = figure.own(patch)
    dx, dy = x - root[0], y - root[1]
    along, across = sin * dy - cos * dx, sin * dx + cos * dy
    vane = _vanes(7 * across / (0.35 + np.maximum(along, 0)) + 0.5)
    shade = 0.95 - 0.22 * vane + 0.1 * step(along)
    canvas.lay(patch, figure.plumage("tail", along, across) * shade, LABELS["tail"])


def _feathers(
    canvas: Canvas,
    figure: _Figure,
    part: str,
    row: ndarray,
    place: tuple[ndarray, ndarray],
    scales: ndarray,
    vanes: ndarray,
) -> ndarray:
    """The colours of a wing: small coverts at the shoulder, then long flight feathers.

    Args:
        row: from 0 at the shoulder to about 1 at the tips; a barred wing has two bars along it.
        place: along the wing and across it, for other patterns.
        scales, vanes: the position in its feather of each place, for coverts and for long feathers.
    """
    look = figure.attributes[part]
    if look.pattern == "barred":
        bars = sum(step(1.5 - np.abs(row - at) / 0.042) for at in (0.28, 0.44))
        colour = mix(figure.colour(look.colour), figure.colour(look.second), bars)
    else:
        colour = figure.plumage(part, *place)
    long = step((row - 0.42) / 0.03)
    coverts = (1 - long) * _fine(figure, canvas, 0.17)
    return colour * (1.04 - 0.3 * long * vanes - 0.24 * coverts * scales)


_FOLDED = [(0.62, -0.2), (0.4, -0.6), (0.0, -0.8), (-0.5, -0.66), (-0.95, -0.3), (-1.38, 0.06)]
_FOLDED += [(-1.0, 0.14), (-0.6, 0.36), (-0.15, 0.58), (0.3, 0.52), (0.57, 0.2)]
_FOLDED = spline(np.array(_FOLDED))  # along the torso, and across it in its half height


def _folded_wing(canvas: Canvas, figure: _Figure, part: str) -> None:
    shift = -0.12 * math.sin(figure.bird.yaw)
    outline = _FOLDED * (1, figure.thick) + (shift, 0)
    patch = canvas.patch(figure.to_scene(figure.from_torso(outline)))
    if patch is None:
        return
    u, v = figure.torso(patch)
    along, across = (0.62 - u + shift) / 2, v / figure.thick
    scales = _scales(2 * along, v + 0.1 * along, 0.17)
    vanes = _vanes(16 * np.arctan2(across - 0.1, 2.37 - 2 * along))
    row = along + 0.12 * across
    colour = _feathers(canvas, figure, part, row, (u, v), scales, vanes)
    colour *= 1 + 0.16 * figure.light[1] * across
    colour *= 0.86 + 0.14 * step(1.3 * (patch.cover - 0.2))  # a dark edge
    canvas.lay(patch, colour, LABELS[part])


# Along the raised wing and across it to its trailing edge: the leading edge, then each feather.
_RAISED = [(-0.12, 0.1), (0.05, -0.14), (0.45, -0.26), (0.95, -0.22), (1.45, -0.02), (1.74, 0.2)]
_RAISED += [(1.5, 0.24), (1.64, 0.42), (1.34, 0.4), (1.46, 0.6), (1.15, 0.54), (1.24, 0.74)]
_RAISED += [(0.97, 0.63), (1.0, 0.8), (0.78, 0.68), (0.76, 0.82), (0.55, 0.69), (0.52, 0.8)]
_RAISED = spline(np.array([*_RAISED, (0.32, 0.65), (0.24, 0.72), (0.02, 0.5)]))


def _raised_wing(canvas: Canvas, figure: _Figure, part: str, nearer: bool) -> None:
    angle = figure.bird.wings - (0 if nearer else 0.5)
    cos, sin = math.cos(angle), math.sin(angle)
    root = figure.from_torso([(0.2 if nearer else 0.34, -0.5 * figure.thick)])[0]
    along, across = _RAISED.T
    outline = np.stack([cos * along - sin * across, -sin * along - cos * across], axis=1)
    patch = canvas.patch(figure.to_scene(root + outline))
    if patch is None:
        return
    x, y = figure.own(patch)
    dx, dy = x - root[0], y - root[1]
    along, across = cos * dx - sin * dy, -sin * dx - cos * dy
    reach = np.sqrt((along + 0.25) ** 2 + (1.25 * across) ** 2)
    turn = np.arctan2(across + 0.1, along + 0.35)
    scales, vanes = _scales(reach, 0.6 * turn, 0.17), _vanes(6.2 * turn)
    colour = _feathers(canvas, figure, part, reach / 2, (along, across), scales, vanes)
    colour *= (1.0 if nearer else 0.74) * (0.88 + 0.12 * step(0.5 * reach))
    canvas.lay(patch, colour, LABELS[part])


# A foot with three toes, from where the leg ends.
_TOES = [(-0.05, -0.05), (0.06, -0.05), (0.2, 0.0), (0.33, 0.07), (0.18, 0.06), (0.21, 0.12)]
_TOES = spline(np.array([*_TOES, (0.07, 0.06), (-0.04, 0.04), (-0.22, 0.08), (-0.12, -0.03)]))


def _leg(canvas: Canvas, figure: _Figure, part: str, shift: float, shade: float) -> None:
    bird = figure.bird
    foot = figure.foot + (shift, 0)
    hip = figure.from_torso([(-0.12 + shift, 0.6 * figure.thick)])[0]
    knee = foot + (-0.13 - 0.1 * bird.leg, -0.55 * bird.leg)
    colour = figure.flat(part) * shade
    label = LABELS[part]
    thigh = ribbon(np.array([hip, 0.45 * hip + 0.55 * knee, knee]), (0.34, 0.24, 0.1))
    shin = ribbon(np.array([knee, foot + (-0.02, -0.05), foot]), (0.12, 0.1, 0.11))
    canvas.paint(figure.to_scene(shin), colour, label)
    canvas.paint(figure.to_scene(foot + _TOES), colour, label)
    canvas.paint(figure.to_scene(thigh), figure.flat("belly") * 0.8 * shade, LABELS["belly"])


# Head -------------------------------------------------------------------------------------------

# To the tip and up, in radii of the head: the upper mandible from its root to the tip, then the
# lower one back to its root.
_BEAKS = {
    "conical": ([(0, 0.3), (0.22, 0.26), (0.5, 0.1), (0.72, -0.06)], [(0.4, -0.22), (0, -0.3)]),
    "dagger": ([(0, 0.22), (0.5, 0.17), (1.1, 0.07), (1.55, -0.03)], [(0.8, -0.14), (0, -0.2)]),
    "hooked": ([(0, 0.26), (0.3, 0.27), (0.6, 0.1), (0.66, -0.26)], [(0.38, -0.14), (0, -0.22)]),
    "short": ([(0, 0.17), (0.2, 0.14), (0.34, 0.05), (0.42, -0.05)], [(0.2, -0.13), (0, -0.17)]),
    "thin": ([(0, 0.13), (0.35, 0.1), (0.7, 0.03), (0.95, -0.03)], [(0.5, -0.09), (0, -0.12)]),
}


def _beak(canvas: Canvas, figure: _Figure) -> None:
    bird = figure.bird
    upper, lower = _BEAKS[figure.attributes["beak"].shape]
    turn = math.cos(bird.head_yaw)
    turn = math.copysign(max(abs(turn), 0.12), turn)
    middle = [(0.0, -0.05)]

    def place(knots: list) -> ndarray:
        return figure.to_scene(figure.from_head(np.array(knots) * (turn, 1) + (0.84 * turn, 0.0)))

    colour, label = figure.flat("beak"), LABELS["beak"]
    tip = upper[-1]
    under = np.concatenate(
        [spline(place([*middle, tip]), False), spline(place([tip, *lower]), False)]
    )
    over = np.concatenate(
        [spline(place(upper), False), spline(place([tip, (0.3, -0.06), *middle]), False)]
    )
    canvas.paint(under, colour * 0.68, label)
    canvas.paint(over, np.minimum(colour * 1.06 + 0.03, 1), label)


def _on_sphere(figure: _Figure, f: ndarray, up: ndarray, side: int) -> tuple[ndarray, ndarray]:
    """Places on the head as seen: (n,2) in the head's frame, and their nearness to the viewer."""
    out = side * np.sqrt(np.maximum(1 - f**2 - up**2, 0))
    cos, sin = math.cos(figure.bird.head_yaw), math.sin(figure.bird.head_yaw)
    return np.stack([cos * f - sin * out, up], axis=-1), sin * f + cos * out


_IRIS = 0.19  # radius of an eye, in radii of the head
# To the beak and up: a dark mask around the eye, and a crest before and behind its tip.
_MASK = np.array([(0.93, 0.1), (0.7, 0.3), (0.4, 0.4), (0.05, 0.36), (-0.3, 0.14)])
_MASK = np.concatenate([_MASK, [(0.05, -0.02), (0.4, -0.08), (0.75, -0.08)]])
_CREST = np.array([(0.72, 0.62), (0.45, 1.06), (0.0, 1.45), (-0.55, 1.72), (-1.2, 1.85)])
_CREST_BACK = np.array([(-1.2, 1.85), (-0.98, 1.35), (-0.95, 0.9), (-0.9, 0.4)])


def _eye(canvas: Canvas, figure: _Figure, part: str, side: int) -> None:
    place, near = _on_sphere(figure, np.array(0.54), np.array(0.16), side)
    if near < 0.25:
        return
    look, label = figure.attributes[part], LABELS[part]
    if look.pattern == "masked":
        knots, depth = _on_sphere(figure, *_MASK.T, side)
        if (depth > -0.2).all():
            outline = figure.to_scene(figure.from_head(spline(knots)))
            canvas.paint(outline, figure.colour(look.second), label)

    # Rings, as radii: what is around the iris, the iris, and the light in it.
    rim = {"ringed": 0.32, "masked": 0.21}.get(look.pattern, _IRIS)
    x, y = place
    wide = max(near, 0.4)  # a circle that is turned away
    patch = canvas.patch(figure.to_scene(figure.from_head(ellipse(x, y, rim * wide, rim))))
    if patch is None:
        return
    p, up = figure.head(patch)
    p, up = (p - x) / wide, up - y
    pixel = 1 / (figure.bird.head * figure.bird.scale * math.sqrt(canvas.size[0] * canvas.size[1]))
    colour = figure.colour(look.second if look.pattern == "ringed" else "brown")
    iris = step(0.5 + (_IRIS - np.hypot(p, up)) / pixel)
    glint = step(0.5 + (0.06 - np.hypot(p - figure.glint * 0.07, up - 0.07)) / pixel)
    colour = mix(colour, figure.flat(part) * 0.6, iris)
    canvas.lay(patch, mix(colour, channels((0.95, 0.95, 0.93)), glint), label)


def _crest(canvas: Canvas, figure: _Figure) -> None:
    turned = math.cos(figure.bird.head_yaw), figure.bird.crest
    outline = np.concatenate([spline(half * turned, False) for half in (_CREST, _CREST_BACK)])
    outline = figure.to_scene(figure.from_head(outline))
    canvas.paint(outline, figure.flat("crown") * 0.97, LABELS["crown"])
