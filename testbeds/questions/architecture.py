"""Visual question answering (Antol et al., 2015, section 4.1): an answer from image and question.

    v = f(W_v CNN(image))                             (B, D)
    q = tanh(W_q [c_T, h_T]),  (c, h) = LSTM(words)    (B, D)
    logits = MLP(v * q)                               (B, answers)

In the paper f and the non-linearity of the MLP are tanh. If the question is fixed, q is a constant,
and the network is a classifier of images.
"""

import re
from collections.abc import Iterable, Sequence

import torch
import torchvision.models as tv
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from lib.data import Dataset
from lib.errors import unknown

from ..architectures.vgg import SMALL, convolutions

PADDING = 0  # the token after the end of a question
UNKNOWN = "<unknown>"  # if in the vocabulary, it stands for every word that is not


def words_in(question: str) -> list[str]:
    """The words of a question, in lower case, without punctuation.

    Example:
        >>> words_in("What colour is the star?")
        ['what', 'colour', 'is', 'the', 'star']
    """
    return re.findall(r"[\w'-]+", question.lower())


class VQA(nn.Module):
    """Answers questions about images; gives logits (B, answers).

    Args:
        backbone: the network from images (B, 3, H, W) to features of any shape (B, ...).
        features: the number of features per image.
        words: the vocabulary; if it has `UNKNOWN`, any other word is read as that.
        answers: the names of the answers.
        embedding, state: the widths of a word's embedding and of the LSTM's state.
        layers: the number of layers of the LSTM.
        width: D, the common width of image and question.
        hidden: the widths of the hidden layers between the product and the answers.
        dropout: the probability with which a unit before a linear layer of the MLP is dropped.
        activation: f, and the non-linearity of the MLP.
        batch_norm: whether the inputs of f and of the question's tanh are batch-normalised.

    Example:
        >>> vqa = nets.answerer("scenes_vqa").model
        >>> vqa(images, vqa.encode(["what colour is the star?"] * len(images)))
    """

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        words: Iterable[str],
        answers: Iterable[str],
        *,
        embedding: int,
        state: int,
        width: int,
        hidden: Sequence[int],
        layers: int = 1,
        dropout: float = 0.0,
        activation: type[nn.Module] = nn.Tanh,
        batch_norm: bool = False,
    ):
        super().__init__()
        self.words, self.answers = tuple(words), tuple(answers)
        self._tokens = {word: token for token, word in enumerate(self.words, PADDING + 1)}
        self.backbone = backbone
        self.image = nn.Sequential(
            nn.Flatten(), *_linear(features, width, batch_norm), activation()
        )
        self.embedding = nn.Embedding(len(self.words) + 1, embedding, padding_idx=PADDING)
        self.lstm = nn.LSTM(embedding, state, layers, batch_first=True)
        self.question = nn.Sequential(*_linear(2 * layers * state, width, batch_norm), nn.Tanh())
        self.classifier = _perceptron([width, *hidden, len(self.answers)], dropout, activation)

    def forward(self, images: Tensor, questions: Tensor, about: Tensor | None = None) -> Tensor:
        """Logits (Q, answers) of questions about images.

        Args:
            images: (B, 3, H, W), normalised.
            questions: tokens (Q, T), as `encode` gives them.
            about: (Q,) the image of each question; None for one question per image.
        """
        v = self.image(self.backbone(images))  # (B, D)
        return self.classifier((v if about is None else v[about]) * self.read(questions))

    def encode(self, questions: Sequence[str]) -> Tensor:
        """Tokens (B, T) of questions, padded to the longest.

        Raises:
            UnknownName: a word is not in the vocabulary, which the message lists.
            ValueError: a question has no words.
        """
        return pad_sequence([self._encode(q) for q in questions], True, PADDING)

    def _encode(self, question: str) -> Tensor:
        words = words_in(question)
        if not words:
            raise ValueError(f"the question {question!r} has no words")
        spare = self._tokens.get(UNKNOWN)
        for word in words:
            if word not in self._tokens and spare is None:
                raise unknown("word", word, self.words)
        return torch.tensor([self._tokens.get(word, spare) for word in words])

    def read(self, questions: Tensor) -> Tensor:
        """q (B, D) from tokens (B, T)."""
        lengths = (questions != PADDING).sum(1).cpu()
        words = self.embedding(questions).tanh()  # (B, T, embedding)
        packed = pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        _, (h, c) = self.lstm(packed)  # each (layers, B, state), of each question's last word
        return self.question(torch.cat([*c, *h], dim=1))

    def ask(self, question: str) -> "Asked":
        """The network of images alone that answers this question."""
        return Asked(self, question)


class Asked(nn.Module):
    """A `VQA` with a fixed question: images (B, 3, H, W) to logits (B, answers).

    It shares the modules of `vqa`. The question's embedding is computed once, here, and is part of
    the state dict.
    """

    def __init__(self, vqa: VQA, question: str):
        super().__init__()
        self.backbone, self.image, self.classifier = vqa.backbone, vqa.image, vqa.classifier
        tokens = vqa.encode([question]).to(vqa.embedding.weight.device)
        training = vqa.question.training
        with torch.no_grad():
            vqa.question.eval()  # batch normalisation, else over a batch of one
            self.register_buffer("question", vqa.read(tokens))  # (1, D)
        vqa.question.train(training)

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.image(self.backbone(images)) * self.question)


def _linear(before: int, after: int, batch_norm: bool) -> list[nn.Module]:
    return [nn.Linear(before, after), *([nn.BatchNorm1d(after)] if batch_norm else [])]


def _perceptron(
    widths: Sequence[int], dropout: float, activation: type[nn.Module]
) -> nn.Sequential:
    """Linear layers of these widths with an activation between them, and dropout before each."""
    layers = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Dropout(dropout), nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


# For the recipes --------------------------------------------------------------------------------


def of_questions(train: Dataset) -> dict[str, list[str]]:
    """The arguments of a `VQA` from its training data: the words of questions, and the answers."""
    return {"words": _vocabulary(train), "answers": list(train.classes)}


def of_questions_at_large(train: Dataset) -> dict[str, list[str]]:
    """The same for questions of people, in which new words may occur later."""
    return {"words": [UNKNOWN, *_vocabulary(train)], "answers": list(train.classes)}


def _vocabulary(train: Dataset) -> list[str]:
    questions = {record.question for record in train.records}
    return sorted({word for question in questions for word in words_in(question)})


def small(words: Sequence[str], answers: Sequence[str]) -> VQA:
    """For drawn images of 64 x 64: the last activation is (128, 8, 8).

    ReLU and batch normalisation are not in the paper. Without them, the network learns little more
    in minutes of training than which answers fit which question.
    """
    return VQA(
        convolutions(SMALL),
        128 * 4 * 4,
        words,
        answers,
        embedding=32,
        state=64,
        width=256,
        hidden=(128,),
        activation=nn.ReLU,
        batch_norm=True,
    )


def antol(words: Sequence[str], answers: Sequence[str]) -> VQA:
    """The paper's best network ("deeper LSTM Q", two LSTM layers) on VGG-19, for 224 x 224.

    The paper scales the 4096 features of an image to length one; here they stay as they are.
    """
    backbone = tv.vgg19()
    backbone.classifier = backbone.classifier[:-1]  # up to fc7
    return VQA(
        backbone,
        4096,
        words,
        answers,
        embedding=300,
        state=512,
        layers=2,
        width=1024,
        hidden=(1000, 1000),
        dropout=0.5,
    )
