"""Chest X-ray in its own layout, a few images."""

import pytest

from lib.data import load

from ... import tiny_datasets


@pytest.fixture
def root(tmp_path):
    tiny_datasets.chest_xray(tmp_path)
    return tmp_path


@pytest.mark.parametrize("below", [".", "chest_xray"])
def test_the_test_split_is_the_first(root, below):
    data = load("chest_xray", root=root / below)
    assert data.ids == (
        "test/NORMAL/IM-0001-0001.jpeg",
        "test/NORMAL/NORMAL2-IM-0300-0001.jpeg",
        "test/PNEUMONIA/person100_bacteria_475.jpeg",
        "test/PNEUMONIA/person1_virus_6.jpeg",
    )
    assert data.targets == (0, 0, 1, 1) and data.classes == ("NORMAL", "PNEUMONIA")
    assert data[0].image.shape == (3, 224, 224) and data[0].boxes is None


@pytest.mark.parametrize(("split", "n"), [("train", 4), ("val", 2)])
def test_other_splits(root, split, n):
    assert len(load("chest_xray", root=root, split=split)) == n


def test_images_of_one_person_are_one_group(root):
    groups = [sample.group for sample in load("chest_xray", root=root, split="train")]
    assert groups == ["train/NORMAL/IM-0115-0001.jpeg", "person3", "person3", "person4"]


def test_what_is_missing_is_named_with_how_to_get_it(root, tmp_path):
    remedy = r"test/PNEUMONIA/\*.jpeg.*10.17632/rscbjbr9sj.2"
    with pytest.raises(FileNotFoundError, match=f"(?s)not found at {tmp_path}/absent.*{remedy}"):
        load("chest_xray", root=tmp_path / "absent")
    place = root / "chest_xray/test/NORMAL"
    for path in place.iterdir():
        path.unlink()
    assert load("chest_xray", root=root).targets == (1, 1)
    place.rmdir()
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {place}.*{remedy}"):
        load("chest_xray", root=root)
