"""CUB-200-2011 in its own layout, a few images."""

import pickle
import shutil

import pytest

from lib.data import load
from lib.data.cub import part_attributes
from testbeds.birds import species as bird_species

from ... import fine_grained


@pytest.fixture
def root(tmp_path):
    """The folder that holds CUB_200_2011."""
    fine_grained.cub(tmp_path)
    return tmp_path


def test_the_splits_are_those_of_the_dataset(root):
    test, train = (load("cub", root=root, split=split) for split in ("test", "train"))
    assert test.targets == train.targets == (0, 0, 0, 1, 1, 1)
    assert test.classes == ("Black footed Albatross", "Laysan Albatross")
    assert not set(test.ids) & set(train.ids)
    assert train.ids[0] == "001.Black_footed_Albatross/Black_footed_Albatross_0000"
    assert load("cub", root=root).ids == test.ids, "the first split"
    assert load("cub", root=root / "CUB_200_2011").ids == test.ids


def test_box_mask_and_points_follow_the_resizing(root):
    sample = load("cub", root=root, size=(20, 60))[0]  # twice as high, three times as wide
    assert sample.image.shape == (3, 20, 60)
    assert sample.boxes.tolist() == [[3, 4, 30, 20]]
    assert sample.mask.shape == (20, 60) and sample.mask[:, :30].all()
    assert not sample.mask[:, 30:].any(), "a pixel that most people did not mark"
    assert sample.parts == {"beak": ((12, 6), None), "left_eye": ((18, 4), None)}


def test_parts_are_called_as_those_of_the_drawn_birds(root):
    names = tuple(name.replace(" ", "_") for name in fine_grained.CUB_PARTS)
    assert names == bird_species.PARTS


def test_masks_may_lie_beside_or_be_left_out(root):
    shutil.move(root / "CUB_200_2011/segmentations", root / "segmentations")
    assert load("cub", root=root)[0].mask.any()
    shutil.rmtree(root / "segmentations")
    assert load("cub", root=root)[0].mask is None


def test_the_fingerprint_is_of_the_content(root, tmp_path):
    data = load("cub", root=root)
    copy = load("cub", root=shutil.copytree(root / "CUB_200_2011", tmp_path / "elsewhere"))
    prints = [data.fingerprint(i) for i in range(len(data))]
    assert prints == [copy.fingerprint(i) for i in range(len(copy))] and len(set(prints)) == 6
    path = root / "CUB_200_2011/parts/part_locs.txt"
    path.write_text(path.read_text().replace("4.0 3.0 1", "4.0 3.5 1"))
    assert load("cub", root=root).fingerprint(0) != prints[0]
    again = pickle.loads(pickle.dumps(data)).relabelled([1] * 6)
    assert again[0].target == 1 and again[0].parts


def test_a_damaged_mask_is_an_error_of_its_sample(root):
    data = load("cub", root=root)
    data.records[0].mask.write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot read the mask .*0001.png.*replace or remove it"):
        data[0]
    assert data[1].mask.any()


def test_a_damaged_photograph_is_an_error_of_its_sample(root):
    data = load("cub", root=root)
    data.records[0].path.write_bytes(b"no image")
    with pytest.raises(ValueError, match="cannot read the image .*0001.jpg"):
        data[0]


def test_records_say_their_annotations(root):
    assert load("cub", root=root).records[0].annotated == {"boxes", "mask", "parts"}
    shutil.rmtree(root / "CUB_200_2011/segmentations")
    assert load("cub", root=root).records[0].annotated == {"boxes", "parts"}


def test_malformed_lists_are_named(root):
    path = root / "CUB_200_2011/parts/part_locs.txt"
    path.write_text(path.read_text() + "1 2 3.0\n")
    with pytest.raises(ValueError, match=f"cannot read {path}: not enough values"):
        load("cub", root=root)


def test_what_is_missing_is_named_with_how_to_get_it(root, tmp_path):
    remedy = "Expected under root.*CUB_200_2011.tgz"
    with pytest.raises(FileNotFoundError, match=f"(?s)not found at {tmp_path}/absent.*{remedy}"):
        load("cub", root=tmp_path / "absent")
    place = root / "CUB_200_2011/images/002.Laysan_Albatross/Laysan_Albatross_0001.jpg"
    place.unlink()
    with pytest.raises(FileNotFoundError, match=f"(?s)lacks 1 of 3 files.*{place.name}.*{remedy}"):
        load("cub", root=root)
    (root / "CUB_200_2011/classes.txt").unlink()
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at .*/classes.txt.*{remedy}"):
        load("cub", root=root)


# Attributes --------------------------------------------------------------------------------------


@pytest.fixture
def described(root):
    fine_grained.attributes(root)
    return root


def test_a_part_looks_as_most_people_saw_it(described):
    looks = part_attributes(described)
    assert set(looks) == {0, 1} and tuple(looks[0]) == bird_species.PARTS
    assert looks[0]["crown"] == "red" and looks[1]["crown"] == "grey"
    assert looks[0]["back"] == looks[1]["back"] == "red, red", "its colour and its pattern"
    assert [p for p in looks[0] if looks[0][p] != looks[1][p]] == ["crown"]
    assert part_attributes(described / "CUB_200_2011") == looks
    shutil.move(described / "attributes.txt", described / "CUB_200_2011/attributes")
    assert part_attributes(described) == looks


def test_attributes_that_are_missing_or_malformed_are_named(described):
    seen = described / "CUB_200_2011/attributes/class_attribute_labels_continuous.txt"
    seen.write_text("1.0 2.0\n3.0 4.0\n")
    with pytest.raises(ValueError, match=f"cannot read {seen}: 2 numbers a line for .* attributes"):
        part_attributes(described)
    seen.unlink()
    with pytest.raises(FileNotFoundError, match="(?s)class_attribute_labels.*Expected under root"):
        part_attributes(described)
    names = described / "attributes.txt"
    names.write_text("1 has_size::small\n")
    with pytest.raises(FileNotFoundError, match="class_attribute_labels"):
        part_attributes(described)
    seen.write_text("1.0\n")
    with pytest.raises(ValueError, match=f"cannot read {names}: no attribute has_"):
        part_attributes(described)
    names.unlink()
    with pytest.raises(FileNotFoundError, match="(?s)attributes.txt.*CUB_200_2011.tgz"):
        part_attributes(described)
