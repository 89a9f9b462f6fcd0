"""ImageNet's classes as a picture, and as a list to search."""

import re

from book import hierarchy
from lib.annotated_supersets import imagenet_supersets
from lib.wordnet import classes_below, genealogy, wordnet_ids


def every(node):
    return [node, *(one for child in node.below for one in every(child))]


def test_each_class_is_one_leaf_and_lies_below_its_concepts():
    root = hierarchy.tree()
    nodes = every(root)
    leaves = [node for node in nodes if not node.below]
    assert sorted(node.classes[0] for node in leaves) == list(range(1000))
    for node in nodes:
        if node.below:
            assert len(node.below) > 1
            assert node.classes == tuple(i for child in node.below for i in child.classes)
            assert set(node.classes) <= classes_below(node.synset)
            assert all(child.depth == node.depth + 1 for child in node.below)
            assert all(node.synset in genealogy(i) for i in node.classes)
        else:
            assert node.synset == wordnet_ids()[node.classes[0]]


def test_the_picture_has_a_bar_for_each_concept_and_names_no_two_at_one_place():
    root, supersets = hierarchy.tree(), imagenet_supersets()
    [ax] = hierarchy.icicle(root, supersets).axes
    assert len(ax.patches) == len(every(root))
    top = [patch for patch in ax.patches if patch.get_width() == 1]
    grey = sum(patch.get_facecolor() == (201 / 255, 201 / 255, 210 / 255, 1) for patch in top)
    assert grey == sum(len(superset) == 1 for superset in supersets)
    assert "canine" in [text.get_text() for text in ax.texts]


def test_the_list_has_every_class_once_and_says_whose_superset_it_shares():
    html = hierarchy.Search(hierarchy.tree(), imagenet_supersets())._repr_html_()
    assert html.count('class="leaf"') == 1000
    assert html.count("<details") == html.count("</details>")
    assert "151: Chihuahua (n02085620)" in html and "with 129 others" in html
    assert re.search(r"<strong>canine \(n02083346\), 130</strong>", html)
    assert "'" not in html.partition('oninput="')[2].partition('"')[0].replace("&#x27;", "")
