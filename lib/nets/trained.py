"""Networks that are trained in the build: once, then read from `build/networks`.

A file is named by a hash of everything that decides the weights: the recipe, the source code of
network, dataset and training, the dataset's manifest, and torch. A dataset that is read from a
folder is known by the folder's path.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn

from .. import data
from ..errors import unknown
from ..paths import BUILD
from ..store import code_key, key, write_atomically
from .recipes import RECIPES, Recipe
from .training import Trained, fit, say, untrained
from .weights import fill, read_state

FOLDER = BUILD / "networks"

_CODE = ("nets/drawn.py", "nets/training.py", "nets/weights.py")


def train(name: str, *, root: str | Path | None = None, device: str = "cpu") -> Trained:
    """A trained network of this project; it is trained now unless it has been before.

    Args:
        name: one of `RECIPES`.
        root: the folder of its dataset, as for `data.load`.
        device: where it is trained, if it is; a reproducible one is trained on the CPU.

    Raises:
        UnknownName: no such network.
        FileNotFoundError: its dataset is not there; says how to obtain it.
        ValueError: it does not reach the accuracy that its recipe asks for.

    Example:
        >>> train("scenes_vgg").accuracy > 0.85
        True
    """
    recipe = recipe_named(name)
    path = FOLDER / f"{name}-{_key(recipe, root)}.pt"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # another process waits, then reads
        known = _read(path)
        if known is None:
            known = fit(recipe, *(_split(recipe, root, split) for split in recipe.splits), device)
            write_atomically(path, lambda p: torch.save(known._asdict(), p))
    return known


def recipe_named(name: str) -> Recipe:
    """The recipe of a network; an UnknownName lists those that there are."""
    if name not in RECIPES:
        raise unknown("network of this project", name, RECIPES)
    return RECIPES[name]


def load_model(
    name: str, weights: str | Path | None, *, root: str | Path | None = None, device: str = "cpu"
) -> nn.Module:
    """The bare network of a recipe.

    Args:
        weights: None for the trained ones, "random" for a fixed random initialisation, or the path
            of a state dict.
    """
    recipe = recipe_named(name)
    if weights is None:
        found = train(name, root=root, device=device)
        model = untrained(recipe, found.arguments)
        model.load_state_dict(found.state_dict)
        return model
    model = untrained(recipe, recipe.arguments(_split(recipe, root, recipe.splits[0])))
    if weights == "random":
        return model
    return fill(model, name, read_state(Path(weights), name), Path(weights))


def _split(recipe: Recipe, root: str | Path | None, split: str) -> data.Dataset:
    return data.load(
        recipe.dataset, root=root, split=split, limit=recipe.limit, size=recipe.input_size
    )


def _key(recipe: Recipe, root: str | Path | None) -> str:
    place = str(Path(root).resolve()) if root else None
    return key(
        _values(recipe),
        code_key(*_CODE, *recipe.code),
        data.DATASETS[recipe.dataset],
        place,
        torch.__version__,
    )


def _values(recipe: Recipe) -> dict[str, Any]:
    """A recipe in plain values; a function is known by its name, and by its code in `code`."""
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    return {
        name: f"{value.__module__}.{value.__qualname__}" if callable(value) else value
        for name, value in values.items()
    }


def _read(path: Path) -> Trained | None:
    """What a file of the cache holds; None when there is none, or it is damaged."""
    if not path.is_file():
        return None
    try:
        return Trained(**torch.load(path, weights_only=True))
    except Exception as error:  # unpickling a damaged file may raise anything
        say(f"{path.name} is damaged ({type(error).__name__}: {error}): trained again")
        return None
