"""The classes of a dataset, matched with those of a network.

A dataset numbers its classes in its own way, and so does a network. `matched` brings them together
by name, WordNet id or index, or raises an error that says why that is impossible.
"""

from collections import defaultdict
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING

from timm.data import ImageNetInfo

from .checks import check_data

if TYPE_CHECKING:  # `data` imports this module
    from .data import Dataset

_SHOWN = 3  # names of a dataset's classes in an error message


# ImageNet ----------------------------------------------------------------------------------------


@cache
def imagenet_indices() -> dict[str, int]:
    """The class index of each of the 1000 WordNet ids, as networks are trained with it."""
    return {wnid: index for index, wnid in enumerate(ImageNetInfo().label_names())}


@cache
def imagenet_descriptions() -> tuple[str, ...]:
    """The synonyms of each of the 1000 classes, separated by commas: "tench, Tinca tinca"."""
    return tuple(ImageNetInfo().label_descriptions())


@cache
def imagenet_names() -> tuple[str, ...]:
    """The first name of each class; two names are shared by two classes (crane, maillot)."""
    return tuple(names.partition(",")[0] for names in imagenet_descriptions())


# Matching ----------------------------------------------------------------------------------------


def matched(data: "Dataset", net) -> "Dataset":
    """The dataset with its targets numbered as the network numbers its classes; nothing is decoded.

    The dataset's classes may be the network's own, WordNet ids (for ImageNet networks), names or
    indices. Names may be in any case, with "_" or "-" for a space; for ImageNet networks any
    synonym will do. If the classes are none of these, but as many as the network has, they are
    numbered in their order, as torchvision's ImageFolder numbers folders. Images without a class
    stay without one, and for a backbone, which has no classes, the dataset is unchanged.

    Args:
        net: a `Classifier`, or any object with `name`, `num_classes` and, if known, the names of
            its `classes`.

    Raises:
        ValueError: `data` is not a dataset, a class is not one of the network's, or a name stands
            for two classes.

    Example:
        >>> data = load("folder", root="pets")  # with the folders golden_retriever and tabby_cat
        >>> [net.classes[target] for target in matched(data, net).targets]
        ['golden retriever', 'tabby, tabby cat']
    """
    check_data(data)
    if not net.num_classes or all(target is None for target in data.targets):
        return data
    if data.classes is None:
        return _in_range(data, net)
    known = getattr(net, "classes", None)
    names = imagenet_names() if _is_imagenet(known) else known
    if data.classes in (known, names):
        return data
    places = [_places(name, known) for name in data.classes]
    indices = _by_wordnet_id(data, known) or _by_name(data, net, places) or _by_index(data, net)
    if indices:
        targets = tuple(None if target is None else indices[target] for target in data.targets)
        found = data if targets == data.targets else data.relabelled(targets)
        return replace(found, classes=names)
    # A name that both know at different places shows that the order is not the network's.
    in_order = all(i in found for i, found in enumerate(places) if found)
    if len(data.classes) == net.num_classes and in_order:
        return data
    raise _unmatched(data, net, places)


def _in_range(data: "Dataset", net) -> "Dataset":
    """The dataset, whose targets are numbers without names; an error if one is out of range."""
    for target in data.targets:
        if target is not None and not 0 <= target < net.num_classes:
            raise ValueError(
                f"class {target} of {data.name} is none of {net.name}, whose classes are 0 to "
                f"{net.num_classes - 1}: give the network of these classes, or images without them"
            )
    return data


def _by_wordnet_id(data: "Dataset", known: tuple[str, ...] | None) -> list[int] | None:
    indices = [imagenet_indices().get(name) for name in data.classes]
    return indices if _is_imagenet(known) and None not in indices else None


def _by_name(data: "Dataset", net, places: list[tuple[int, ...]]) -> list[int] | None:
    if not all(places):
        return None
    for name, found in zip(data.classes, places, strict=True):
        if len(found) > 1:
            raise _ambiguous(name, found, data, net)
    return [index for (index,) in places]


def _by_index(data: "Dataset", net) -> list[int] | None:
    """The indices after which folders are named; the digits of other datasets do not count."""
    if data.name != "folder" or not all(name.isdecimal() for name in data.classes):
        return None
    indices = [int(name) for name in data.classes]
    return indices if max(indices) < net.num_classes else None


def _is_imagenet(known: tuple[str, ...] | None) -> bool:
    return known == imagenet_descriptions()


# Names -------------------------------------------------------------------------------------------


def _places(name: str, known: tuple[str, ...] | None) -> tuple[int, ...]:
    """The indices of the classes with this first name or description, or else with this synonym."""
    if known is None:
        return ()
    first, synonyms = _index(known)
    plain = _plain(name)
    return tuple(sorted(first.get(plain) or synonyms.get(plain) or ()))


@cache
def _index(known: tuple[str, ...]) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """The classes by their first names and their whole descriptions, and by their synonyms."""
    first, synonyms = defaultdict(set), defaultdict(set)
    for index, description in enumerate(known):
        name, *others = description.split(",")
        for own in (name, description):
            first[_plain(own)].add(index)
        for other in others:
            synonyms[_plain(other)].add(index)
    return dict(first), dict(synonyms)


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


# Errors ------------------------------------------------------------------------------------------


def _ambiguous(name: str, found: tuple[int, ...], data: "Dataset", net) -> ValueError:
    wnids = list(imagenet_indices())
    imagenet = _is_imagenet(net.classes)
    choices = ", ".join(
        f"{wnids[i] if imagenet else i} ({net.classes[i]!r}, class {i})" for i in found
    )
    how = "WordNet ids" if imagenet else "class indices"
    return ValueError(
        f"the class {name!r} of {data.name} stands for {len(found)} classes of {net.name}: name "
        f"all folders by {how}, this one by one of {choices}"
    )


def _unmatched(data: "Dataset", net, places: list[tuple[int, ...]]) -> ValueError:
    names = ", ".join(data.classes[:_SHOWN]) + ", ..." * (len(data.classes) > _SHOWN)
    ways = f"indices (0 to {net.num_classes - 1})"
    if known := getattr(net, "classes", None):
        ways = f"class names or {ways}" + ", or by WordNet ids" * _is_imagenet(known)
    return ValueError(
        f"the classes of {data.name} ({len(data.classes)}: {names}) are not those of {net.name}, "
        f"which has {net.num_classes}{_stranger(data, known, places)}: name the folders by its "
        f"{ways}, or put all images into one folder, to explain them for their predicted classes, "
        "or give the network that knows these classes"
    )


def _stranger(data: "Dataset", known: tuple[str, ...] | None, places: list) -> str:
    """If the network knows some of the classes: the first that it does not, and a similar name."""
    others = [name for name, found in zip(data.classes, places, strict=True) if not found]
    if not others or not any(places):
        return ""
    close = get_close_matches(_plain(others[0]), [*_index(known)[0], *_index(known)[1]], n=1)
    return f" and no {others[0]!r}" + (f" (did you mean {close[0]!r}?)" if close else "")
