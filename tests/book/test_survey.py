"""The blind survey: its form, its key, and the scoring of answers made by hand."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner

from book import survey
from book.survey import Question, form, make, questions, score
from lib import data, nets
from lib.__main__ import main

TWO = ("scenes_vgg_quick", "tiny_rival")


def question(name: str, networks: tuple[str, str]) -> Question:
    picture = np.full((8, 8, 3), 0.5)
    return Question(name, picture, (picture * 0.2, picture * 1.8), networks)


SOME = [question(f"photo_{i}", ("one_net", "two_net")[:: 1 if i % 2 else -1]) for i in range(4)]


# The form ---------------------------------------------------------------------------------------


def test_the_form_is_one_page_that_needs_nothing_else():
    page = BeautifulSoup(form(SOME), "html.parser")
    assert len(page.find_all("section")) == 4 and not page.find_all(["script", "link", "iframe"])
    pictures = page.find_all("img")
    assert len(pictures) == 12
    assert all(img["src"].startswith("data:image/jpeg;base64,") for img in pictures)
    assert not re.search(r"https?:|url\(", form(SOME))
    assert "A4" in page.style.text and "break-inside: avoid" in page.style.text


def test_the_form_is_blind():
    text = form(SOME)
    assert "one_net" not in text and "two_net" not in text and "photo_" not in text
    swapped = [Question(q.image, q.photograph, q.maps, q.networks[::-1]) for q in SOME]
    assert form(swapped) == text


def test_every_picture_says_what_it_is():
    alts = [img["alt"] for img in BeautifulSoup(form(SOME), "html.parser").find_all("img")]
    assert alts[:3] == ["Photograph of question 1", "Map A of question 1", "Map B of question 1"]
    assert len(set(alts)) == 12


def test_the_key_says_who_is_who(tmp_path):
    path = make(SOME, tmp_path)
    assert path == tmp_path / "form.html" and path.read_text("utf-8") == form(SOME)
    key = pd.read_csv(tmp_path / "key.csv")
    assert list(key.columns) == list(survey.KEY) and key["question"].tolist() == [1, 2, 3, 4]
    assert list(zip(key["A"], key["B"])) == [q.networks for q in SOME]
    assert (tmp_path / "answers.csv").read_text() == "participant,question,choice\n"


def test_answers_are_never_lost(tmp_path):
    make(SOME, tmp_path)
    given = "participant,question,choice\nann,1,A\n"
    (tmp_path / "answers.csv").write_text(given)
    make(SOME, tmp_path)
    assert (tmp_path / "answers.csv").read_text() == given
    with pytest.raises(ValueError, match="answers.csv holds answers to another survey: choose"):
        make(SOME[::-1], tmp_path)
    assert (tmp_path / "answers.csv").read_text() == given


@pytest.fixture
def scenes(monkeypatch) -> data.Dataset:
    """Drawn scenes, two networks of the same kind, and which of them are right on which scene."""
    load, right = nets.load, {}
    monkeypatch.setattr(
        survey.nets, "load", lambda name: _named(load("scenes_vgg_quick", weights="random"), name)
    )
    monkeypatch.setattr(survey, "_is_right", lambda net, s: s.id not in right.get(net.name, ()))
    images = data.load("scenes", split="test", limit=6)
    right["scenes_vgg_quick"], right["tiny_rival"] = images.ids[:1], images.ids[1:2]
    return images


def _named(net, name):
    net.name = name
    return net


def test_both_networks_classify_the_photographs(scenes):
    found = questions(scenes, TWO, method="grad_cam")
    assert {q.image for q in found} == set(scenes.ids[2:])
    assert len(questions(scenes, TWO, n=3, method="grad_cam")) == 3


def test_networks_that_are_open_are_taken_as_they_are(scenes):
    opened = [survey.nets.load(name) for name in TWO]
    asked = [(q.image, q.networks) for q in questions(scenes, opened, method="grad_cam")]
    assert asked == [(q.image, q.networks) for q in questions(scenes, TWO, method="grad_cam")]


def test_classes_are_met_by_name_and_not_by_their_order(scenes, monkeypatch):
    opened = [survey.nets.load(name) for name in TWO]
    for net in opened:
        net.classes = scenes.classes
    last = len(scenes.classes) - 1
    turned = scenes.relabelled(last - target for target in scenes.targets)
    turned = replace(turned, classes=scenes.classes[::-1])
    targets = dict(zip(scenes.ids, scenes.targets))
    monkeypatch.setattr(survey, "_is_right", lambda net, s: s.target == targets[s.id])
    assert {q.image for q in questions(turned, opened, method="grad_cam")} == set(scenes.ids)


def test_each_network_is_a_in_half_of_the_questions(scenes):
    for seed in range(5):
        first = [q.networks[0] for q in questions(scenes, TWO, seed=seed, method="grad_cam")]
        assert sorted(first) == ["scenes_vgg_quick"] * 2 + ["tiny_rival"] * 2
    assert all(set(q.networks) == set(TWO) for q in questions(scenes, TWO, method="grad_cam"))


def test_the_seed_decides_the_order(scenes):
    def orders(seed):
        return [(q.image, q.networks) for q in questions(scenes, TWO, seed=seed, method="grad_cam")]

    assert orders(0) == orders(0) and len({str(orders(seed)) for seed in range(5)}) > 1


def test_pictures_do_not_tell_the_networks_apart_by_their_size(scenes):
    for q in questions(scenes, TWO, n=1, method="grad_cam"):
        assert {p.shape for p in (q.photograph, *q.maps)} == {(survey.SIDE, survey.SIDE, 3)}


def test_surveys_that_cannot_be_made(scenes, monkeypatch):
    with pytest.raises(ValueError, match="compares two networks, got a, a"):
        questions(scenes, ("a", "a"))
    with pytest.raises(ValueError, match="n is at least 1, got 0"):
        questions(scenes, TWO, n=0)
    monkeypatch.setattr(survey, "_is_right", lambda net, sample: False)
    with pytest.raises(ValueError, match="no image of scenes is classified correctly by both"):
        questions(scenes, TWO, method="grad_cam")


# Answers ----------------------------------------------------------------------------------------


@pytest.fixture
def key(tmp_path):
    make(SOME, tmp_path)
    return tmp_path / "key.csv"


def answered(tmp_path, *lines):
    path = tmp_path / "filled.csv"
    path.write_text("\n".join(["participant,question,choice", *lines]) + "\n")
    return path


def test_choices_are_counted_by_the_key(tmp_path, key):
    """Questions 1 and 3 have two_net as A."""
    path = answered(tmp_path, "ann,1,A", "ann,2,B", "ann,3,b", "bob, 1 ,B", "bob,2,", "bob,4,A ")
    table = score(path, key).set_index("network")
    assert table["chosen"].to_dict() == {"one_net": 3, "two_net": 2}
    assert (table["answers"] == 5).all() and (table["participants"] == 2).all()
    assert table["share"].to_dict() == pytest.approx({"one_net": 0.6, "two_net": 0.4})


def test_intervals_are_over_participants(tmp_path, key):
    """Ten people of one mind each are ten observations, not forty."""
    lines = [f"p{i},{q},{'AB'[(q % 2) ^ (i < 5)]}" for i in range(10) for q in range(1, 5)]
    table = score(answered(tmp_path, *lines), key).set_index("network")
    assert table.at["one_net", "share"] == 0.5
    width = table.at["one_net", "high"] - table.at["one_net", "low"]
    assert 0.7 < width < 0.8  # of 40 independent answers it would be 0.3
    alike = [f"p{i},{q},{'AB'[(q + i) % 2]}" for i in range(10) for q in (1, 2, 3, 4)]
    del alike[::7]
    assert score(answered(tmp_path, *alike), key)["share"].sum() == pytest.approx(1)


def test_one_participant_has_no_interval(tmp_path, key):
    table = score(answered(tmp_path, "ann,1,A", "ann,2,A"), key)
    assert table["low"].isna().all() and table["share"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "line, message",
    [
        ("bob,9,A", "line 3: an unknown question: bob,9,A"),
        ("bob,1,C", "line 3: a choice that is neither A nor B: bob,1,C"),
        (",1,A", "line 3: no participant"),
        ("ann,1,B", "line 3: an answer that was given before: ann,1,B"),
    ],
)
def test_a_wrong_answer_is_named_with_its_line(line, message, tmp_path, key):
    with pytest.raises(ValueError, match=f"filled.csv, {message}"):
        score(answered(tmp_path, "ann,1,A", line), key)


def test_files_that_are_no_answers(tmp_path, key):
    with pytest.raises(FileNotFoundError, match="no file .*nowhere.csv"):
        score(tmp_path / "nowhere.csv", key)
    with pytest.raises(ValueError, match="has no column participant, choice; its first line is"):
        score(key, key)
    with pytest.raises(ValueError, match="holds no answer yet"):
        score(tmp_path / "answers.csv", key)


def test_the_command_line_scores(tmp_path, key):
    path = answered(tmp_path, "ann,1,A", "ann,2,B", "bob,1,B", "bob,2,B")
    output = CliRunner().invoke(main, ["survey", "score", str(path), str(key)]).output
    assert "two_net: 75.0 % [0.0, 100.0], 3 of 4 answers by 2 participants" in output
