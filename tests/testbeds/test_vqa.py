"""Visual question answering, and the classifier that a fixed question leaves."""

import pytest
import torch
import torchvision.models as tv

from lib import nets
from lib.errors import UnknownName
from testbeds.questions import Answerer, answerer
from testbeds.questions import architecture as vqa

from . import tiny

WORDS = ("blue", "colour", "green", "is", "it", "red", "which")
ANSWERS = (*tiny.NAMES, "yes", "no")


@pytest.fixture
def model() -> vqa.VQA:
    torch.manual_seed(0)
    return tiny.questioner(WORDS, ANSWERS).double().eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, tiny.SIZE, tiny.SIZE, dtype=torch.float64)


def test_the_network_is_the_equation(model, images):
    question = "is it red"
    h = c = torch.zeros(1, 16, dtype=torch.float64)
    lstm = torch.nn.LSTMCell(8, 16).double()
    lstm.load_state_dict({k.removesuffix("_l0"): v for k, v in model.lstm.state_dict().items()})
    for word in question.split():
        token = torch.tensor([WORDS.index(word) + 1])
        h, c = lstm(model.embedding(token).tanh(), (h, c))
    q = torch.tanh(model.question[0](torch.cat([c, h], 1)))
    v = torch.tanh(model.image[1](model.backbone(images).flatten(1)))
    hidden, last = model.classifier[1], model.classifier[-1]
    logits = last(torch.tanh(hidden(v * q)))
    tokens = model.encode([question] * 3)
    torch.testing.assert_close(model(images, tokens), logits)


def test_padding_changes_nothing(model, images):
    short, long = "Which colour?", "is it it it red"
    alone = model(images[:1], model.encode([short]))
    padded = model(images[[0, 0]], model.encode([short, long]))
    torch.testing.assert_close(padded[:1], alone)
    assert (padded[1] - padded[0]).abs().max() > 1e-3


def test_several_questions_about_an_image(model, images):
    tokens, about = model.encode(["which colour", "is it red", "is it blue"]), [2, 0, 2]
    expected = torch.cat([model(images[[i]], t[None]) for i, t in zip(about, tokens)])
    torch.testing.assert_close(model(images, tokens, torch.tensor(about)), expected)


def test_ask_is_the_network_with_that_question(model, images):
    asked = model.ask("Is it red?")
    torch.testing.assert_close(asked(images), model(images, model.encode(["is it red"] * 3)))
    assert "question" in asked.state_dict() and not asked.question.requires_grad


def test_an_asked_network_is_an_ordinary_classifier(model, images):
    net = nets.wrap(model.ask("is it red?"), mean=(0.5,) * 3, input_size=tiny.SIZE)
    assert net.features(images).shape == (3, 8, tiny.SIZE, tiny.SIZE)
    assert net.layer == "backbone.2" and not net.needs_context and net.num_classes == 5
    torch.testing.assert_close(net.head(net.features(images)), net(images))
    other = nets.wrap(model.ask("is it blue?"), mean=(0.5,) * 3, input_size=tiny.SIZE)
    assert other.fingerprint != net.fingerprint


def test_words():
    assert vqa.words_in("What's the man's T-shirt, in 2 words?") == [
        *("what's", "the", "man's", "t-shirt", "in", "2", "words")
    ]


def test_an_unknown_word_lists_the_vocabulary(model):
    with pytest.raises(UnknownName, match=r"unknown word 'gren' .*'green'.*valid: blue, colour"):
        model.ask("is it gren?")
    with pytest.raises(ValueError, match=r"question '\?' has no words"):
        model.ask("?")


def test_a_vocabulary_at_large_reads_unknown_words_as_one():
    model = tiny.questioner((vqa.UNKNOWN, *WORDS), ANSWERS)
    assert model.encode(["is it gren"]).equal(model.encode(["is it olive"]))
    assert not model.encode(["is it gren"]).equal(model.encode(["is it red"]))


def test_the_papers_network_takes_its_images_to_its_answers():
    with torch.device("meta"):  # its shapes, without its 0.6 GB
        model = vqa.antol((vqa.UNKNOWN, *WORDS), [str(i) for i in range(1000)])
        features = model.backbone(torch.empty(2, 3, 224, 224))
        v = model.image(features)
        logits = model.classifier(v)
        vgg19 = tv.vgg19().state_dict()  # whose weights its backbone begins with
    assert vgg19.keys() - model.backbone.state_dict() == {
        "classifier.6.weight",
        "classifier.6.bias",
    }
    assert features.shape == (2, 4096) and v.shape == (2, 1024) and logits.shape == (2, 1000)
    assert model.question[0].in_features == 2 * 2 * 512


def test_the_network_of_drawn_scenes_is_cut_at_its_last_relu():
    model = vqa.small(WORDS, ANSWERS)
    net = nets.wrap(model.ask("is it red?"), input_size=64)
    A = net.features(torch.rand(1, 3, 64, 64))
    assert A.shape == (1, 128, 8, 8) and A.min() == 0
    assert not any(isinstance(m, torch.nn.Tanh) for m in net.model.modules())
    norms = [m for m in (*model.image, *model.question) if isinstance(m, torch.nn.BatchNorm1d)]
    assert len(norms) == 2


# Trained ----------------------------------------------------------------------------------------


@pytest.fixture
def trained(monkeypatch, tmp_path) -> Answerer:
    tiny.register(monkeypatch, tmp_path)
    return answerer("tiny_vqa")


def test_a_trained_answerer_answers(trained):
    assert trained.answers == ANSWERS and trained.words == WORDS
    colours = torch.tensor(list(tiny.COLOURS.values())).view(3, 3, 1, 1).expand(-1, -1, 8, 8)

    def answers(question: str) -> list[str]:
        net = trained.ask(question)
        return [trained.answers[i] for i in net(colours).argmax(1)]

    assert answers("which colour?") == list(tiny.NAMES)
    assert answers("is it green?") == ["no", "yes", "no"]


def test_its_classifiers_share_its_weights(trained):
    one, two = trained.ask("which colour?"), trained.ask("is it red?")
    assert one.model.classifier is two.model.classifier and one.name == "tiny_vqa"
    assert one.mean.flatten().tolist() == [0.5] * 3 and one.input_size == tiny.SIZE


def test_a_classifier_of_images_alone_is_refused(trained):
    with pytest.raises(ValueError, match=r"needs a question: testbeds.questions.answerer\('tiny_vqa'\)"):
        nets.load("tiny_vqa")
    with pytest.raises(
        UnknownName, match="network that answers questions 'tiny' .*valid: scenes_vqa"
    ):
        answerer("tiny")


def test_the_real_dataset_is_asked_for_by_its_layout(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path / "networks")
    with pytest.raises(FileNotFoundError, match="(?s)vqa.*visualqa.org"):
        nets.recipe("vqa_v1").train(root=tmp_path)
