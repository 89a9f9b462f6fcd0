"""Matching the classes of a dataset with those of a network, rule by rule."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest

from lib.classes import imagenet_descriptions, imagenet_indices, imagenet_names, matched
from lib.data import Dataset, load

ANIMALS = ("zebra", "Ant", "black bear, Ursus americanus")


@dataclass(frozen=True)
class Label:
    """A record without an image, since matching decodes none."""

    id: str
    target: int | None


def dataset(*classes, targets=None):
    """A dataset of these classes, by default with one image per class."""
    targets = range(len(classes)) if targets is None else targets
    records = tuple(Label(f"{i}", target) for i, target in enumerate(targets))
    return Dataset("folder", records, (4, 4), classes or None)


def network(classes=ANIMALS, num_classes=None):
    num_classes = num_classes or len(classes)
    return SimpleNamespace(name="mine", num_classes=num_classes, classes=classes)


IMAGENET = network(imagenet_descriptions())


def check(data, net, targets, classes):
    """Check the matched dataset, and that matching it again changes nothing."""
    found = matched(data, net)
    assert found.targets == targets and found.classes == classes
    assert found.ids == data.ids
    assert matched(found, net) is found


def test_classes_are_those_of_the_trained_networks():
    assert len(imagenet_indices()) == len(imagenet_names()) == len(imagenet_descriptions()) == 1000
    assert imagenet_indices()["n01440764"] == 0 and imagenet_names()[0] == "tench"
    assert imagenet_indices()["n02123045"] == 281 and imagenet_names()[281] == "tabby"
    assert imagenet_descriptions()[281] == "tabby, tabby cat"
    assert imagenet_indices()["n15075141"] == 999 and imagenet_names()[999] == "toilet tissue"


def test_images_without_a_class_stay_so():
    for data in (dataset(targets=[None, None]), dataset("a", "b", targets=[None])):
        assert matched(data, network()) is data


@pytest.mark.parametrize(
    ("net", "classes"),
    [(network(), ANIMALS), (IMAGENET, imagenet_names()), (IMAGENET, imagenet_descriptions())],
)
def test_the_networks_own_classes_stay_as_they_are(net, classes):
    data = dataset(*classes, targets=[2, 0, None])
    assert matched(data, net) is data


@pytest.mark.parametrize("name", ["birds", "scenes", "scene_questions"])
def test_drawn_images_and_their_own_networks_stay_as_they_are(name):
    data = load(name, limit=30)
    for classes in (data.classes, None):
        net = network(classes, num_classes=len(data.classes))
        assert matched(data, net) is data


def test_wordnet_ids():
    data = dataset("n02123045", "n15075141", targets=[1, 0, None, 1])
    check(data, IMAGENET, (999, 281, None, 999), imagenet_names())


def test_wordnet_ids_are_for_networks_of_imagenet():
    with pytest.raises(ValueError, match=r"classes of folder \(2: n02123045, n15075141\)"):
        matched(dataset("n02123045", "n15075141"), network(None, num_classes=1000))


def test_names_in_another_order_and_spelling():
    data = dataset("ANT", "Black_Bear", "zebra", targets=[0, 1, 2, 2])
    check(data, network(), (1, 2, 0, 0), ANIMALS)


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("tabby-cat", 281),
        ("Tinca tinca", 0),
        ("partridge", 86),  # a synonym of the ruffed grouse too
        ("man_eating__shark", 2),
        ("tank suit", 639),
        ("tabby, tabby cat", 281),
    ],
)
def test_any_synonym_will_do_and_first_names_come_first(name, index):
    check(dataset("tench", name, targets=[0, 1]), IMAGENET, (0, index), imagenet_names())


def test_two_names_of_one_class_are_one_class():
    check(dataset("tabby", "tabby_cat"), IMAGENET, (281, 281), imagenet_names())


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("crane", r"n02012849 \('crane', class 134\), n03126707 \('crane', class 517\)"),
        ("Maillot", r"n03710637 \(.*class 638\), n03710721 \(.*class 639\)"),
        ("panther", "class 286.*class 290"),
    ],
)
def test_a_name_of_two_classes_asks_for_wordnet_ids(name, choices):
    message = (
        f"class '{name}' of folder stands for 2 classes of mine: .* by WordNet ids, .*{choices}"
    )
    with pytest.raises(ValueError, match=message):
        matched(dataset("tench", name), IMAGENET)


def test_a_name_of_two_classes_of_another_network_asks_for_indices():
    with pytest.raises(ValueError, match=r"by class indices, .* 0 \('Ant', class 0\), 2 \('ant'"):
        matched(dataset("ant"), network(("Ant", "bee", "ant")))


def test_indices():
    data = dataset("007", "2", "999", targets=[0, 1, 2, None])
    check(data, IMAGENET, (7, 2, 999, None), imagenet_names())
    check(data, network(None, num_classes=1000), (7, 2, 999, None), None)
    check(dataset("2", "0"), network(), (2, 0), ANIMALS)


def test_classes_that_are_numbered_alike_get_their_names():
    data = dataset("0", "1", "2")
    assert matched(data, network()).records is data.records
    check(data, network(), (0, 1, 2), ANIMALS)


def test_names_that_are_digits_are_names_first():
    check(dataset("1", "0", "2"), network(("2", "1", "0")), (1, 2, 0), ("2", "1", "0"))


def test_as_many_other_classes_are_numbered_in_their_order():
    data = dataset("Ameise", "Bär", "Zebra ", targets=[2, 0, 1])
    for net in (network(("a", "b", "c")), network(None, num_classes=3)):
        assert matched(data, net) is data
    data = dataset("1", "10", "2")  # numbers from 1, in the order of the folders' names
    assert matched(data, network(None, num_classes=3)) is data


def test_a_name_at_another_place_shows_that_the_order_is_not_the_networks():
    with pytest.raises(ValueError, match=r"which has 3 and no 'zebr' \(did you mean 'zebra'\?\)"):
        matched(dataset("ant", "black bear", "zebr"), network())
    data = dataset("zebr", "ant", "black bear")  # the other names are at their places
    assert matched(data, network()) is data


def test_targets_without_names():
    data = dataset(targets=[2, None, 0])
    assert matched(data, network()) is data
    message = "class 3 of folder is none of mine, whose classes are 0 to 2: give the network"
    with pytest.raises(ValueError, match=message):
        matched(dataset(targets=[0, 3]), network())


def test_other_classes_are_an_error_that_says_what_to_do():
    message = (
        r"the classes of folder \(4: cat, dog, ant, \.\.\.\) are not those of mine, which has 3 and "
        r"no 'cat'.*: name the folders by its class names or indices \(0 to 2\), or put all "
        "images into one folder, .* predicted classes, or give the network that knows these "
        "classes$"
    )
    with pytest.raises(ValueError, match=message):
        matched(dataset("cat", "dog", "ant", "eel"), network())
    with pytest.raises(ValueError, match=r"1000: .* class names or indices .*, or by WordNet ids,"):
        matched(dataset("quark", "gluon"), IMAGENET)
    with pytest.raises(ValueError, match=r"\(2: 3, 12\) .* has 7: name the folders by its indices"):
        matched(dataset("3", "12"), network(None, num_classes=7))


def test_a_network_need_not_say_its_classes():
    net = SimpleNamespace(name="bare", num_classes=2)
    data = dataset("a", "b")
    assert matched(data, net) is data


def test_labels_of_what_was_matched_are_the_networks():
    data = replace(dataset("n02123045"), name="folder")
    assert matched(data, IMAGENET).labels == ("tabby",)


def test_the_digits_of_another_dataset_are_no_indices_of_a_network():
    digits = replace(dataset("0", "1"), name="mnist")
    with pytest.raises(ValueError, match="the classes of mnist"):
        matched(digits, IMAGENET)
