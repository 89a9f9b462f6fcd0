"""Supersets of classes with one structure."""

from collections import Counter
from types import SimpleNamespace

import pytest

from lib import data
from lib.annotated_supersets import NESTED, imagenet_supersets, supersets, table_a
from lib.classes import imagenet_descriptions, imagenet_indices
from lib.errors import UnknownName
from lib.wordnet import classes_below, synsets, wordnet_ids

PIANO, STRINGED, UNGULATE = "n03928116", "n04338517", "n02370806"


def test_the_rows_of_table_a():
    assert len(table_a()) == 120
    twice = {synset for synset, n in Counter(row.synset for row in table_a()).items() if n > 1}
    assert twice == {"n03990474", "n03997484"}
    differing = {row.synset for row in table_a() if row.classes != len(classes_below(row.synset))}
    assert differing == {"n02083346", "n01503061", "n02913152", "n02778669", "n02120997", "n02686568",
                         "n03953020", "n04490091", "n04338517", "n04194289", "n03932670"}  # fmt: skip
    assert sum(row.classes == 1 for row in table_a()) == 0


@pytest.mark.parametrize("nested", NESTED)
def test_supersets_partition_the_classes(nested):
    found = imagenet_supersets(nested)
    assert len(found) == 1000
    for index, superset in enumerate(found):
        assert index in superset
        assert all(found[other] == superset for other in superset)
    listed = {one for row in table_a() for one in classes_below(row.synset)}
    assert {i for i, superset in enumerate(found) if len(superset) > 1} <= listed


def test_nested_supersets_by_both_rules():
    near, outer = (imagenet_supersets(nested) for nested in NESTED)
    grand = imagenet_indices()["n03452741"]
    assert near[grand] == classes_below(PIANO) and outer[grand] == classes_below(STRINGED)
    ox = imagenet_indices()["n02403003"]
    assert len(near[ox]) == 9 and outer[ox] == classes_below(UNGULATE)
    minivan, beach_wagon = imagenet_indices()["n03770679"], imagenet_indices()["n02814533"]
    assert near[minivan] == near[beach_wagon]  # car is one step away, truck three


def test_the_nearest_level_by_level():
    listed = list(dict.fromkeys(row.synset for row in table_a()))
    owners = []
    for wnid in wordnet_ids():
        level = {wnid}
        while level and not level & set(listed):  # go one step up, along all hypernyms
            level = {above for one in level for above in synsets()[one].hypernyms}
        owners.append(min(level & set(listed), key=listed.index, default=None))
    for index, superset in enumerate(imagenet_supersets()):
        mates = {i for i, owner in enumerate(owners) if owner == owners[index]}
        assert superset == (mates if owners[index] else {index})


def test_the_supersets_of_a_network():
    net = SimpleNamespace(classes=imagenet_descriptions(), num_classes=1000)
    photographs = data.load("imagenet_embedded", limit=2)
    assert supersets(net, photographs) == imagenet_supersets()
    birds, scenes = (data.load(name, limit=2) for name in ("birds", "scenes"))
    net = SimpleNamespace(classes=birds.classes, num_classes=24)
    assert supersets(net, birds) == (frozenset(range(24)),) * 24
    net = SimpleNamespace(classes=scenes.classes, num_classes=10)
    assert supersets(net, scenes) == tuple(frozenset({c}) for c in range(10))


def test_an_unknown_rule_is_refused():
    with pytest.raises(
        UnknownName, match="way of nested supersets 'first'; valid: nearest, outermost"
    ):
        imagenet_supersets("first")
