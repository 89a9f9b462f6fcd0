"""The looks of bird species, part by part, and the parts that tell two species apart."""

from collections.abc import Mapping

from lib.data import Dataset
from lib.data.cub import part_attributes
from lib.metrics.parts import PARTS
from testbeds.birds import ATTRIBUTES

Looks = Mapping[int, Mapping[str, str]]  # the look of each part, by class


def looks_of(images: Dataset, root: str = "") -> Looks:
    """The look of each part of each class.

    Args:
        root: the folder of CUB's files; empty for the folder that its manifest names.

    Raises:
        ValueError: a dataset whose attributes are not known.

    Example:
        >>> looks_of(data.load("birds"))[0]["crown"]
    """
    if images.name == "birds":
        return {c: ATTRIBUTES[name] for c, name in enumerate(images.classes)}
    if images.name == "cub":
        return part_attributes(root or None)
    raise ValueError(
        f"this page needs the attributes of parts, which are not known for {images.name}: give dataset birds or cub"
    )


def telling(looks: Looks, a: int, b: int) -> tuple[str, ...]:
    """The parts that tell two classes apart, in CUB's order."""
    return tuple(part for part in PARTS if looks[a][part] != looks[b][part])
