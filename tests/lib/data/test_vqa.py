"""VQA v1 in its own layouts, a few questions."""

import json
import pickle

import pytest

from lib.data import load, vqa

from ... import tiny_datasets
from ...tiny_datasets import VQA_LAYOUTS, write_vqa


@pytest.fixture
def root(tmp_path):
    tiny_datasets.vqa(tmp_path)
    return tmp_path


@pytest.mark.parametrize("layout", VQA_LAYOUTS)
def test_a_sample_for_each_question_in_every_layout(tmp_path, layout):
    write_vqa(tmp_path, "train", layout)
    write_vqa(tmp_path, "val", layout)
    data = load("vqa", root=tmp_path)
    assert data.ids == ("101", "421", "100", "423"), "sorted by answer"
    assert [data.classes[target] for target in data.targets] == ["yes", "yes", "2", "cat"]
    assert [s.question for s in data] == [
        "is it day?",
        "is it a cat?",
        "how many cats?",
        "what is this?",
    ]
    assert [s.group for s in data] == [f"COCO_val2014_{i:012d}" for i in (10, 42, 10, 42)]
    assert all(s.boxes is None and s.image.shape == (3, 224, 224) for s in data)


def test_classes_are_the_training_answers_by_frequency_then_alphabet(root):
    assert load("vqa", root=root).classes == ("yes", "2", "cat", "no")
    assert load("vqa", root=root, split="train").classes == ("yes", "2", "cat", "no")


def test_a_question_with_another_answer_is_left_out(root, monkeypatch):
    assert "422" not in load("vqa", root=root).ids
    monkeypatch.setattr(vqa, "N_ANSWERS", 2)
    data = load("vqa", root=root)
    assert data.classes == ("yes", "2")
    assert data.ids == ("101", "421", "100")


def test_at_most_a_thousand_classes(tmp_path):
    many = [(i, 9, "What is it?", f"answer {i:04d}") for i in range(1001)]
    write_vqa(tmp_path, "train", questions=many)
    data = load("vqa", root=tmp_path, split="train")
    assert len(data) == len(data.classes) == 1000
    assert data.classes[-1] == "answer 0999" and data.targets == tuple(range(1000))


def test_the_training_split(root):
    data = load("vqa", root=root, split="train")
    assert data.ids == ("90", "93", "92", "94", "91")
    assert data[0].question == "is it red?" and data[0].group == "COCO_train2014_000000000009"


def test_limit(root):
    assert load("vqa", root=root, limit=2).ids == ("101", "100")


def test_another_question_about_the_same_image_has_another_fingerprint(root, tmp_path):
    data = load("vqa", root=root, split="train")
    assert data.targets[0] == data.targets[1] and data[0].group == data[1].group
    assert data.fingerprint(0) != data.fingerprint(1)
    for name in ("train", "val"):
        write_vqa(tmp_path / "copy", name, "official")
    copy = load("vqa", root=tmp_path / "copy", split="train")
    assert [copy.fingerprint(i) for i in range(5)] == [data.fingerprint(i) for i in range(5)]


def test_it_is_picklable(root):
    data = load("vqa", root=root)
    copy = pickle.loads(pickle.dumps(data))
    assert copy == data and copy[1].question == "is it a cat?"


REMEDY = r"OpenEnded_mscoco_<split>2014_questions.json.*visualqa.org/vqa_v1_download.html"


@pytest.mark.parametrize(
    "file",
    ["OpenEnded_mscoco_val2014_questions.json", "mscoco_val2014_annotations.json", "val2014"],
)
def test_what_is_missing_is_named_with_the_way_to_get_it(root, file):
    (root / file).rename(root / "elsewhere")
    with pytest.raises(FileNotFoundError, match=f"(?s)nothing at {root / file}\\.\n.*{REMEDY}"):
        load("vqa", root=root)


def test_missing_root(tmp_path):
    with pytest.raises(FileNotFoundError, match=f"(?s){tmp_path / 'absent'}.*{REMEDY}"):
        load("vqa", root=tmp_path / "absent")


def test_without_training_annotations_the_error_says_why_they_are_needed(root):
    (root / "mscoco_train2014_annotations.json").unlink()
    message = (
        "(?s)mscoco_train2014_annotations.json: the classes are the 1,000 most frequent answers"
    )
    with pytest.raises(FileNotFoundError, match=f"{message}.*{REMEDY}"):
        load("vqa", root=root)


def test_a_missing_image_is_named(root):
    (root / "val2014/COCO_val2014_000000000010.jpg").unlink()
    message = f"(?s)val2014 lacks 1 of 2 files, such as COCO_val2014_000000000010.jpg.*{REMEDY}"
    with pytest.raises(FileNotFoundError, match=message):
        load("vqa", root=root)


FILES = [
    "OpenEnded_mscoco_val2014_questions.json",
    "mscoco_val2014_annotations.json",
    "mscoco_train2014_annotations.json",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("text", ["", '{"annotations": [', "{}", '{"annotations": [1]}'])
def test_a_malformed_file_is_named(root, file, text):
    (root / file).write_text(text)
    with pytest.raises(ValueError, match=f"cannot read {root / file}: .*take the file anew"):
        load("vqa", root=root)


def test_an_annotation_without_its_question_is_named(root):
    path = root / "OpenEnded_mscoco_val2014_questions.json"
    content = json.loads(path.read_text())
    content["questions"].pop(1)
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="cannot read .*val2014_annotations.json: no key 421"):
        load("vqa", root=root)
