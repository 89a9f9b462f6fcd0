"""The 20 embedded photographs: files, classes and boxes as the manifest says."""

import shutil
import sys

import pytest
import torch

from lib import manifests
from lib.data import DATASETS, load


@pytest.fixture
def copy(tmp_path):
    """A copy of the photographs that may be damaged."""
    source = manifests.locate(DATASETS["imagenet_embedded"])
    for name in DATASETS["imagenet_embedded"]["files"]:
        shutil.copy(source / name, tmp_path)
    return tmp_path


def test_all_photographs_are_there_and_verified():
    data = load("imagenet_embedded")
    assert len(data) == manifests.verify("imagenet_embedded").files == 20
    assert data.size == (224, 224)
    assert data.ids[0] == "imagenet_00_243"
    assert "foolbox" not in sys.modules, "the package's files are read without importing it"


def test_the_class_is_the_last_number_of_the_name():
    data = load("imagenet_embedded")
    assert data.targets == tuple(int(name.split("_")[2]) for name in data.ids)
    assert len(data.classes) == 1000
    assert data.classes[data.targets[0]] == "bull mastiff"
    assert data.classes[data.targets[-1]] == "dung beetle"


def test_images_and_boxes_at_two_sizes():
    small, large = load("imagenet_embedded", size=(64, 128)), load("imagenet_embedded", size=512)
    for a, b in zip(small, large, strict=True):
        assert a.image.shape == (3, 64, 128) and b.image.shape == (3, 512, 512)
        assert a.image.min() >= 0 and a.image.max() <= 1 and a.image.std() > 0.05
        assert len(b.boxes) >= 1
        assert (b.boxes[:, :2] >= 0).all() and (b.boxes[:, 2:] <= 512).all()
        assert (b.boxes[:, 2:] > b.boxes[:, :2]).all()
        assert torch.allclose(a.boxes, b.boxes * torch.tensor([1 / 4, 1 / 8, 1 / 4, 1 / 8]))


def test_boxes_are_those_of_the_table():
    data = load("imagenet_embedded", size=512)
    assert data[0].boxes.tolist() == [[120, 0, 312, 458]]
    assert data[1].boxes.shape == (8, 4)
    # 1024 x 683 pixels as it lies, but its box too is given in the 512 x 512 frame.
    assert data[10].boxes.tolist() == [[64, 58, 472, 478]]


def test_a_copy_has_the_same_fingerprints(copy):
    data, copied = load("imagenet_embedded"), load("imagenet_embedded", root=copy)
    assert [data.fingerprint(i) for i in range(20)] == [copied.fingerprint(i) for i in range(20)]
    assert len({data.fingerprint(i) for i in range(20)}) == 20


def test_a_changed_photograph_is_named(copy):
    photo = copy / "imagenet_07_609.jpg"
    photo.write_bytes(photo.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match="(?s)checksum of .*imagenet_07_609.jpg.*foolbox==3.3.4"):
        load("imagenet_embedded", root=copy)


def test_a_missing_photograph_is_named(copy):
    (copy / "imagenet_07_609.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="(?s)imagenet_07_609.jpg.*foolbox==3.3.4"):
        load("imagenet_embedded", root=copy)
