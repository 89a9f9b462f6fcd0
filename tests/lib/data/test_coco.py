"""COCO 2014 in its own layout, a few images."""

import json
import pickle

import pytest

from lib.data import load

from ... import tiny_datasets
from ...tiny_datasets import instances, write_coco


@pytest.fixture
def coco(tmp_path):
    tiny_datasets.coco(tmp_path)
    return tmp_path


def test_a_sample_for_each_class_that_an_image_shows(coco):
    data = load("coco", root=coco)
    assert data.ids == (
        "COCO_val2014_000000000042:thing 1",
        "COCO_val2014_000000000009:thing 13",
        "COCO_val2014_000000000042:thing 90",
    )
    assert [sample.group[-2:] for sample in data] == ["42", "09", "42"]
    assert data[0].group == "COCO_val2014_000000000042"
    assert data[0].image.shape == (3, 224, 224) and data[0].question is None


def test_classes_are_numbered_by_increasing_category_id(coco):
    data = load("coco", root=coco)
    assert len(data.classes) == 80
    assert data.classes[:12] == tuple(f"thing {i}" for i in (*range(1, 12), 13))
    assert data.targets == (0, 11, 79)
    assert [data.classes[target] for target in data.targets] == ["thing 1", "thing 13", "thing 90"]


def test_boxes_get_their_far_corner(coco):
    boxes = {s.id[-11:]: s.boxes.tolist() for s in load("coco", root=coco, size=(10, 20))}
    assert boxes == {
        "42:thing 90": [[2.5, 1, 6.75, 4]],
        "042:thing 1": [[0, 0, 20, 10], [5, 5, 6, 7]],
        "09:thing 13": [[4, 2, 20, 10]],
    }


def test_boxes_follow_the_resizing(coco):
    assert load("coco", root=coco, size=(30, 10))[1].boxes.tolist() == [[2, 6, 10, 30]]


def test_crowds_are_left_out(coco):
    data = load("coco", root=coco)
    assert len(data[0].boxes) == 2, "the crowd's box is not among them"
    assert 1 not in data.targets, "of class 1 there is only a crowd"


def test_the_training_split_and_images_in_a_folder_of_their_own(coco):
    write_coco(coco, "train", instances("train", [(5, 3, 0, 1.0, 1.0, 2.0, 2.0)]), images="images")
    data = load("coco", root=coco, split="train")
    assert data.ids == ("COCO_train2014_000000000005:thing 3",)
    assert data[0].target == 2


def test_limit(coco):
    assert load("coco", root=coco, limit=2).targets == (0, 11)


def test_it_is_picklable_and_fingerprints_differ(coco):
    data = load("coco", root=coco)
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data and copy[1].boxes.equal(data[1].boxes)
    assert len({data.fingerprint(i) for i in range(3)}) == 3, "also where the image is the same"


REMEDY = r"instances_<split>2014.json.*val2014.zip.*cocodataset.org"


def test_a_missing_root_annotation_or_folder_says_how_to_get_it(coco, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"(?s)absent.*{REMEDY}"):
        load("coco", root=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at .*instances_train2014.*{REMEDY}"):
        load("coco", root=coco, split="train")
    (coco / "val2014").rename(coco / "pictures")
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {coco / 'val2014'}.*{REMEDY}"):
        load("coco", root=coco)


def test_missing_images_are_named(coco):
    (coco / "val2014/COCO_val2014_000000000077.jpg").unlink()
    assert len(load("coco", root=coco)) == 3, "an image that shows nothing is not needed"
    (coco / "val2014/COCO_val2014_000000000009.jpg").unlink()
    message = f"(?s)val2014 lacks 1 of 2 files, such as COCO_val2014_000000000009.jpg.*{REMEDY}"
    with pytest.raises(FileNotFoundError, match=message):
        load("coco", root=coco)


def without(mapping, key):
    del mapping[key]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda content: without(content, "categories"), "no key 'categories'"),
        (lambda content: content["categories"].pop(), "79 categories instead of COCO's 80"),
        (lambda content: without(content["annotations"][0], "bbox"), "no key 'bbox'"),
        (lambda content: content["annotations"][0].update(bbox=[1, 2]), "unpack"),
        (lambda content: content["annotations"][0].update(bbox=None), "None"),
        (lambda content: content["annotations"][0].update(category_id=12), "no key 12"),
        (lambda content: content["annotations"][0].update(image_id=1), "no key 1"),
    ],
)
def test_malformed_annotations_are_named(coco, damage, problem):
    path = coco / "annotations/instances_val2014.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"cannot read {path}: .*{problem}"):
        load("coco", root=coco)


@pytest.mark.parametrize("text", ["", "[]", '{"images": [', "\x00"])
def test_a_file_that_is_cut_or_no_json_is_named(coco, text):
    path = coco / "annotations/instances_val2014.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"cannot read {path}: .*take the file anew"):
        load("coco", root=coco)
