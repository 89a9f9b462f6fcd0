"""A drawn dataset of visual questions: colour, shape, count and place of objects in a scene.

Two to four objects, each in its own quarter, lie on a quiet background. Each scene has one question
of each of the four kinds, whose answers never coincide, so the image alone gives at most one answer
in four. Colours, shapes, counts and quarters are drawn independently of the question, so the
question alone allows no more than a guess (1/6, 1/6, 1/4 and 1/4 for the kinds).
"""

import math
from dataclasses import dataclass
from functools import cache

from numpy.random import Generator

from lib.data import Sample, Size
from lib.seeding import stream

from ..drawing import Background, Object, Scene, boxes, fingerprint, oklch, pick, render

SHAPES = {  # singular: plural
    "circle": "circles",
    "cross": "crosses",
    "heart": "hearts",
    "square": "squares",
    "star": "stars",
    "triangle": "triangles",
}
COLOURS = {  # OKLCH: lightness, chroma, hue
    "red": (0.60, 0.22, 26),
    "orange": (0.74, 0.17, 57),
    "yellow": (0.89, 0.17, 98),
    "green": (0.68, 0.17, 145),
    "blue": (0.58, 0.16, 255),
    "purple": (0.52, 0.19, 305),
}
QUARTERS = ("top left", "top right", "bottom left", "bottom right")
COUNTS = ("0", "1", "2", "3")
ANSWERS = (*COLOURS, *SHAPES, *COUNTS, *QUARTERS)

QUESTIONS = (
    *(f"what colour is the {shape}?" for shape in SHAPES),
    *(f"what shape is the {colour} object?" for colour in COLOURS),
    *(f"how many {plural} are there?" for plural in SHAPES.values()),
    *(f"how many {colour} objects are there?" for colour in COLOURS),
    *(f"where is the {shape}?" for shape in SHAPES),
)
VOCABULARY = tuple(sorted({word for question in QUESTIONS for word in question[:-1].split()}))


@dataclass(frozen=True)
class Question:
    """A question about a scene.

    Attributes:
        group: the scene's name, which its questions share.
        about: the objects asked about, as indices into the scene's objects.
    """

    id: str
    target: int
    question: str
    about: tuple[int, ...]
    group: str
    scene: Scene

    @property
    def annotated(self) -> frozenset[str]:
        """The question, and boxes and mask of the objects asked about, if there are any."""
        return frozenset({"question", "boxes", "mask"} if self.about else {"question"})

    def sample(self, size: Size) -> Sample:
        """The scene at (height, width), with one box per object asked about and the mask of all."""
        image, visible = render(self.scene, size)
        asked = visible[list(self.about)]  # (n,H,W)
        return Sample(
            image,
            self.target,
            self.id,
            boxes(asked),
            asked.any(0),
            group=self.group,
            question=self.question,
        )

    def fingerprint(self) -> str:
        return fingerprint(self)


def records(seed: int, split: str, n: int) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The n questions of a split, sorted by kind and then by scene."""
    return _questions(seed, split, n), ANSWERS


@cache
def _questions(seed: int, split: str, n: int) -> tuple[Question, ...]:
    scenes = [_ask(seed, f"{split}_{i:05}") for i in range(n // 4)]
    return tuple(question for kind in zip(*scenes) for question in kind)


def _ask(seed: int, name: str) -> list[Question]:
    """A scene, and one question of each kind about it."""
    rng = stream(seed, name)
    contents, counted = _contents(rng)
    scene = _scene(rng, contents)
    shapes, colours = zip(*contents)
    lone_shapes = [i for i, shape in enumerate(shapes) if shapes.count(shape) == 1]
    lone_colours = [i for i, colour in enumerate(colours) if colours.count(colour) == 1]

    def ask(kind: str, question: str, answer: str, *about: int) -> Question:
        return Question(
            f"{name}_{kind}", ANSWERS.index(answer), question, about, group=name, scene=scene
        )

    one, other, third = pick(rng, lone_shapes), pick(rng, lone_colours), pick(rng, lone_shapes)
    many = [i for i, names in enumerate(contents) if counted in names]
    plural = SHAPES.get(counted, f"{counted} objects")
    return [
        ask("colour", f"what colour is the {shapes[one]}?", colours[one], one),
        ask("shape", f"what shape is the {colours[other]} object?", shapes[other], other),
        ask("count", f"how many {plural} are there?", str(len(many)), *many),
        ask("position", f"where is the {shapes[third]}?", _quarter(scene.objects[third]), third),
    ]


def _contents(rng: Generator) -> tuple[list[tuple[str, str]], str]:
    """The (shape, colour) of every object, and the shape or colour to be counted.

    The number of objects to be counted is drawn first, so that all counts are equally likely.
    """
    count = int(rng.integers(len(COUNTS)))
    n = int(rng.integers(max(2, count + 1), 5))
    which = int(rng.integers(2))
    names = list(SHAPES), list(COLOURS)
    counted = pick(rng, names[which])
    others = [name for name in names[which] if name != counted]
    while True:
        contents = []
        for i in range(n):
            pair = [pick(rng, names[0]), pick(rng, names[1])]
            pair[which] = counted if i < count else pick(rng, others)
            contents.append(tuple(pair))
        # Something to ask for by its shape, and something by its colour.
        if all(any(kind.count(name) == 1 for name in kind) for kind in zip(*contents)):
            return contents, counted


def _scene(rng: Generator, contents: list[tuple[str, str]]) -> Scene:
    """A scene with each object in its own quarter, clearly off the middle."""
    places = rng.permutation(len(QUARTERS))[: len(contents)].tolist()
    objects = tuple(
        Object(
            shape,
            _colour(rng, colour),
            x=0.25 + 0.5 * (place % 2) + rng.uniform(-0.04, 0.04),
            y=0.25 + 0.5 * (place // 2) + rng.uniform(-0.04, 0.04),
            radius=rng.uniform(0.15, 0.2),
            angle=rng.uniform(-0.3, 0.3),
        )
        for (shape, colour), place in zip(contents, places)
    )
    return Scene(
        objects,
        _background(rng),
        light=rng.uniform(0, 2 * math.pi),
        contrast=rng.uniform(0, 0.25),
        grain=rng.uniform(0, 0.015),
    )


def _colour(rng: Generator, name: str) -> tuple[float, float, float]:
    lightness, chroma, hue = COLOURS[name]
    return oklch(lightness + rng.uniform(-0.03, 0.03), chroma, hue + rng.uniform(-4, 4))


def _background(rng: Generator) -> Background:
    """Two pale, nearly grey colours."""
    hue = rng.uniform(0, 360)
    colours = oklch(rng.uniform(0.9, 0.97), 0.012, hue), oklch(rng.uniform(0.8, 0.88), 0.02, hue)
    return Background(pick(rng, ("gradient", "clouds")), colours, seed=int(rng.integers(2**32)))


def _quarter(item: Object) -> str:
    return f"{'top' if item.y < 0.5 else 'bottom'} {'left' if item.x < 0.5 else 'right'}"
