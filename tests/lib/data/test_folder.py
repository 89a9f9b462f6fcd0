"""A user's own folder: how its sub-folders become classes."""

import pytest
from PIL import Image

from lib.data import load
from lib.data.imagenet import class_names


@pytest.fixture
def folder(tmp_path):
    """A function that writes small images at the given paths, and gives their root."""

    def write(*paths):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4)).save(tmp_path / path)
        return tmp_path

    return write


def test_wordnet_ids(folder):
    data = load("folder", root=folder("n15075141/a.jpg", "n02123045/b.png", "n02123045/a.jpg"))
    assert data.ids == ("n02123045/a.jpg", "n02123045/b.png", "n15075141/a.jpg")
    assert data.targets == (281, 281, 999)
    assert data.classes == class_names()


def test_class_indices(folder):
    data = load("folder", root=folder("9/a.jpg", "243/a.jpg", "007/a.jpg"))
    assert data.ids == ("007/a.jpg", "243/a.jpg", "9/a.jpg")
    assert data.targets == (7, 243, 9)
    assert data.classes is None


def test_names_in_sorted_order(folder):
    data = load("folder", root=folder("zebra/a.jpg", "ant/a.jpg", "7up/a.jpg"))
    assert data.classes == ("7up", "ant", "zebra")
    assert data.targets == (0, 1, 2)


def test_an_empty_class_still_counts(folder):
    root = folder("ant/a.jpg", "zebra/a.jpg")
    (root / "bee").mkdir()
    data = load("folder", root=root)
    assert data.classes == ("ant", "bee", "zebra")
    assert data.targets == (0, 2)


def test_a_flat_folder_has_no_classes(folder):
    data = load("folder", root=folder("b.jpg", "a.jpeg"))
    assert data.ids == ("a.jpeg", "b.jpg")
    assert data.targets == (None, None)
    assert data.classes is None
    assert data[0].target is None and data[0].boxes is None


def test_hidden_folders_are_left_out(folder):
    assert load("folder", root=folder("a.jpg", ".thumbnails/a.jpg")).ids == ("a.jpg",)


def test_a_damaged_file_costs_only_its_sample(folder):
    root = folder("ant/a.jpg", "bee/b.jpg")
    (root / "ant/a.jpg").write_text("no image")
    data = load("folder", root=root)
    with pytest.raises(ValueError, match="ant/a.jpg"):
        data[0]
    assert data[1].target == 1


def test_a_typing_error_among_wordnet_ids_is_an_error(folder):
    with pytest.raises(ValueError, match="'n0212304' is no WordNet id .* 'n15075141' is one"):
        load("folder", root=folder("n15075141/a.jpg", "n0212304/a.jpg"))


def test_images_beside_class_folders_are_an_error(folder):
    with pytest.raises(ValueError, match=r"class folders \(ant\) and images .* \(a.jpg\)"):
        load("folder", root=folder("a.jpg", "ant/a.jpg"))


def test_missing_or_empty_root_prints_the_layout(tmp_path):
    for root in (tmp_path / "absent", tmp_path):
        message = rf"(?s){root}.*<class>/\*.jpg.*pass its path as root"
        with pytest.raises(FileNotFoundError, match=message):
            load("folder", root=root)


def test_the_readable_samples(folder):
    root = folder("a.png", "b.png", "c.png")
    whole = load("folder", root=root)
    assert whole.readable() is whole
    (root / "a.png").write_bytes(b"no image")
    assert load("folder", root=root).readable().ids == ("b.png", "c.png")
    assert load("folder", root=root).readable(1).ids == ("b.png",)
