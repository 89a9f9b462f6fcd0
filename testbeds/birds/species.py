"""The birds of the test bed: families, their species, and the look of every part of each.

An attribute is written as `[shape] colour [pattern colour]`, such as "forked brown barred white".
The species of a family share all attributes except those listed with their names. The two eyes,
legs and wings of a bird are alike.
"""

from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from lib.data import Sample

PARTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left_eye", "left_leg", "left_wing"),
    *("nape", "right_eye", "right_leg", "right_wing", "tail", "throat"),
)

# OKLCH: lightness, chroma, hue
COLOURS = {
    "black": (0.27, 0.015, 260),
    "slate": (0.45, 0.035, 255),
    "grey": (0.66, 0.012, 240),
    "white": (0.95, 0.012, 95),
    "buff": (0.84, 0.065, 78),
    "brown": (0.47, 0.065, 55),
    "rufous": (0.55, 0.13, 44),
    "red": (0.55, 0.2, 27),
    "orange": (0.72, 0.165, 56),
    "yellow": (0.87, 0.165, 97),
    "olive": (0.6, 0.095, 115),
    "teal": (0.58, 0.1, 200),
    "blue": (0.56, 0.135, 252),
    "pink": (0.74, 0.085, 22),
}
PATTERNS = ("barred", "masked", "ringed", "spotted", "striped")
SHAPES = {
    "beak": ("conical", "dagger", "hooked", "short", "thin"),
    "crown": ("crested",),
    "tail": ("fan", "forked", "notched", "square"),
}


class Attribute(NamedTuple):
    """The look of a part; `shape` and `pattern` may be empty, `second` is the pattern's colour."""

    colour: str
    pattern: str = ""
    second: str = ""
    shape: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.shape, self.colour, self.pattern, self.second)))


def attribute(words: str) -> Attribute:
    """Read an attribute.

    Example:
        >>> attribute("forked brown barred white")
        Attribute(colour='brown', pattern='barred', second='white', shape='forked')
    """
    first, *rest = words.split()
    return Attribute(first, *rest) if first in COLOURS else Attribute(*rest, shape=first)


_SPECIES = {
    "finch": (
        dict(
            back="brown striped black",
            beak="conical grey",
            belly="white",
            breast="buff",
            crown="brown",
            eye="black",
            forehead="brown",
            leg="pink",
            nape="brown",
            tail="notched brown",
            throat="buff",
            wing="brown barred white",
        ),
        {
            "plain finch": {},
            "red-capped finch": {"crown": "red"},
            "streaked finch": {"breast": "buff striped brown"},
            "bearded finch": {"crown": "red", "throat": "black"},
        },
    ),
    "warbler": (
        dict(
            back="olive",
            beak="thin black",
            belly="white",
            breast="yellow",
            crown="olive",
            eye="black",
            forehead="olive",
            leg="black",
            nape="olive",
            tail="square slate",
            throat="yellow",
            wing="slate",
        ),
        {
            "yellow-breasted warbler": {},
            "masked warbler": {"eye": "black masked black", "wing": "slate barred white"},
            "white-naped warbler": {"wing": "slate barred white", "nape": "white"},
            "bandit warbler": {
                "eye": "black masked black",
                "wing": "slate barred white",
                "nape": "white",
            },
        },
    ),
    "jay": (
        dict(
            back="blue",
            beak="dagger black",
            belly="white",
            breast="grey",
            crown="crested blue",
            eye="black",
            forehead="blue",
            leg="black",
            nape="blue",
            tail="fan blue barred black",
            throat="white",
            wing="blue barred white",
        ),
        {
            "crested jay": {},
            "smooth-headed jay": {"crown": "blue"},
            "collared jay": {"nape": "black", "throat": "black"},
            "banner-tailed jay": {"nape": "black", "tail": "fan blue"},
        },
    ),
    "kingfisher": (
        dict(
            back="teal",
            beak="dagger black",
            belly="orange",
            breast="orange",
            crown="teal",
            eye="black",
            forehead="teal",
            leg="red",
            nape="teal",
            tail="square teal",
            throat="white",
            wing="teal spotted white",
        ),
        {
            "orange-bellied kingfisher": {},
            "red-billed kingfisher": {"beak": "dagger red"},
            "white-bellied kingfisher": {"belly": "white", "back": "blue"},
            "ringed kingfisher": {"beak": "dagger red", "belly": "white", "breast": "white"},
        },
    ),
    "swallow": (
        dict(
            back="slate",
            beak="short black",
            belly="buff",
            breast="white",
            crown="slate",
            eye="black",
            forehead="slate",
            leg="black",
            nape="slate",
            tail="forked slate",
            throat="rufous",
            wing="slate",
        ),
        {
            "fork-tailed swallow": {},
            "rufous-fronted swallow": {"forehead": "rufous"},
            "square-tailed swallow": {"tail": "square slate", "throat": "white"},
            "dusky swallow": {"forehead": "rufous", "throat": "white", "breast": "grey"},
        },
    ),
    "falcon": (
        dict(
            back="rufous barred black",
            beak="hooked yellow",
            belly="buff barred black",
            breast="buff",
            crown="slate",
            eye="black ringed yellow",
            forehead="slate",
            leg="yellow",
            nape="slate",
            tail="fan slate barred white",
            throat="white",
            wing="rufous spotted black",
        ),
        {
            "buff-breasted falcon": {},
            "barred falcon": {"breast": "buff barred black"},
            "slate-winged falcon": {"wing": "slate", "nape": "white"},
            "slate-backed falcon": {"wing": "slate", "back": "slate"},
        },
    ),
}

FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(species) for family, (_, species) in _SPECIES.items()
}
CLASSES = tuple(name for species in FAMILIES.values() for name in species)
ATTRIBUTES: dict[str, dict[str, Attribute]] = {
    name: {
        part: attribute((common | own)[part.removeprefix("left_").removeprefix("right_")])
        for part in PARTS
    }
    for common, species in _SPECIES.values()
    for name, own in species.items()
}


def differing_parts(a: str, b: str) -> tuple[str, ...]:
    """The parts whose attributes differ between two species.

    Example:
        >>> differing_parts("plain finch", "red-capped finch")
        ('crown',)
    """
    return tuple(part for part in PARTS if ATTRIBUTES[a][part] != ATTRIBUTES[b][part])


def differing(sample: Sample, a: str, b: str) -> Tensor:
    """The visible pixels (H, W) of the parts that differ between two species of bird.

    Example:
        >>> differing(bird, "plain finch", "red-capped finch")  # its crown
    """
    seen = [sample.parts[part].mask for part in differing_parts(a, b) if part in sample.parts]
    return reduce(torch.logical_or, seen, torch.zeros(sample.image.shape[1:], dtype=torch.bool))
