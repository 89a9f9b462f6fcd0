"""Questions about drawn scenes: answers recomputed from the description, and no shortcuts."""

import dataclasses
import pickle
from collections import Counter, defaultdict

import numpy as np
import pytest
import torch

from lib.data import load
from testbeds.drawing import oklch
from testbeds.questions.pictures import ANSWERS, COLOURS, QUESTIONS, SHAPES, VOCABULARY

PALETTE = np.array([oklch(*colour) for colour in COLOURS.values()])
SINGULAR = {plural: shape for shape, plural in SHAPES.items()}


@pytest.fixture(scope="module")
def tests():
    return load("scene_questions")


@pytest.fixture(scope="module")
def train():
    return load("scene_questions", split="train", size=64)


def kind(record):
    return record.id.rpartition("_")[2]


def colour_name(colour):
    """The nearest colour of the palette."""
    return list(COLOURS)[np.square(PALETTE - colour).sum(1).argmin()]


def answer(question, objects):
    """The answer, and the objects asked about, from the words and the description alone."""
    words = question.removesuffix("?").split()
    asked = next(
        SINGULAR.get(word, word) for word in words if word in {*COLOURS, *SHAPES, *SINGULAR}
    )
    about = [i for i, item in enumerate(objects) if asked in (item.shape, colour_name(item.colour))]
    if words[:2] == ["how", "many"]:
        return str(len(about)), about
    (one,) = about  # else the question would be ambiguous
    item = objects[one]
    if words[:2] == ["what", "colour"]:
        return colour_name(item.colour), about
    if words[:2] == ["what", "shape"]:
        return item.shape, about
    assert words[:2] == ["where", "is"]
    assert min(abs(item.x - 0.5), abs(item.y - 0.5)) > 0.2, "clearly inside its quarter"
    return f"{('top', 'bottom')[item.y > 0.5]} {('left', 'right')[item.x > 0.5]}", about


# Questions and answers


def test_every_answer_is_right(tests):
    for record in tests.records:
        right, about = answer(record.question, record.scene.objects)
        assert tests.classes[record.target] == right, record
        assert list(record.about) == about


def test_the_manifest_gives_the_splits(tests, train):
    assert (len(tests), len(train)) == (800, 24000)
    assert tests.size == (64, 64)
    assert tests.classes == train.classes == ANSWERS
    assert len(set(ANSWERS)) == 6 + 6 + 4 + 4


def test_splits_share_no_scene(tests, train):
    scenes = [{record.scene for record in split.records} for split in (tests, train)]
    assert [len(split) for split in scenes] == [200, 6000]
    assert not scenes[0] & scenes[1]
    assert len(set(tests.ids + train.ids)) == 24800


def test_questions_and_vocabulary_are_complete(train):
    assert {record.question for record in train.records} == set(QUESTIONS)
    assert len(QUESTIONS) == len(set(QUESTIONS)) == 30
    words = {word.strip("?") for question in QUESTIONS for word in question.split()}
    assert VOCABULARY == tuple(sorted(words))
    assert {record.target for record in train.records} == set(range(len(ANSWERS)))


def test_each_scene_is_asked_each_kind_once(tests):
    kinds = defaultdict(list)
    for record in tests.records:
        kinds[record.group].append(kind(record))
    assert len(kinds) == 200
    assert all(sorted(k) == ["colour", "count", "position", "shape"] for k in kinds.values())


def test_a_limit_has_all_kinds():
    limited = load("scene_questions", limit=20)
    assert Counter(map(kind, limited.records)) == dict.fromkeys(
        ("colour", "shape", "count", "position"), 5
    )


# No shortcuts


def test_the_question_alone_tells_no_more_than_a_guess(tests, train):
    answers = defaultdict(Counter)
    for record in train.records:
        answers[record.question][record.target] += 1
    guess = {question: counts.most_common(1)[0][0] for question, counts in answers.items()}
    right = np.mean([guess[record.question] == record.target for record in tests.records])
    assert right < 0.25  # (1/6 + 1/6 + 1/4 + 1/4) / 4 = 0.208 by chance
    chance = {"what": 1 / 6, "how": 1 / 4, "where": 1 / 4}
    for question, counts in answers.items():
        most = counts.most_common(1)[0][1] / counts.total()
        assert most < chance[question.split()[0]] + 0.05, question


def test_the_image_alone_tells_at_most_one_answer_in_four(tests):
    answers = defaultdict(set)
    for record in tests.records:
        answers[record.group].add(record.target)
    assert all(len(targets) == 4 for targets in answers.values())


# Images and annotations


def test_objects_lie_apart_and_inside(tests):
    for record in tests.records[:200]:
        objects = record.scene.objects
        assert 2 <= len(objects) <= 4
        for i, a in enumerate(objects):
            assert a.radius < min(a.x, a.y, 1 - a.x, 1 - a.y)
            for b in objects[:i]:
                assert np.hypot(a.x - b.x, a.y - b.y) >= a.radius + b.radius


def test_masks_have_the_colour_of_the_objects(tests):
    for index in range(0, 800, 13):
        record = tests.records[index]
        sample = record.sample((96, 96))
        names = {colour_name(record.scene.objects[i].colour) for i in record.about}
        pixels = sample.image[:, sample.mask].T.numpy()  # (pixels,3)
        seen = Counter(colour_name(pixel) for pixel in pixels)
        right = sum(seen[name] for name in names)
        assert right >= 0.85 * len(pixels), (record.id, names, seen)  # rims blend in


def test_a_box_for_each_object_asked_about(tests):
    counts = Counter()
    for index in range(400, 600):
        sample = tests[index]
        count = int(ANSWERS[sample.target])
        counts[count] += 1
        assert sample.boxes.shape == (count, 4) and sample.boxes.dtype == torch.float32
        assert sample.mask.any() == (count > 0)
        covered = torch.zeros(64, 64, dtype=torch.bool)
        for x0, y0, x1, y1 in sample.boxes.int().tolist():
            covered[y0:y1, x0:x1] = True
            inside = sample.mask[y0:y1, x0:x1]
            assert inside.any(0)[[0, -1]].all() and inside.any(1)[[0, -1]].all(), "tight"
        assert not (sample.mask & ~covered).any()
    assert set(counts) == {0, 1, 2, 3}


def test_questions_on_a_scene_share_image_and_group(tests):
    first = tests.subset([0, 200, 400, 600])
    assert {sample.group for sample in first} == {"test_00000"}
    assert len({sample.question for sample in first}) == 4
    assert all(torch.equal(sample.image, first[0].image) for sample in first)


def test_it_is_drawn_the_same_again(tests):
    again = load("scene_questions")
    assert again == tests
    few = pickle.loads(pickle.dumps(again[:3]))
    assert all(torch.equal(few[i].image, tests[i].image) for i in range(3))


def test_the_same_scene_at_another_size(tests):
    few = tests.subset(range(0, 800, 40))
    for small, large in zip(few, few.at((128, 256)), strict=True):
        assert large.image.shape == (3, 128, 256) and large.mask.shape == (128, 256)
        assert torch.allclose(large.boxes / torch.tensor([4, 2, 4, 2]), small.boxes, atol=1.01)
        assert (large.question, large.target) == (small.question, small.target)


def test_fingerprints_differ_by_question_and_scene(tests):
    assert len({tests.fingerprint(i) for i in range(800)}) == 800
    record = tests.records[0]
    other = dataclasses.replace(record, question="where is the star?")
    assert other.fingerprint() != record.fingerprint() == tests.at(7).fingerprint(0)


def test_a_root_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="scene_questions is drawn.*leave out root="):
        load("scene_questions", root=tmp_path)
