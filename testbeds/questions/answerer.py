"""A trained network that answers questions, as a classifier for each question."""

from dataclasses import dataclass
from pathlib import Path

import torch

from lib.checks import as_dtype
from lib.errors import unknown
from lib.nets import RECIPES, recipe
from lib.nets.classifier import Classifier
from lib.paths import given

from ..recipe import Recipe
from .architecture import VQA


@dataclass(frozen=True)
class Answerer:
    """A `VQA` with the preprocessing of its images.

    Attributes:
        model: the bare network of images and questions.
        recipe: its recipe, with the mean, standard deviation and size of its images.
    """

    model: VQA
    recipe: Recipe

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.model.answers

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary of the questions."""
        return self.model.words

    def ask(self, question: str, layer: str | None = None) -> Classifier:
        """The classifier of images whose classes are the answers to this question.

        All of them share the weights of one network.

        Raises:
            UnknownName: a word is not in the vocabulary, which the message lists.
        """
        return Classifier(
            self.model.ask(question),
            layer,
            mean=self.recipe.mean,
            std=self.recipe.std,
            input_size=self.recipe.input_size,
            name=self.recipe.name,
            classes=self.answers,
        )


def answering(name: str) -> Recipe:
    """The recipe of a network of this project that answers questions about images.

    Raises:
        UnknownName: there is no such network; the message lists the valid names.
    """
    if name not in RECIPES or not recipe(name).questions:
        able = [known for known in RECIPES if recipe(known).questions]
        raise unknown("network that answers questions", name, able)
    return recipe(name)


def answerer(
    name: str,
    *,
    weights: str | Path | None = None,
    root: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
) -> Answerer:
    """A network of this project that answers questions about images.

    Args:
        name: `scenes_vqa`, or `vqa_v1` if that dataset is available.
        weights, root, device, dtype: as for `nets.load` and `data.load`.

    Raises:
        UnknownName: as for `answering`.

    Example:
        >>> net = answerer("scenes_vqa").ask("what colour is the star?")
        >>> net(torch.rand(1, 3, 64, 64)).shape
        torch.Size([1, 21])
    """
    able = answering(name)
    weights = given(weights) if weights not in (None, "random") else weights
    model = able.load(weights, root=root, device=device)
    return Answerer(model.to(device, as_dtype(dtype)).eval(), able)
