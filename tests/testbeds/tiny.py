"""A dataset of images of one colour, with questions, and recipes that learn it in a moment."""

import hashlib
from dataclasses import dataclass

import torch
from torch import nn

from lib import data
from lib.data import Sample
from lib.nets import RECIPES
from testbeds import image_cache, recipe
from testbeds.architectures import vgg
from testbeds.questions import architecture as vqa
from testbeds.recipe import Recipe, class_count

COLOURS = {"red": (1.0, 0.1, 0.1), "green": (0.1, 1.0, 0.1), "blue": (0.1, 0.1, 1.0)}
NAMES = tuple(COLOURS)
WHICH = "Which colour?"
YES, NO = len(NAMES), len(NAMES) + 1
SIZE = 8


@dataclass(frozen=True)
class Patch:
    """An image of one colour with noise, and perhaps a question about it."""

    seed: int
    question: str | None = None
    target: int | None = None  # by default, the true one

    def __post_init__(self) -> None:
        if self.target is None:
            object.__setattr__(self, "target", self._answer())

    @property
    def id(self) -> str:
        return f"{self.group}_{self.question}"

    @property
    def group(self) -> str:
        return f"patch_{self.seed}"

    @property
    def colour(self) -> str:
        return NAMES[self.seed % 3]

    def _answer(self) -> int:
        if self.question in (None, WHICH):
            return NAMES.index(self.colour)
        return YES if self.colour in self.question else NO

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def sample(self, size):
        generator = torch.Generator().manual_seed(self.seed)
        image = torch.tensor(COLOURS[self.colour]).view(3, 1, 1).expand(3, *size)
        image = (image + 0.05 * torch.randn(3, *size, generator=generator)).clamp(0, 1)
        return Sample(image, self.target, self.id, group=self.group, question=self.question)


def records(entry, root, split):
    seeds = range(54) if split == "train" else range(54, 90)
    if entry["name"] == "tiny":
        return [Patch(seed) for seed in seeds], NAMES
    asked = [(seed, q) for seed in seeds for q in (WHICH, f"Is it {NAMES[seed // 3 % 3]}?")]
    return [Patch(seed, question) for seed, question in asked], (*NAMES, "yes", "no")


def network(classes: int) -> nn.Module:
    return vgg.VGG(classes, blocks=[(8,)], size=SIZE, hidden=(8,), dropout=0.1)


def questioner(words, answers) -> vqa.VQA:
    cnn = vgg.convolutions([(8,)])
    return vqa.VQA(cnn, 8 * 16, words, answers, embedding=8, state=16, width=16, hidden=(16,))


PLAIN = Recipe(
    name="tiny",
    build=network,
    arguments=class_count,
    dataset="tiny",
    floor=0.9,
    epochs=4,
    batch_size=8,
    input_size=SIZE,
    learning_rate=0.01,
    shift=1,
    flip=True,
)
ASKING = Recipe(
    name="tiny_vqa",
    build=questioner,
    arguments=vqa.of_questions,
    dataset="tiny_questions",
    floor=0.9,
    epochs=30,
    batch_size=9,
    input_size=SIZE,
    learning_rate=0.01,
    questions=True,
)


def register(monkeypatch, folder) -> None:
    """The datasets and recipes, for one test; what is trained lies in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tiny", "tiny_questions"):
        source = {"kind": "datasets", "source": {"folder": str(folder)}}
        entry = {"name": name, "size": SIZE, "splits": ["train", "test"], **source}
        monkeypatch.setitem(data.DATASETS, name, entry)
        monkeypatch.setitem(data.LOADERS, name, records)
    monkeypatch.setitem(RECIPES, "tiny", f"{__name__}:PLAIN")
    monkeypatch.setitem(RECIPES, "tiny_vqa", f"{__name__}:ASKING")
    monkeypatch.setattr(recipe, "FOLDER", folder)
    monkeypatch.setattr(image_cache, "FOLDER", folder / "images")
