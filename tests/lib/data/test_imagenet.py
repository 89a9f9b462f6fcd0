"""ImageNet in each of the layouts in which it circulates, a few images each."""

import pytest

from lib.classes import imagenet_names
from lib.data import load

from ...tiny_datasets import (
    PHOTOGRAPHS,
    annotations,
    class_folders,
    flat_val,
    kaggle,
    solution,
    val_folder,
    write_photograph,
)

LAYOUTS = [val_folder, class_folders, kaggle, flat_val]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_samples(tmp_path, layout):
    layout(tmp_path)
    data = load("imagenet", root=tmp_path, split="val", size=(8, 16))
    assert data.ids == tuple(PHOTOGRAPHS), "sorted by class"
    assert data.targets == (0, 281, 999), "by WordNet id, though only three classes are there"
    assert data.classes == imagenet_names()
    red = [sample.image[0].mean().item() * 255 for sample in data]
    assert red == pytest.approx([0, 281 % 256, 999 % 256], abs=2)


@pytest.mark.parametrize(("layout", "where"), [(kaggle, None), (class_folders, solution)])
def test_boxes_from_the_table(tmp_path, layout, where):
    layout(tmp_path)
    if where:
        where(tmp_path)
    check_boxes(tmp_path)


@pytest.mark.parametrize("place", [".", "ILSVRC"])
def test_boxes_from_the_annotation_files(tmp_path, place):
    val_folder(tmp_path)
    annotations(tmp_path / place)
    check_boxes(tmp_path)


def check_boxes(root):
    for sample in load("imagenet", root=root, size=(16, 16)):
        boxes = PHOTOGRAPHS[sample.id][2]
        assert sample.boxes.tolist() == [[x0, 2 * y0, x1, 2 * y1] for x0, y0, x1, y1 in boxes]


def test_both_sources_of_boxes_give_one_fingerprint(tmp_path):
    (tmp_path / "a").mkdir()
    kaggle(tmp_path / "a")
    val_folder(tmp_path / "b")
    annotations(tmp_path / "b")
    a, b = (load("imagenet", root=tmp_path / name) for name in "ab")
    assert [a.fingerprint(i) for i in range(3)] == [b.fingerprint(i) for i in range(3)]


def test_without_annotations_there_are_no_boxes(tmp_path):
    val_folder(tmp_path)
    assert load("imagenet", root=tmp_path)[0].boxes is None


def test_a_damaged_image_or_annotation_costs_only_its_sample(tmp_path):
    val_folder(tmp_path)
    annotations(tmp_path)
    (tmp_path / "val/n01440764/ILSVRC2012_val_00000003.JPEG").write_text("no image")
    (tmp_path / "Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml").write_text("<annotation>")
    data = load("imagenet", root=tmp_path)
    with pytest.raises(ValueError, match="ILSVRC2012_val_00000003.JPEG"):
        data[0]
    with pytest.raises(ValueError, match="ILSVRC2012_val_00000001.xml"):
        data[1]
    assert data[2].target == 999


def test_missing_or_empty_root_prints_the_layout_and_how_to_obtain_it(tmp_path, monkeypatch):
    expected = r"val/<wnid>/\*.JPEG.*LOC_val_solution.csv.*image-net.org.*pass its path as root"
    for root in (tmp_path / "absent", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"(?s){root}.*{expected}"):
            load("imagenet", root=root)
    monkeypatch.setenv("CAMS_DATA", str(tmp_path / "home"))
    with pytest.raises(FileNotFoundError, match="home/datasets/imagenet"):
        load("imagenet")


def test_images_without_a_class_are_an_error(tmp_path):
    kaggle(tmp_path)
    write_photograph(tmp_path / "ILSVRC/Data/CLS-LOC/val", "ILSVRC2012_val_00000009", 1)
    with pytest.raises(FileNotFoundError, match="no class for .*00000009.JPEG: .*LOC_val_sol"):
        load("imagenet", root=tmp_path)


@pytest.mark.parametrize(
    "prediction", ["", "n01440764 1 2 3", "n00000000 1 2 3 4", "n01440764 1 2 3 x"]
)
def test_a_malformed_row_of_the_table_is_named(tmp_path, prediction):
    kaggle(tmp_path)
    with (tmp_path / "LOC_val_solution.csv").open("a") as file:
        file.write(f"ILSVRC2012_val_00000009,{prediction}\n")
    with pytest.raises(ValueError, match="LOC_val_solution.csv: cannot read the row .*00000009"):
        load("imagenet", root=tmp_path)


@pytest.mark.parametrize("place", [".", "ILSVRC/Data/CLS-LOC"])
def test_training_images_are_read_by_class_without_boxes(tmp_path, place):
    for wnid in ("n15075141", "n01440764"):
        write_photograph(tmp_path / place / "train" / wnid, f"{wnid}_1", 0)
    data = load("imagenet", root=tmp_path, split="train")
    assert data.ids == ("n01440764_1", "n15075141_1") and data.targets == (0, 999)
    assert data.classes == imagenet_names() and data[0].boxes is None


def test_missing_training_images_are_named(tmp_path):
    val_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {tmp_path}/train.*img_train.tar"):
        load("imagenet", root=tmp_path, split="train")
    (tmp_path / "train").mkdir()
    with pytest.raises(FileNotFoundError, match="no images in .*train"):
        load("imagenet", root=tmp_path, split="train")
