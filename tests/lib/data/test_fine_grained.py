"""The datasets that torchvision reads, in their own layouts, a few images each."""

import pytest

from lib.data import DATASETS, load

from ... import fine_grained

FOLDERS = {
    "aircraft": "fgvc-aircraft-2013b",
    "flowers102": "flowers-102",
    "food101": "food-101",
    "stanford_cars": "stanford_cars",
}
# The first two classes in order, and the first and last id of the test split.
EXPECTED = {
    "aircraft": (("707-320", "ATR-42"), "data/images/2100000.jpg", "data/images/2000002.jpg"),
    "flowers102": (
        ("pink primrose", "hard-leaved pocket orchid"),
        "jpg/image_00013.jpg",
        "jpg/image_00018.jpg",
    ),
    "food101": (
        ("apple_pie", "waffles"),
        "images/apple_pie/10000.jpg",
        "images/waffles/10002.jpg",
    ),
    "stanford_cars": (
        ("AM General Hummer SUV 2000", "Acura RL Sedan 2012"),
        "cars_test/00001.jpg",
        "cars_test/00006.jpg",
    ),
}


@pytest.fixture(params=FOLDERS)
def name(request):
    return request.param


@pytest.fixture
def root(name, tmp_path, monkeypatch):
    """The folder that holds the dataset's own."""
    fine_grained.MAKERS[name](tmp_path)
    fine_grained.without_checksums(monkeypatch)
    return tmp_path


def test_the_images_of_a_split_sorted_by_class(name, root):
    data = load(name, root=root, size=16)
    classes, first, last = EXPECTED[name]
    assert data.classes[:2] == classes and (data.ids[0], data.ids[-1]) == (first, last)
    assert data.targets == (0, 0, 0, 1, 1, 1)
    assert [sample.image[0].mean().round().item() for sample in data] == [0, 0, 0, 1, 1, 1]
    assert data[0].image.shape == (3, 16, 16) and data[0].boxes is None
    assert load(name, root=root / FOLDERS[name]).ids == data.ids, "or root is the folder itself"


def test_splits_share_no_image_but_where_they_are_joined(name, root):
    ids = {split: set(load(name, root=root, split=split).ids) for split in DATASETS[name]["splits"]}
    joined = ids.pop("trainval", None)
    assert sum(map(len, ids.values())) == len(set.union(*ids.values())) == 6 * len(ids)
    assert joined in (None, ids["train"] | ids.get("val", set()))


def test_a_missing_folder_is_named_with_how_to_get_it(name, tmp_path):
    remedy = f"Expected under root.*{FOLDERS[name]}.*pass its path as root"
    with pytest.raises(FileNotFoundError, match=f"(?s)not found at {tmp_path}/absent.*{remedy}"):
        load(name, root=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=f"(?s){FOLDERS[name]} is not there.*{remedy}"):
        load(name, root=tmp_path)


def test_a_missing_list_is_named_with_how_to_get_it(name, root):
    lists = [path for path in root.rglob("*") if path.suffix in (".txt", ".json", ".mat")]
    for path in lists:
        path.unlink()
    with pytest.raises(FileNotFoundError, match="(?s)(nothing at|is not complete).*Expected under"):
        load(name, root=root)


def test_a_missing_image_is_named_with_how_to_get_it(name, root):
    data = load(name, root=root)
    data.records[0].path.unlink()
    with pytest.raises(FileNotFoundError, match=f"(?s)lacks 1 of .*{data.records[0].path.name}"):
        load(name, root=root)


def test_a_malformed_list_is_named(tmp_path):
    fine_grained.aircraft(tmp_path)
    home = tmp_path / FOLDERS["aircraft"]
    (home / "data/images_variant_test.txt").write_text("0034309 a made-up variant\n")
    with pytest.raises(ValueError, match=f"cannot read {home}: no key 'a made-up variant'"):
        load("aircraft", root=tmp_path)


def test_flowers_with_other_lists_are_refused(tmp_path):
    fine_grained.flowers102(tmp_path)
    with pytest.raises(FileNotFoundError, match="flowers-102 is not complete, or of another vers"):
        load("flowers102", root=tmp_path)
