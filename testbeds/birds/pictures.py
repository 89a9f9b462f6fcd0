"""A drawn dataset for fine-grained classification: which species is the bird?

The species of a family differ in the look of one to three parts, and only the look of its parts
reveals a species: poses, proportions, places, habitats, light and occlusions are drawn alike for
all. The annotations are exact: the masks of the visible pixels of the bird and of each part.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.random import Generator

from lib.data import Part, Sample, Size
from lib.seeding import stream

from ..drawing import boxes, by_class, fingerprint, pick
from ..painting import Canvas, channels
from .anatomy import Bird, draw
from .habitats import HABITATS, Habitat, paint_before, paint_behind
from .species import CLASSES, PARTS


@dataclass(frozen=True)
class Picture:
    """A bird in its habitat, under one light.

    Attributes:
        light: the direction from which light comes: right, down, towards the viewer.
        glow: brightness of red, green and blue.
        contrast: the fraction by which the lit side of the image is brighter than the other.
        grain: standard deviation of the noise per pixel.
        seed: the seed of the noise.
    """

    id: str
    target: int
    bird: Bird
    habitat: Habitat
    light: tuple[float, float, float]
    glow: tuple[float, float, float]
    contrast: float
    grain: float
    seed: int
    annotated = frozenset({"boxes", "mask", "parts"})

    def sample(self, size: Size) -> Sample:
        """The picture at (height, width); parts without visible pixels are left out."""
        canvas = _painted(self.bird, self.habitat, self.light, size)
        mask = torch.from_numpy(canvas.labels > 0)
        return Sample(
            self._expose(canvas), self.target, self.id, boxes(mask[None]), mask, _parts(canvas)
        )

    def _expose(self, canvas: Canvas) -> torch.Tensor:
        """The image in this light, with grain."""
        slope = self.light[0] * (canvas.x - 0.5) + self.light[1] * (canvas.y - 0.5)
        image = canvas.image * (channels(self.glow) * (1 + self.contrast * slope))
        rng = np.random.default_rng(self.seed)
        image += self.grain * rng.standard_normal(canvas.size, dtype=np.float32)
        return torch.from_numpy(image.clip(0, 1))

    def fingerprint(self) -> str:
        return fingerprint(self)


@lru_cache(maxsize=256)  # a page shows the same birds to many methods
def _painted(bird: Bird, habitat: Habitat, light: tuple[float, float, float], size: Size) -> Canvas:
    """The picture before it is exposed; it is cached, so it must not be changed."""
    canvas = Canvas(size)
    paint_behind(canvas, habitat, bird.feet)
    draw(canvas, bird, light)
    paint_before(canvas, habitat, (bird.x, bird.y))
    return canvas


def _parts(canvas: Canvas) -> dict[str, Part]:
    """The visible pixels of each part, and its point: the pixel nearest to their mean."""
    rows, columns = np.nonzero(canvas.labels)
    labels = canvas.labels[rows, columns]
    count = np.maximum(np.bincount(labels), 1)
    away = (columns - (np.bincount(labels, columns) / count)[labels]) ** 2
    away += (rows - (np.bincount(labels, rows) / count)[labels]) ** 2
    order = np.lexsort((away, labels))  # by label, the nearest to the mean first
    seen, first = np.unique(labels[order], return_index=True)
    points = zip((columns[order[first]] + 0.5).tolist(), (rows[order[first]] + 0.5).tolist())
    return {
        PARTS[label - 1]: Part(point, torch.from_numpy(canvas.labels == label))
        for label, point in zip(seen.tolist(), points)
    }


def records(seed: int, split: str, n: int) -> tuple[tuple[Picture, ...], tuple[str, ...]]:
    """The n pictures of a split, sorted by class."""
    return by_class(_picture, seed, split, n, len(CLASSES)), CLASSES


def _picture(seed: int, name: str, target: int) -> Picture:
    rng = stream(seed, name)
    side = rng.uniform(0.2, 0.7) * (1 if rng.random() < 0.5 else -1)
    light = side, -0.75, math.sqrt(1 - 0.75**2 - min(side**2, 0.3))
    warmth, brightness = rng.uniform(-0.07, 0.07), rng.uniform(0.88, 1.1)
    return Picture(
        name,
        target,
        _bird(rng, CLASSES[target]),
        _habitat(rng),
        light,
        glow=(brightness * (1 + warmth), brightness, brightness * (1 - warmth)),
        contrast=rng.uniform(0, 0.4),
        grain=rng.uniform(0.004, 0.016),
        seed=int(rng.integers(2**32)),
    )


def _bird(rng: Generator, species: str) -> Bird:
    """A bird in any pose; one in five looks back, and one in four raises its wings."""
    pose = rng.random()
    right, pitch, scale = (
        bool(rng.random() < 0.5),
        rng.uniform(0.05, 0.85),
        rng.uniform(0.185, 0.26),
    )
    return Bird(
        species,
        # The tail reaches further than the beak.
        x=0.5 + (0.05 if right else -0.05) + rng.uniform(-0.13, 0.13),
        y=0.5 + rng.uniform(-0.1, 0.1),
        scale=scale,
        right=right,
        pitch=pitch,
        yaw=rng.uniform(-0.35, 0.6),
        head_yaw=rng.uniform(2.4, 3.3) if pose < 0.2 else rng.uniform(-0.4, 1.4),
        nod=rng.uniform(-0.25, 0.25),
        stretch=rng.uniform(0.28, 0.45),
        plump=rng.uniform(0.9, 1.12),
        head=rng.uniform(0.48, 0.57),
        leg=rng.uniform(0.32, 0.6),
        tail=rng.uniform(-0.25, 0.35),
        wings=rng.uniform(1.75, 2.6) if pose > 0.75 else None,
        crest=rng.uniform(0.85, 1.1),
        tint=(rng.uniform(-0.035, 0.035), rng.uniform(-0.012, 0.012), rng.uniform(-6, 6)),
        phase=rng.random(),
    )


_UNDER = {
    "branches": ("branch",),
    "foliage": ("branch",),
    "grass": ("post", "stone", "branch"),
    "sky": ("wire", "branch", "post"),
    "water": ("stone", "post", "branch"),
}


def _habitat(rng: Generator) -> Habitat:
    kind = pick(rng, tuple(HABITATS))
    leaves, blades, twigs = (int(rng.integers(0, 5)), 0, int(rng.random() < 0.3))
    if kind in ("grass", "water"):
        leaves, blades, twigs = 0, int(rng.integers(0, 6 if kind == "grass" else 4)), 0
    return Habitat(kind, pick(rng, _UNDER[kind]), leaves, blades, twigs, int(rng.integers(2**32)))
