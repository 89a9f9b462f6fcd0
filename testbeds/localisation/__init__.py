"""Drawn birds and scenes for localisation, where hidden pixels of the object are ignored.

The pictures are those of `testbeds.birds` and `testbeds.scenes`, with one more split.
"""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lib.data import Sample, Size

from .. import birds as of_birds
from .. import scenes as of_scenes
from ..birds.anatomy import draw
from ..birds.pictures import Picture as Bird
from ..drawing import render
from ..painting import Canvas
from ..scenes.pictures import Picture as Scene

Located = tuple[tuple["Hidden", ...], tuple[str, ...]]


@dataclass(frozen=True)
class Hidden:
    """A picture with the pixels to ignore: those of the object that something else hides."""

    picture: Bird | Scene
    target: int

    @property
    def id(self) -> str:
        return self.picture.id

    @property
    def annotated(self) -> frozenset[str]:
        return self.picture.annotated

    def sample(self, size: Size) -> Sample:
        sample = self.picture.sample(size)
        ignore = _silhouette(self.picture, size) & ~sample.mask
        return replace(sample, target=self.target, ignore=ignore)

    def fingerprint(self) -> str:
        return hashlib.sha256(f"{self.picture.fingerprint()} hidden".encode()).hexdigest()


def birds(seed: int, split: str, n: int) -> Located:
    """The n pictures of a split, sorted by class."""
    return _hidden(*of_birds.records(seed, split, n))


def scenes(seed: int, split: str, n: int) -> Located:
    """The n pictures of a split, sorted by class."""
    return _hidden(*of_scenes.records(seed, split, n))


def _hidden(pictures: tuple[Bird | Scene, ...], classes: tuple[str, ...]) -> Located:
    return tuple(Hidden(picture, picture.target) for picture in pictures), classes


def _silhouette(picture: Bird | Scene, size: Size) -> Tensor:
    """The pixels (H, W) of the object, drawn alone."""
    if isinstance(picture, Bird):
        canvas = Canvas(size)
        draw(canvas, picture.bird, picture.light)
        return torch.from_numpy(canvas.labels > 0)
    alone = replace(picture.scene, objects=(picture.scene.objects[picture.main],))
    return render(alone, size)[1][0]
