"""SIIM-ACR Pneumothorax in its own layout, a few radiographs."""

import numpy as np
import pytest

from lib.data import load

from ... import tiny_datasets
from ...tiny_datasets import FILMS, SIDE, region

SPLITS = ("test", "val", "train")


@pytest.fixture
def root(tmp_path):
    tiny_datasets.siim_pneumothorax(tmp_path)
    return tmp_path


@pytest.mark.parametrize("below", [".", "siim"])
def test_the_images_are_split(root, below):
    splits = [load("siim_pneumothorax", root=root / below, split=split) for split in SPLITS]
    assert [len(data) for data in splits] == [4, 4, 32]
    names = sum((data.ids for data in splits), ())
    assert len(set(names)) == FILMS and "9.9" not in names
    assert sum(data.targets.count(1) for data in splits) == FILMS // 2


def test_the_papers_numbers_come_out():
    from lib.data.splits import part

    names = [str(i) for i in range(10675)]
    assert [len(part(names, "x", s)) for s in ("train", "val", "test")] == [8646, 961, 1068]


def test_masks_are_what_the_codes_say(root):
    seen = 0
    for split in SPLITS:
        for sample in load("siim_pneumothorax", root=root, split=split, size=SIDE):
            i = int(sample.id.rsplit(".")[-1])
            if i % 4 > 1:
                assert sample.target == 0 and sample.mask is None and sample.boxes is None
                continue
            want = region(i)
            if i % 4 == 0:
                want[15:18, 10:12] = 1
            seen += 1
            assert sample.target == 1 and (sample.mask.numpy() == want).all()
            rows, columns = np.nonzero(want)
            box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert sample.boxes.tolist() == [box]
    assert seen == FILMS // 2


def test_only_what_has_a_mask_is_annotated(root):
    data = load("siim_pneumothorax", root=root, split="train")
    assert len(data.having("mask")) == data.targets.count(1)


@pytest.mark.parametrize("bad, problem", [
    ("ImageId, EncodedPixels\n1.2.000, 1 2 3", "has 3 numbers, which are pairs"),
    ("ImageId, EncodedPixels\n1.2.000, 1 two", "train-rle.csv"),
    ("Image, Code\n1.2.000, 1 2", "no column 'ImageId'"),
])  # fmt: skip
def test_a_malformed_table_is_named(root, bad, problem):
    (root / "siim/train-rle.csv").write_text(bad)
    with pytest.raises(ValueError, match=problem):
        load("siim_pneumothorax", root=root)


def test_a_mask_that_does_not_fit_its_image_is_named(root):
    rows = "\n".join(f"1.2.{i:03d}, 395 20" for i in range(FILMS))
    (root / "siim/train-rle.csv").write_text("ImageId, EncodedPixels\n" + rows)
    with pytest.raises(ValueError, match="dcm ends at pixel 415 of 400"):
        load("siim_pneumothorax", root=root)[0]


def test_a_missing_image_is_named(root):
    next((root / "siim/dicom-images-train").rglob("1.2.*.dcm")).unlink()
    with pytest.raises(FileNotFoundError, match="lacks 1 of"):
        for split in SPLITS:
            load("siim_pneumothorax", root=root, split=split)
