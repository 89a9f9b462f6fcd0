"""Recipes of networks that are trained here: each is trained once, then read from `build/networks`.

A file is named by a hash of everything on which the weights depend: the recipe, the source code of
network, dataset and training, the dataset's manifest, and torch. A dataset with splits that is read
from a folder is identified by the folder's path, and a user's own images by their content.

To add a network, write its recipe in the module of its test bed and name it in
`data_manifests/networks.yaml`. Recipes whose names end in `_quick` see a few images once. They are
for trying a page, not for its numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn

from lib import data
from lib.code import code_key, own_name
from lib.nets.weights import fill, read_state
from lib.paths import BUILD
from lib.store import key, recall, write_atomically

from .training import Loss, Phase, Trained, fit, untrained

Triple = tuple[float, float, float]

FOLDER = BUILD / "networks"


def class_count(train: data.Dataset) -> dict[str, int]:
    """The arguments of a classifier from its training data: the number of classes."""
    if train.classes is None:
        raise ValueError(f"{train.name} has no classes: a classifier needs a labelled dataset")
    return {"classes": len(train.classes)}


@dataclass(frozen=True)
class Recipe:
    """How one network is built and trained; the weights depend on everything here.

    Attributes:
        build: a function that gives the network with random weights, from the result of
            `arguments`. The network takes normalised images, and the tokens of questions too if
            `questions`.
        arguments: a function that gives the arguments of `build` from the training data.
        dataset: a dataset of `lib.data`, whose `splits` are for training and for testing. If it has
            no splits, every fifth image of a class is for testing.
        floor: the lowest accepted test accuracy; training fails below it.
        mean, std: the values per colour channel that are subtracted and divided by.
        validation: the split whose loss chooses the best epoch; None for the last epoch.
        questions: whether the network also takes questions about an image, and has `encode`. The
            samples of a group share their image, which is processed once for all of them.
        pretrained: the submodules that start from a manifest's weights ("" is the whole network),
            by the name of the network that gives them. A classifier of other classes starts at
            random.
        before: phases of training that come first.
        frozen: the submodules that are not trained after those phases.
        limit: the largest number of images of each split.
        in_memory: whether images are drawn or decoded once and kept, instead of in every epoch.
        optimizer: "adamw", or "sgd" with momentum 0.9.
        schedule: "cycle", in which the learning rate rises for a fraction `warmup` of the steps and
            then falls to zero; "constant"; or "steps", divided by ten after every thirty epochs.
        learning_rate: the peak of the learning rate.
        faster: the submodules whose learning rate is ten times as high.
        shift, flip: random translation by up to `shift` pixels, and mirroring, in training.
        loss: a function, at the top level of a module, of the network in training, a batch of
            normalised images and their targets; None for the cross-entropy of the network's output.
        permuted: whether the labels of the training images are shuffled among them, so that the
            network can only learn them by heart.
        reproducible: whether the network is trained in double precision on the CPU. Training
            multiplies rounding differences ten-million-fold. In double precision they are so small
            that the weights, in single precision, are the same on another machine or with another
            number of threads.
    """

    name: str
    build: Callable[..., nn.Module]
    arguments: Callable[[data.Dataset], dict]
    dataset: str
    floor: float
    epochs: int
    batch_size: int
    input_size: int
    mean: Triple = (0.5, 0.5, 0.5)
    std: Triple = (0.25, 0.25, 0.25)
    splits: tuple[str, str] = ("train", "test")
    validation: str | None = None
    questions: bool = False
    pretrained: tuple[tuple[str, str], ...] = ()
    before: tuple[Phase, ...] = ()
    frozen: tuple[str, ...] = ()
    limit: int | None = None
    in_memory: bool = True
    optimizer: str = "adamw"
    schedule: str = "cycle"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    faster: tuple[str, ...] = ()
    warmup: float = 0.2
    label_smoothing: float = 0.0
    shift: int = 0
    flip: bool = False
    loss: Loss | None = None
    permuted: bool = False
    reproducible: bool = False
    seed: int = 0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of training; the weights are stored in single precision."""
        return torch.float64 if self.reproducible else torch.float32

    def train(
        self, *, root: str | Path | None = None, device: str | torch.device = "cpu"
    ) -> Trained:
        """The trained network; it is trained now unless it has been trained before.

        Args:
            root: the folder of its dataset, as for `data.load`.
            device: the device of training; a reproducible network is always trained on the CPU.

        Raises:
            FileNotFoundError: its dataset is missing; the message says how to obtain it.
            ValueError: it does not reach the recipe's lowest accepted accuracy.

        Example:
            >>> nets.recipe("scenes_vgg").train().accuracy > 0.85
            True
        """
        path = FOLDER / f"{self.name}-{self._key(root)}.pt"
        FOLDER.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # another process waits, then reads
            known = recall(path, lambda p: Trained(**torch.load(p, weights_only=True)))
            if known is None:
                train, test = (self._split(split, root) for split in self.splits)
                validation = self._split(self.validation, root) if self.validation else None
                known = fit(self, train, test, device, validation)
                write_atomically(path, lambda p: torch.save(known._asdict(), p))
        return known

    def load(
        self,
        weights: str | Path | None = None,
        *,
        root: str | Path | None = None,
        device: str | torch.device = "cpu",
    ) -> nn.Module:
        """The bare network.

        Args:
            weights: None for the trained weights, "random" for a fixed random initialisation, or
                the path of a state dict.
        """
        if weights is None:
            found = self.train(root=root, device=device)
            model = untrained(self, found.arguments)
            model.load_state_dict(found.state_dict)
            return model
        model = untrained(self, self.arguments(self._split(self.splits[0], root)))
        if weights == "random":
            return model
        return fill(model, self.name, read_state(Path(weights), self.name), Path(weights))

    def classes(self, root: str | Path | None = None) -> tuple[str, ...] | None:
        """The names of the classes of its training images, in order; None if they have no names.

        Example:
            >>> nets.recipe("scenes_vgg").classes()[0]
            'circle'
        """
        return self._split(self.splits[0], root).classes

    def _split(self, split: str, root: str | Path | None) -> data.Dataset:
        options = {"root": root, "limit": self.limit, "size": self.input_size}
        if "splits" in data.DATASETS[self.dataset]:
            return data.load(self.dataset, split=split, **options)
        return _part(data.load(self.dataset, **options).readable(), split == self.splits[1])

    def _key(self, root: str | Path | None) -> str:
        records = data.DATASETS[self.dataset]["source"].get("generator", "").partition(":")[0]
        modules = {self.build.__module__, self.arguments.__module__, fit.__module__}
        modules |= {self.loss.__module__} if self.loss else set()
        but = ("lib.nets.calm", "lib.nets.strides")  # may be part of the network
        outside = ("lib", "testbeds.recipe")
        code = code_key(*modules, *filter(None, [records]), outside=outside, but=but)
        place = str(Path(root).resolve()) if root else None
        if "splits" not in data.DATASETS[self.dataset]:  # a user's images may change
            place = data.load(self.dataset, root=root).content
        return key(self._values(), code, data.DATASETS[self.dataset], place, torch.__version__)

    def _values(self) -> dict[str, Any]:
        """The recipe as plain values; a function is identified by its name and its code."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: f"{own_name(value.__module__)}.{value.__qualname__}" if callable(value) else value
            for name, value in values.items()
        }


def _part(images: data.Dataset, test: bool) -> data.Dataset:
    """Every fifth image of each class, or the others."""
    seen: dict[int | None, int] = {}
    wanted = []
    for i, target in enumerate(images.targets):
        seen[target] = seen.get(target, -1) + 1
        if (seen[target] % 5 == 2) == test:
            wanted.append(i)
    if not wanted:
        raise ValueError(
            f"{images.name} has too few images to learn from: give at least five of a class"
        )
    return images.subset(wanted)


def quick(recipe: Recipe, *, images: int = 1000) -> Recipe:
    """The same network after one epoch on a few images, whatever its accuracy.

    The committed outputs use it, since they must be reproducible on every machine.
    """
    return replace(
        recipe,
        name=f"{recipe.name}_quick",
        epochs=1,
        limit=images,
        floor=0.0,
        reproducible=True,
    )
