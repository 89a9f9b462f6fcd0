"""The supersets of CALM: classes whose objects share a structure, such as all birds, so that
together their maps cover an object (CALM supplement, appendix F)."""

from functools import cache
from typing import NamedTuple

import yaml

from . import manifests
from .classes import imagenet_descriptions
from .data import Dataset
from .errors import unknown
from .paths import MANIFESTS
from .wordnet import paths, wordnet_ids

NESTED = ("nearest", "outermost")
Supersets = tuple[
    frozenset[int], ...
]  # for each class the classes of its superset, including itself


def supersets(net, data: Dataset) -> Supersets:
    r"""The superset $\mathcal{Y}$ of each of a network's classes.

    For a network with ImageNet's classes they are the supersets of table A. If all objects of the
    data share a structure, as CUB's birds do, the superset is all classes. Otherwise each class is
    its own superset.

    Example:
        >>> S = explain("calm", net, x, target, superset=supersets(net, data))
    """
    if net.classes == imagenet_descriptions():
        return imagenet_supersets()
    if data.name in _annotation()["one_structure"]:
        return (frozenset(range(net.num_classes)),) * net.num_classes
    return tuple(frozenset({c}) for c in range(net.num_classes))


class Printed(NamedTuple):
    """A row of table A: the synset, the printed number of its classes, and its name."""

    synset: str
    classes: int
    name: str


@cache
def table_a() -> tuple[Printed, ...]:
    """The 120 rows of table A, down its columns; two synsets occur twice."""
    return tuple(Printed(**row) for row in _annotation()["table_a"])


@cache
def imagenet_supersets(nested: str = "nearest") -> tuple[frozenset[int], ...]:
    r"""The superset $\mathcal{Y}$ of each of the 1,000 classes by table A, or the class alone.

    Args:
        nested: which concept of the table a class belongs to, if several are above it: the
            "nearest", the fewest steps away, since the table lists pianos beside stringed
            instruments; or the "outermost", which a breadth-first search from the root marks first
            (appendix F). Ties go to the first in the table.

    Example:
        >>> len(imagenet_supersets()[151])  # a Chihuahua's: all canines
        130
    """
    owners = [owner(index, nested) for index in range(len(wordnet_ids()))]
    members: dict[str | None, set[int]] = {}
    for index, synset in enumerate(owners):
        members.setdefault(synset, set()).add(index)
    return tuple(frozenset(members[s] if s else {i}) for i, s in enumerate(owners))


def owner(index: int, nested: str = "nearest") -> str | None:
    """The concept of table A to whose superset a class belongs; None for a class without one.

    Args:
        nested: as for `imagenet_supersets`.

    Example:
        >>> owner(151)  # a Chihuahua's: canine
        'n02083346'
    """
    if nested not in NESTED:
        raise unknown("way of nested supersets", nested, NESTED)
    listed = _listed()
    steps: dict[str, int] = {}  # from the class, or from the root, along the shortest path
    for path in paths(wordnet_ids()[index]):
        for synset, up, down in zip(path, range(len(path)), reversed(range(len(path)))):
            if synset in listed:
                n = up if nested == "nearest" else down
                steps[synset] = min(n, steps.get(synset, n))
    return min(steps, key=lambda synset: (steps[synset], listed.index(synset)), default=None)


@cache
def _listed() -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.synset for row in table_a()))


@cache
def _annotation() -> dict:
    with (MANIFESTS / "supersets.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, manifests.StrictLoader)
