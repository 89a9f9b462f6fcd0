"""The 120 embedded photographs: files, classes and boxes as the manifest says."""

import csv
import shutil
import sys

import pytest
import torch

from lib import manifests
from lib.data import DATASETS, load
from lib.paths import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of the photographs that may be damaged."""
    for part in manifests.parts(DATASETS["imagenet_embedded"]):
        source = manifests.locate(part)
        for name in part["files"]:
            shutil.copy(source / name, tmp_path)
    return tmp_path


def test_all_photographs_are_there_and_verified():
    data = load("imagenet_embedded")
    assert [found.files for found in manifests.verify("imagenet_embedded")] == [20, 100]
    assert len(data) == len(set(data.ids)) == 120
    assert data.size == (224, 224)
    assert data.ids[0] == "imagenet_00_243" and data.ids[19] == "imagenet_19_305"
    assert data.ids[20:] == tuple(f"photograph_{i:02}" for i in range(100))
    imported = {"foolbox", "ai_benchmark"} & sys.modules.keys()
    assert not imported, "the packages' files are read without importing them"


def test_every_row_of_the_table_is_of_a_file_and_says_the_same_of_it():
    path = ROOT / "data_manifests/datasets" / DATASETS["imagenet_embedded"]["boxes"]["file"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    files = [
        name for part in manifests.parts(DATASETS["imagenet_embedded"]) for name in part["files"]
    ]
    assert list(dict.fromkeys(row["file"] for row in rows)) == files
    said = {(row["file"], row["id"], row["class"], row["doubtful"]) for row in rows}
    assert len(said) == 120 and {row["doubtful"] for row in rows} == {"0", "1"}


def test_classes():
    data = load("imagenet_embedded")
    assert data.targets[:20] == tuple(int(name.split("_")[2]) for name in data.ids[:20])
    assert len(data.classes) == 1000
    assert data.labels[0] == "bull mastiff" and data.labels[19] == "dung beetle"
    assert data.labels[20] == "flamingo" and data.labels[119] == "binoculars"


def test_nine_labels_are_doubtful():
    data = load("imagenet_embedded")
    doubtful = [name for name, one in zip(data.ids, data.doubtful) if one]
    numbers = (7, 12, 13, 26, 31, 34, 80, 90)
    assert doubtful == ["imagenet_12_741", *(f"photograph_{n:02}" for n in numbers)]
    assert data.labels[12] == "prayer rug (?)" and len(data.certain()) == 111


def test_the_boxes_of_99_cover_at_most_four_fifths():
    data = load("imagenet_embedded")
    assert len(data.covered(at_most=0.8)) == 99
    assert len(data[:20].covered(at_most=0.8)) == 18


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
    assert data[20].boxes.tolist() == [[0, 75, 512, 484]]
    assert data[22].boxes.tolist() == [[155, 256, 296, 345], [309, 273, 442, 347]]
    assert sum(len(sample.boxes) for sample in data) == 44 + 127


def test_a_copy_has_the_same_fingerprints(copy):
    data, copied = load("imagenet_embedded"), load("imagenet_embedded", root=copy)
    assert [data.fingerprint(i) for i in range(120)] == [copied.fingerprint(i) for i in range(120)]
    assert len({data.fingerprint(i) for i in range(120)}) == 120


OF_EACH_PACKAGE = [("imagenet_07_609.jpg", "foolbox==3.3.4"), ("7.jpg", "ai-benchmark==0.1.2")]


@pytest.mark.parametrize(("name", "package"), OF_EACH_PACKAGE)
def test_a_changed_photograph_is_named(copy, name, package):
    photo = copy / name
    photo.write_bytes(photo.read_bytes()[:-1] + b"!")
    with pytest.raises(ValueError, match=f"(?s)checksum of .*/{name}.*{package}"):
        load("imagenet_embedded", root=copy)


@pytest.mark.parametrize(("name", "package"), OF_EACH_PACKAGE)
def test_a_missing_photograph_is_named(copy, name, package):
    (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"(?s)/{name}.*{package}"):
        load("imagenet_embedded", root=copy)
