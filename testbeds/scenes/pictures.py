"""A drawn dataset for classification: which shape is the largest object of the scene?

The class is the shape of the main object, which has any place, colour, size and rotation, in front
of a textured background. Smaller objects of other shapes surround it. Objects that are drawn after
it may hide a part of it, and the image's border may cut it.
"""

import math
from dataclasses import dataclass

from numpy.random import Generator

from lib.data import Sample, Size
from lib.seeding import stream

from ..drawing import (
    SHAPES,
    TEXTURES,
    Background,
    Object,
    Scene,
    boxes,
    by_class,
    fingerprint,
    oklch,
    pick,
    render,
    scatter,
)

CLASSES = tuple(SHAPES)


@dataclass(frozen=True)
class Picture:
    """A scene whose class is the shape of its `main` object (an index into the scene's objects)."""

    id: str
    target: int
    scene: Scene
    main: int
    annotated = frozenset({"boxes", "mask"})

    def sample(self, size: Size) -> Sample:
        """The picture at (height, width), with mask and box of the main object's visible part."""
        image, visible = render(self.scene, size)
        mask = visible[self.main]  # (H,W)
        return Sample(image, self.target, self.id, boxes(mask[None]), mask)

    def fingerprint(self) -> str:
        return fingerprint(self)


def records(seed: int, split: str, n: int) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The n pictures of a split, sorted by class."""
    return by_class(_picture, seed, split, n, len(CLASSES)), CLASSES


def _picture(seed: int, name: str, target: int) -> Picture:
    rng = stream(seed, name)
    objects = _objects(rng, CLASSES[target])
    # Drawn from back to front: objects after the main object may hide a part of it.
    main = int(rng.integers(len(objects)))
    objects.insert(main, objects.pop(0))
    scene = Scene(
        tuple(objects),
        _background(rng),
        light=rng.uniform(0, 2 * math.pi),
        contrast=rng.uniform(0.1, 0.6),
        grain=rng.uniform(0.005, 0.02),
    )
    return Picture(name, target, scene, main)


def _objects(rng: Generator, shape: str) -> list[Object]:
    """The main object, then one to four smaller ones of other shapes and colours."""
    radius, hue, n = rng.uniform(0.21, 0.36), rng.uniform(0, 360), int(rng.integers(1, 5))
    radii = [radius, *(radius * rng.uniform(0.3, 0.5) for _ in range(n))]
    hues = [hue, *(hue + rng.uniform(50, 310) for _ in range(n))]
    others = [name for name in CLASSES if name != shape]
    shapes = [shape, *(pick(rng, others) for _ in range(n))]
    centres = scatter(rng, radii, 0.65, lambda radius: rng.uniform(0.7 * radius, 1 - 0.7 * radius))
    return [
        Object(
            shapes[i],
            oklch(rng.uniform(0.5, 0.85), rng.uniform(0.09, 0.17), hues[i]),
            *centres[i],
            radii[i],
            angle=rng.uniform(0, 2 * math.pi),
        )
        for i in range(n + 1)
    ]


def _background(rng: Generator) -> Background:
    """Two muted colours of neighbouring hues, light or dark."""
    lightness, hue = rng.uniform(0.3, 0.95), rng.uniform(0, 360)
    other = lightness + rng.uniform(0.08, 0.2) * (1 if lightness < 0.6 else -1)
    colours = oklch(lightness, 0.03, hue), oklch(other, 0.05, hue + rng.uniform(-60, 60))
    return Background(pick(rng, list(TEXTURES)), colours, seed=int(rng.integers(2**32)))
