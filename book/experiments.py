"""What each profile runs on each page, as `profiles.yaml` says, or what somebody asks for instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lib import data, nets
from lib.data.crops import crops
from lib.errors import unknown
from lib.manifests import StrictLoader

from .parameters import PROFILES

# The networks and images of those who name only one of the two.
PHOTOGRAPHS = {"smoke": "imagenet_embedded", "embedded": "imagenet_embedded", "paper": "imagenet"}
CLASSIFIERS = {
    "smoke": "tf_efficientnet_lite0",
    "embedded": "tf_efficientnet_lite0",
    "paper": "torchvision:resnet50",
}


@dataclass(frozen=True)
class Experiment:
    """A network cut at a layer, and the images that it sees.

    Attributes:
        network, layer: as for `nets.load`; an empty layer is the default.
        dataset: as for `data.load`.
        images: at most so many; None for all.
        title: what tables call it; by default the network's name, with the dataset's where one
            architecture is trained on several.
        crops: several crops of each image, as `data.crops` makes them.
        without: methods that do not run.
        options: of methods, in place of the profile's own.
        settings: what its notebook asks for by name, in place of the page's own.

    Example:
        >>> net, images = Experiment("tf_efficientnet_lite0", "imagenet_embedded").open()
    """

    network: str
    dataset: str
    layer: str = ""
    images: int | None = None
    title: str = ""
    crops: bool = False
    without: tuple[str, ...] = ()
    options: Mapping[str, dict] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        suffix = f", {self.dataset}" if self.dataset in ("voc", "coco") else ""
        return self.title or self.network + suffix

    def open(self, *, weights: str = "", root: str = "", **options) -> tuple[Any, data.Dataset]:
        """The network under its name, and its images at its own size.

        Args:
            weights, root: of `nets.load` and `data.load`; empty for their defaults. A network that
                is trained on this dataset finds it at `root` too.
            options: further ones of `nets.load`, such as device.
        """
        options |= {"weights": weights or None, "layer": self.layer or None}
        net = nets.load(self.network, **options, **self._trained_at(root))
        net.name = self.name
        return net, self.images_at(net.input_size, root)

    def test_accuracy(self, root: str = "") -> float | None:
        """The fraction of test images that a network of this project classifies correctly, with the
        weights of its recipe; None for any other network."""
        if self.network not in nets.RECIPES:
            return None
        return nets.recipe(self.network).train(**self._trained_at(root)).accuracy

    def _trained_at(self, root: str) -> dict[str, str | None]:
        """Where the network finds the dataset that it is trained on, if that is this one."""
        return {"root": root or None} if own_dataset(self.network) == self.dataset else {}

    def images_at(self, size: int, root: str = "") -> data.Dataset:
        """Its images alone."""
        found = data.load(self.dataset, root=root or None, limit=self.images, size=size)
        return crops(found) if self.crops else found


def own_dataset(network: str) -> str | None:
    """The dataset that a network of this project is trained on; None for any other network."""
    return nets.recipe(network).dataset if network in nets.RECIPES else None


@dataclass(frozen=True)
class Plan:
    """What a profile runs on a page.

    Attributes:
        experiments: in the order of the page's tables.
        options: of methods: as good as the profile can afford.
        many_passes: the methods that take many passes an image.
        settings: what the page's notebook asks for by name.
    """

    experiments: tuple[Experiment, ...]
    options: Mapping[str, dict]
    many_passes: tuple[str, ...]
    settings: Mapping[str, Any]


@cache
def _profiles() -> dict[str, Any]:
    with (Path(__file__).parent / "profiles.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, StrictLoader)


def pages() -> list[str]:
    """The pages that have a plan, such as "opticam/01_classification_metrics"."""
    return list(_profiles()["pages"])


def plan(page: str, profile: str) -> Plan:
    """What a profile runs on a page.

    Raises:
        UnknownName: no such page or profile; lists those that there are.

    Example:
        >>> plan("opticam/11_selectivity", "embedded").settings["many_passes"]
        10
    """
    known = _profiles()
    if page not in known["pages"]:
        raise unknown("page", page, known["pages"])
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    settings = dict(known["pages"][page][profile])
    experiments = tuple(_experiment(entry) for entry in settings.pop("experiments"))
    options = known["options"][profile] | _named(settings.pop("options", {}))
    return Plan(experiments, options, tuple(known["many_passes"]), settings)


def _experiment(entry: Mapping[str, Any]) -> Experiment:
    own = {f.name for f in fields(Experiment)} - {"settings", "options"}
    known = {name: value for name, value in entry.items() if name in own}
    settings = {name: entry[name] for name in entry.keys() - own - {"options"}}
    known["without"] = tuple(known.get("without", ()))
    return Experiment(**known, options=_named(entry.get("options", {})), settings=settings)


def _named(options: Mapping[str, str | dict]) -> dict[str, dict]:
    """Options of methods, with schedules by their names."""
    schedules = _profiles()["schedules"]
    return {m: schedules[o] if isinstance(o, str) else o for m, o in options.items()}


def asked(
    planned: tuple[Experiment, ...],
    profile: str,
    *,
    network: str = "",
    layer: str = "",
    dataset: str = "",
    root: str = "",
    n_images: int = 0,
) -> tuple[Experiment, ...]:
    """The experiments of somebody who names a network, images, or both, in place of the planned ones.

    A network brings the dataset that it is trained on, or else photographs, all of them; if it is
    planned, it keeps its options and settings. Images bring the planned networks that are trained on
    their classes, or else the first of this project that is, or else one of ImageNet. A layer, or a
    number of images, changes all of them.

    Args:
        planned: by the profile.
        network, layer, dataset, root, n_images: a notebook's parameters; empty or 0 where left open.
    """
    dataset = dataset or ("folder" if root and network else "")
    if network:
        known = [e for e in planned if (e.network, e.layer) == (network, layer)]
        dataset = dataset or own_dataset(network) or PHOTOGRAPHS[profile]
        one = replace(known[0], title="", crops=False) if known else Experiment(network, dataset)
        experiments = (replace(one, dataset=dataset, images=None),)
    elif dataset:
        fitting = [e for e in planned if own_dataset(e.network) in (None, dataset)]
        fitting = [e for e in fitting if own_dataset(e.network) or _has_imagenet_classes(dataset)]
        own = [name for name in nets.RECIPES if own_dataset(name) == dataset]
        others = [Experiment(own[0] if own else CLASSIFIERS[profile], dataset)]
        experiments = tuple(replace(e, dataset=dataset) for e in fitting or others)
    else:
        experiments = planned
    changes = {"layer": layer or None, "images": n_images or None}
    changes = {name: value for name, value in changes.items() if value}
    return tuple(replace(e, **changes) for e in experiments)


def _has_imagenet_classes(dataset: str) -> bool:
    """Whether the images may be of ImageNet's classes: all but the datasets with others of their own."""
    return dataset in ("folder", "imagenet", "imagenet_embedded")
