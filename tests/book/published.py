"""The published setting at a cost that a test affords: tiny datasets, untrained weights, small images and
counts."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from book import experiments, page
from lib import manifests, nets
from lib.nets import weights
from lib.nets.trunk import Trunk
from testbeds import recipe, training
from testbeds.wsol import finetuned

from .. import fine_grained, tiny_datasets

COUNTS = int | float
ACCURACY = 0.5  # of a network that nobody trained
TRANSFORMERS = ("vit_base", "deit_base")
SIZED = (
    "torchvision:",
    *TRANSFORMERS,
)  # the networks that see smaller images, and those of recipes
SIDES = {224: 96, 299: 160}  # of images in pixels, by the published side


def smaller(paper: Any, smoke: Any) -> Any:
    """The value of the profile `paper` with the numbers of `smoke`, where both have a number or no limit.

    Example:
        >>> smaller({"finer": {"images": 100}, "label": "calm"}, {"finer": {"images": 1}})
        {'finer': {'images': 1}, 'label': 'calm'}
    """
    if isinstance(paper, Mapping) and isinstance(smoke, Mapping):
        return {key: smaller(value, smoke.get(key)) for key, value in paper.items()}
    everything = paper is None  # a count without a limit
    return (
        smoke if isinstance(smoke, COUNTS) and (everything or isinstance(paper, COUNTS)) else paper
    )


def affordable(name: str, profile: str) -> experiments.Plan:
    """The plan of a profile, with the options, numbers and left out methods of `smoke`."""
    full, smoke = experiments.plan(name, profile), experiments.plan(name, "smoke")
    settings = smaller(full.settings, smoke.settings)
    left_out = {"without": smoke.settings.get("without", [])}
    return replace(full, options=smoke.options, settings=settings | left_out)


def untrained(own: recipe.Recipe, train, test, device, validation=None) -> training.Trained:
    """What `training.fit` returns, for the network as it begins."""
    arguments = own.arguments(train)
    state = training.untrained(own, arguments).state_dict()
    return training.Trained(arguments, state, ACCURACY, seconds=0.0)


_trunk = cache(finetuned.trunk)  # three, for the 54 networks of CALM's table B


def trunk(name: str) -> Trunk:
    """A copy of the features that `finetuned.trunk` builds, which takes seconds."""
    return copy.deepcopy(_trunk(name))


def _sized(own: Any) -> Any:
    """A recipe for smaller images; anything else as it is."""
    if not isinstance(own, recipe.Recipe):
        return own
    return replace(own, input_size=SIDES.get(own.input_size, own.input_size))


def published(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts tiny datasets, untrained weights, small images and counts in place; returns the data's folder.

    A network whose weights are not here keeps those that it was built with. Trained networks are
    not stored.
    """
    preprocessing, resolve = nets._preprocessing, manifests.resolve

    def small(name, model):
        found = preprocessing(name, model)
        side = found["input_size"]
        return found | {"input_size": SIDES.get(side, side) if name.startswith(SIZED) else side}

    def build(name, **options):
        own = {"img_size": SIDES[224]} if name.startswith(TRANSFORMERS) else {}
        return weights.build(name, **own, **options)

    def initial(model, name, path):
        try:
            return weights.load_weights(model, name, path)
        except FileNotFoundError:
            return model

    monkeypatch.setenv("CAMS_DATA", str(folder))
    monkeypatch.setattr(manifests, "resolve", lambda place: _sized(resolve(place)))
    monkeypatch.setattr(nets, "_preprocessing", small)
    monkeypatch.setattr(nets, "build", build)
    monkeypatch.setattr(nets, "load_weights", initial)
    monkeypatch.setattr(recipe, "fit", untrained)
    monkeypatch.setattr(finetuned, "trunk", trunk)
    monkeypatch.setattr(recipe, "FOLDER", folder / "networks")
    monkeypatch.setattr(recipe, "write_atomically", lambda path, write: None)
    monkeypatch.setattr(page, "BUILD", folder / "build")
    monkeypatch.setattr(page, "plan", affordable)
    fine_grained.without_checksums(monkeypatch)
    return folder


def datasets(folder: Path) -> Path:
    """The folder in which all tiny datasets lie where their manifests expect them."""
    return tiny_datasets.data_home(folder)
