"""What pages and sections need, and the sentence where it is missing."""

import pytest

from book.needs import ANNOTATIONS, PROPERTIES, annotated, meet, remedy
from lib import data, nets
from lib.errors import UnknownName


@pytest.fixture(scope="module")
def photographs():
    return data.load("imagenet_embedded", limit=3)


@pytest.fixture(scope="module")
def lite():
    return nets.load("tf_efficientnet_lite0", weights="random")


def test_what_there_is_is_met(lite, photographs):
    assert meet(lite, photographs, ["boxes", "an affine head"]) == (photographs, "")
    assert meet(lite, photographs, []) == (photographs, "")


def test_what_is_missing_is_said(lite, photographs):
    for need, why in {
        "a class token": "tf_efficientnet_lite0 has no class token that its classifier reads",
        "a head that is not affine": "the head of tf_efficientnet_lite0 is affine",
        "parts": "no image of imagenet_embedded has annotated parts",
    }.items():
        none, said = meet(lite, photographs, [need])
        assert (len(none), said) == (0, why)


def test_a_transformer_has_a_class_token(photographs):
    net = nets.load("vit_tiny_patch16_224", weights="random")
    assert meet(net, photographs, ["a class token"]) == (photographs, "")
    cut = nets.load("tf_efficientnet_lite0", weights="random", layer="blocks.5")
    assert "is not affine" in meet(cut, photographs, ["an affine head"])[1]


def test_only_the_annotated_images_are_left(tmp_path, photographs):
    for sample, record in zip(photographs, photographs.records):
        (tmp_path / record.path.name).write_bytes(record.path.read_bytes())
    first = photographs.records[0].path.name
    (tmp_path / "boxes.csv").write_text(f"image,x0,y0,x1,y1\n{first},1,2,30,40\n")
    some, why = annotated(data.load("folder", root=tmp_path), "boxes")
    assert (some.ids, why) == ((first,), "")


def test_unknown_needs_are_refused(lite, photographs):
    with pytest.raises(UnknownName, match="unknown need 'box'.*did you mean 'boxes'"):
        meet(lite, photographs, ["box"])


def test_each_need_has_a_remedy():
    for need in [*ANNOTATIONS, *PROPERTIES]:
        assert len(remedy(need)) > 20
    assert "imagenet_embedded" in remedy("boxes") and "boxes.csv" in remedy("boxes")
    assert "vit_base_patch16_224" in remedy("a class token") and "vqa" in remedy("question")


@pytest.mark.parametrize("name", [n for n, e in data.DATASETS.items() if "generator" in e["source"]])
def test_manifests_say_which_annotations_there_are(name):
    found = {need for record in data.load(name, limit=20).records for need in record.annotated}
    assert found == {*data.DATASETS[name]["annotations"]}
