"""RSNA Pneumonia in its own layout, a few radiographs."""

import pytest

from lib.data import load

from ... import tiny_datasets


@pytest.fixture
def root(tmp_path):
    tiny_datasets.rsna_pneumonia(tmp_path)
    return tmp_path


@pytest.mark.parametrize("below", [".", "rsna"])
def test_each_class_is_split_by_itself(root, below):
    splits = {
        s: load("rsna_pneumonia", root=root / below, split=s) for s in ("test", "val", "train")
    }
    counts = {s: [d.targets.count(c) for c in (0, 1)] for s, d in splits.items()}
    assert counts == {"test": [2, 1], "val": [2, 1], "train": [16, 8]}
    names = sum((data.ids for data in splits.values()), ())
    assert len(set(names)) == 30 and not any(name.startswith("c") for name in names)
    assert splits["test"].classes == ("Normal", "Pneumonia")


def test_the_papers_numbers_come_out():
    from lib.data.splits import part

    normal, ill = (map(str, range(n)) for n in (8851, 6012))
    normal, ill = list(normal), list(ill)
    counts = {
        s: (len(part(normal, "n", s)), len(part(ill, "i", s))) for s in ("train", "val", "test")
    }
    assert [sum(c) for c in counts.values()] == [12039, 1338, 1486]
    assert [ill for _, ill in counts.values()] == [4870, 541, 601]


def test_boxes_are_where_the_table_says(root):
    data = load("rsna_pneumonia", root=root, split="train", size=80)
    boxed = [sample for sample in data if sample.target == 1]
    assert all(sample.boxes is None for sample in data if sample.target == 0)
    assert len(data.having("boxes")) == 8
    for sample in boxed:
        want = [[8, 16, 32, 36], [40, 16, 60, 40]][: 1 + int(sample.id[-1]) % 2]
        assert sample.boxes.tolist() == want
        assert sample.image.mean().item() == pytest.approx(5 * int(sample.id[-2:]) / 255, abs=1e-6)


def test_what_is_missing_is_named(root):
    next((root / "rsna/stage_2_train_images").glob("b*")).unlink()
    with pytest.raises(FileNotFoundError, match=r"lacks 1 of .* such as b(.|\n)*kaggle"):
        for split in ("test", "val", "train"):
            load("rsna_pneumonia", root=root, split=split)
    (root / "rsna/stage_2_train_labels.csv").unlink()
    with pytest.raises(FileNotFoundError, match="stage_2_train_labels.csv"):
        load("rsna_pneumonia", root=root)


def test_a_malformed_table_is_named(root):
    (root / "rsna/stage_2_train_labels.csv").write_text("patientId,x\na,1\n")
    with pytest.raises(ValueError, match="stage_2_train_labels.csv: no column 'y'"):
        load("rsna_pneumonia", root=root)
