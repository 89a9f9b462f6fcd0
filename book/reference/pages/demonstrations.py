"""Computations that show an error of a paper, where the paper's own numbers do not show it alone."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from lib.annotated_supersets import table_a
from lib.metrics.adcc import Terms, adcc
from lib.wordnet import classes_below

ACCURACY = 0.761  # of ResNet50, as Opti-CAM's appendix C prints it


class Shown(NamedTuple):
    """Values for a sentence, by name; and an optional table under the sentence, with its headings."""

    values: dict[str, str]
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def least_energy(printed: Sequence[float]) -> Shown:
    """The least energy that a map of ones can have: the share of the largest box, from the LE of the map."""
    return Shown({"bound": f"{100 - printed[-1]:.1f}"})


def ends_of_adcc(printed: Sequence[float]) -> Shown:
    """ADCC of a map that is perfect, and of one that loses the class."""

    def of(coherency: float, complexity: float, drop: float) -> str:
        return f"{adcc(Terms(*map(torch.tensor, (coherency, complexity, drop)))):.0f}"

    return Shown({"best": of(1.0, 0.0, 0.0), "worst": of(1.0, 0.0, 1.0)})


def drop_of_misclassified(printed: Sequence[float]) -> Shown:
    """The AD over all images if only those that are misclassified lost anything."""
    least = (1 - ACCURACY) * printed[-1]
    return Shown({"accuracy": f"{100 * ACCURACY:.1f}", "least": f"{least:.1f}"})


def learning_rates(printed: Sequence[float]) -> Shown:
    """The printed range of learning rates, and the one that was meant."""
    decades = math.log10(5e-1 / 5e-5)
    return Shown({"low": f"{5**-5:.5f}", "high": f"{5**-1:.1f}", "decades": f"{decades:.0f}"})


def synsets_twice(printed: Sequence[float]) -> Shown:
    """The synsets that table A of CALM names twice."""
    counts = Counter(row.synset for row in table_a())
    names = {row.synset: row.name for row in table_a()}
    rows = tuple((synset, names[synset]) for synset, n in counts.items() if n > 1)
    values = {"rows": str(len(table_a())), "different": str(len(counts))}
    return Shown(values, ("synset", "name"), rows)


def synset_sizes(printed: Sequence[float]) -> Shown:
    """The rows of table A of CALM whose printed size is not that of WordNet 3.0."""
    listed = {row.synset: row for row in table_a()}
    off = [row for row in listed.values() if row.classes != len(classes_below(row.synset))]
    rows = tuple(
        (row.synset, row.name, str(row.classes), str(len(classes_below(row.synset)))) for row in off
    )
    values = {"same": str(len(listed) - len(off)), "different": str(len(listed))}
    return Shown(values, ("synset", "name", "printed", "in WordNet"), rows)


DEMONSTRATIONS: dict[str, Callable[[Sequence[float]], Shown]] = {
    of.__name__: of
    for of in (
        least_energy, ends_of_adcc, drop_of_misclassified, learning_rates, synsets_twice, synset_sizes,
    )
}  # fmt: skip
