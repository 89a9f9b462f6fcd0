"""Kvasir in its own layout, a few images."""

import shutil

import pytest

from lib.data import load
from lib.data.kvasir import CLASSES

from ... import tiny_datasets

N = 16  # images a class


@pytest.fixture
def root(tmp_path):
    """The folder that holds kvasir-dataset-v2."""
    tiny_datasets.kvasir(tmp_path, N)
    return tmp_path


def test_every_image_is_in_one_split_which_are_stratified(root):
    splits = {split: load("kvasir", root=root, split=split) for split in ("train", "val", "test")}
    assert [len(data) for data in splits.values()] == [8 * 12, 8 * 2, 8 * 2]
    for data in splits.values():
        assert data.classes == CLASSES and data.targets == tuple(sorted(data.targets))
        assert {data.targets.count(i) for i in range(8)} == {len(data) // 8}
    ids = [name for data in splits.values() for name in data.ids]
    assert len(set(ids)) == 8 * N
    assert load("kvasir", root=root).ids == splits["test"].ids, "the first split"


def test_the_split_is_the_same_wherever_it_lies_and_not_in_the_files_order(root, tmp_path):
    test = load("kvasir", root=root)
    copy = shutil.copytree(root / "kvasir-dataset-v2", tmp_path / "elsewhere")
    assert load("kvasir", root=copy).ids == test.ids
    assert [i for i in test.ids if not i.endswith(("-0000.jpg", "-0001.jpg"))]
    places = {tuple(i[-8:] for i in test.ids if i.startswith(name)) for name in CLASSES}
    assert len(places) > 1, "each class is shuffled on its own"


def test_samples(root):
    sample = load("kvasir", root=root)[0]
    assert sample.image.shape == (3, 224, 224) and sample.target == 0
    assert sample.id.startswith("dyed-lifted-polyps/0000-") and sample.mask is None


def test_what_is_missing_is_named_with_how_to_get_it(root, tmp_path):
    remedy = "ulcerative-colitis/.*kvasir-dataset-v2.zip"
    with pytest.raises(FileNotFoundError, match=f"(?s)not found at {tmp_path}/absent.*{remedy}"):
        load("kvasir", root=tmp_path / "absent")
    place = root / "kvasir-dataset-v2/polyps"
    shutil.rmtree(place)
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {place}.*{remedy}"):
        load("kvasir", root=root)
    for name in CLASSES:
        shutil.rmtree(root / "kvasir-dataset-v2" / name, ignore_errors=True)
        (root / "kvasir-dataset-v2" / name).mkdir()
    with pytest.raises(FileNotFoundError, match=f"(?s)no images in .*{remedy}"):
        load("kvasir", root=root)
