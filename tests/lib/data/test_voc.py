"""PASCAL VOC 2007 in its own layout, a few images."""

import pickle
import shutil

import pytest

from lib.data import load
from lib.data.voc import CLASSES

from ... import tiny_datasets


@pytest.fixture
def voc(tmp_path):
    """The folder that holds VOCdevkit."""
    tiny_datasets.voc(tmp_path)
    return tmp_path


def test_classes_are_in_alphabetical_order():
    assert len(CLASSES) == 20 and list(CLASSES) == sorted(CLASSES)
    assert (CLASSES[0], CLASSES[14], CLASSES[19]) == ("aeroplane", "person", "tvmonitor")


def test_a_sample_for_each_class_that_an_image_shows(voc):
    data = load("voc", root=voc)
    assert data.ids == ("000001:dog", "000004:dog", "000004:person"), "sorted by class"
    assert data.targets == (11, 11, 14)
    assert data.classes == CLASSES
    assert [sample.group for sample in data] == ["000001", "000004", "000004"]
    assert data[0].image.shape == (3, 224, 224) and data[0].question is None


def test_boxes_become_half_open_from_zero(voc):
    boxes = {s.id: s.boxes.tolist() for s in load("voc", root=voc, size=(10, 20))}
    assert boxes == {
        "000001:dog": [[4, 4, 20, 10]],
        "000004:dog": [[2, 1, 6, 5]],
        "000004:person": [[0, 0, 20, 10], [10, 5, 11, 6]],
    }


def test_boxes_follow_the_resizing(voc):
    sample = load("voc", root=voc, size=(30, 10))[1]
    assert sample.boxes.tolist() == [[1, 3, 3, 15]]


def test_difficult_objects_are_left_out(voc):
    data = load("voc", root=voc)
    assert len(data[2].boxes) == 2, "of three persons one is difficult"
    assert "000001:car" not in data.ids, "the only car is difficult"
    assert not any(name.startswith("000002") for name in data.ids)


@pytest.mark.parametrize(
    ("split", "ids"),
    [
        (None, ("000001:dog", "000004:dog", "000004:person")),
        ("trainval", ("000007:car", "000005:chair")),
        ("train", ("000005:chair",)),
        ("val", ("000007:car",)),
    ],
)
@pytest.mark.parametrize("root", [".", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_every_split_from_every_root(voc, root, split, ids):
    assert load("voc", root=voc / root, split=split).ids == ids


def test_limit_spreads_over_the_classes(voc):
    assert load("voc", root=voc, limit=2).ids == ("000001:dog", "000004:dog")
    assert load("voc", root=voc, split="trainval", limit=1).ids == ("000007:car",)


def test_two_classes_of_one_image_differ_in_fingerprint(voc, tmp_path):
    data = load("voc", root=voc)
    assert len({data.fingerprint(i) for i in range(3)}) == 3
    shutil.copytree(voc / "VOCdevkit", tmp_path / "elsewhere/VOCdevkit")
    copy = load("voc", root=tmp_path / "elsewhere")
    assert [copy.fingerprint(i) for i in range(3)] == [data.fingerprint(i) for i in range(3)]


def test_it_is_picklable(voc):
    data = load("voc", root=voc)
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data and copy[1].boxes.equal(data[1].boxes)


def test_a_missing_root_or_split_says_how_to_get_it(voc, tmp_path):
    remedy = r"ImageSets/Main/<split>.txt.*VOCtest_06-Nov-2007.tar"
    (tmp_path / "empty").mkdir()
    for root in (tmp_path / "absent", tmp_path / "empty"):
        with pytest.raises(FileNotFoundError, match=f"(?s){root}.*{remedy}"):
            load("voc", root=root)
    (voc / "VOCdevkit/VOC2007/ImageSets/Main/test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at .*Main/test.txt.*{remedy}"):
        load("voc", root=voc)


@pytest.mark.parametrize("file", ["JPEGImages/000004.jpg", "Annotations/000004.xml"])
def test_a_missing_file_is_named(voc, file):
    path = voc / "VOCdevkit/VOC2007" / file
    path.unlink()
    message = f"(?s){path.parent} lacks 1 of 3 files, such as {path.name}.*VOCtest_06-Nov-2007"
    with pytest.raises(FileNotFoundError, match=message):
        load("voc", root=voc)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("</annotation>", "", "no element found"),
        (">dog<", ">wolf<", "unknown class 'wolf'.*valid: aeroplane"),
        ("<name>dog</name>", "", "unknown class None"),
        ("<xmin>3</xmin>", "", "float"),
        ("<xmin>3</xmin>", "<xmin>three</xmin>", "could not convert string to float: 'three'"),
    ],
)
def test_a_malformed_annotation_is_named(voc, old, new, problem):
    path = voc / "VOCdevkit/VOC2007/Annotations/000004.xml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=f"cannot read {path}: {problem}"):
        load("voc", root=voc)


def test_images_are_not_decoded_until_asked_for(voc):
    (voc / "VOCdevkit/VOC2007/JPEGImages/000001.jpg").write_text("no image")
    data = load("voc", root=voc)
    with pytest.raises(ValueError, match="000001.jpg"):
        data[0]
    assert data[1].target == 11
