"""The looks of species, and the parts that tell them apart."""

import pytest

from book.species import looks_of, telling
from lib import data
from lib.metrics.parts import PARTS
from testbeds.birds import differing_parts


def test_what_tells_drawn_birds_apart():
    birds = data.load("birds", limit=24)
    looks = looks_of(birds)
    assert looks.keys() == set(range(24)) and all(
        look.keys() == set(PARTS) for look in looks.values()
    )
    for a, b in ((0, 1), (3, 17), (5, 5)):
        told = telling(looks, a, b)
        assert set(told) == set(differing_parts(birds.classes[a], birds.classes[b]))
        assert told == telling(looks, b, a)


def test_a_dataset_of_other_things_is_refused():
    with pytest.raises(ValueError, match="not known for scenes: give dataset birds or cub"):
        looks_of(data.load("scenes", limit=2))
