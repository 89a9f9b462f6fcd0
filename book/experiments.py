"""The experiments of each profile on each page, from `profiles.yaml`, or those that a user asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lib import data, nets
from lib.classes import matched
from lib.data.crops import crops
from lib.errors import unknown
from lib.manifests import StrictLoader
from lib.paths import given as stands_for

from .parameters import PROFILES

# The images, and the networks, for users who name only one of the two.
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
        images: the largest number of images; None for all.
        title: the name in tables; by default that of the network, with that of the dataset where one
            architecture is trained on several.
        crops: whether the images are several crops of each image, as `data.crops` makes them.
        reference: the reference images of DiffCAM, as `data.load` takes them: dataset, split, limit;
            None if each image has the other images as references.
        without: methods that do not run.
        options: of methods, in place of those of the profile.
        settings: values that the notebook reads by name, in place of those of the page.

    Example:
        >>> net, images = Experiment("tf_efficientnet_lite0", "imagenet_embedded").open()
    """

    network: str
    dataset: str
    layer: str = ""
    images: int | None = None
    title: str = ""
    crops: bool = False
    reference: Mapping[str, Any] | None = None
    without: tuple[str, ...] = ()
    options: Mapping[str, dict] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.title or self._of_data(self.network)

    def _of_data(self, network: str) -> str:
        return f"{network}, {self.dataset}" if self.dataset in ("voc", "coco") else network

    def open(self, *, weights: str = "", root: str = "", **options) -> tuple[Any, data.Dataset]:
        """The network under its name, and its images at the network's size.

        Args:
            weights, root: of `nets.load` and `data.load`; empty for their defaults. A network that
                is trained on this dataset finds it at `root` too.
            options: further options of `nets.load`, such as device.
        """
        images = self.images_at(None, root)  # first, so that missing images are noticed early
        options |= {"weights": weights or None, "layer": self.layer or None}
        net = nets.load(self.network, **options, **self.trained_at(root))
        net.name = self.title or self._of_data(net.name)
        return net, matched(images.at(net.input_size), net)

    def test_accuracy(self, root: str = "") -> float | None:
        """The fraction of test images that a network of this project classifies correctly, with the
        weights of its recipe; None for any other network."""
        if self.network not in nets.RECIPES:
            return None
        return nets.recipe(self.network).train(**self.trained_at(root)).accuracy

    def trained_at(self, root: str) -> dict[str, str | None]:
        """The root of the dataset for a network that is trained on it; nothing for other networks."""
        return {"root": root or None} if own_dataset(self.network) == self.dataset else {}

    def images_at(self, size: int | None = None, root: str = "") -> data.Dataset:
        """The images alone, with the class numbers of the dataset."""
        found = data.load(self.dataset, root=root or None, limit=self.images, size=size)
        return crops(found) if self.crops else found

    def references(self, images: data.Dataset, given: str = "", root: str = "") -> data.Dataset:
        """The reference images of DiffCAM for `images`.

        Args:
            given: a dataset or a folder of the user, in place of the planned references.
            root: of the dataset, if the references are from the same dataset as the images.
        """
        if given:
            own = {"name": given}
            if given not in data.DATASETS:
                own = {"name": "folder", "root": stands_for(given)}
            return data.load(**own, size=images.size)
        if self.reference is None:
            return images
        name, others = self.reference["dataset"], dict(self.reference)
        place = root if name == self.dataset and root else None
        return data.load(others.pop("dataset"), root=place, size=images.size, **others)


def own_dataset(network: str) -> str | None:
    """The dataset that a network of this project is trained on; None for any other network."""
    return nets.recipe(network).dataset if network in nets.RECIPES else None


@dataclass(frozen=True)
class Plan:
    """What a profile runs on a page.

    Attributes:
        experiments: in the order of the page's tables.
        options: of methods, at the cost of the profile.
        many_passes: the methods that need many passes per image.
        settings: values that the page's notebook reads by name.
        notes: sentences that the page shows if these experiments run.
    """

    experiments: tuple[Experiment, ...]
    options: Mapping[str, dict]
    many_passes: tuple[str, ...]
    settings: Mapping[str, Any]
    notes: tuple[str, ...] = ()


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
        UnknownName: no such page or profile; the message lists the existing ones.

    Example:
        >>> plan("opticam/01_classification_metrics", "embedded").settings["many_passes"]
        40
    """
    known = _profiles()
    if page not in known["pages"]:
        raise unknown("page", page, known["pages"])
    if profile not in PROFILES:
        raise unknown("profile", profile, PROFILES)
    settings = dict(known["pages"][page][profile])
    experiments = tuple(_experiment(entry) for entry in settings.pop("experiments"))
    options = known["options"][profile] | _named(settings.pop("options", {}))
    notes = tuple(settings.pop("notes", ()))
    return Plan(experiments, options, tuple(known["many_passes"]), settings, notes)


def _experiment(entry: Mapping[str, Any]) -> Experiment:
    own = {f.name for f in fields(Experiment)} - {"settings", "options"}
    known = {name: value for name, value in entry.items() if name in own}
    settings = {name: entry[name] for name in entry.keys() - own - {"options"}}
    known["without"] = tuple(known.get("without", ()))
    return Experiment(**known, options=_named(entry.get("options", {})), settings=settings)


def _named(options: Mapping[str, str | dict]) -> dict[str, dict]:
    """Options of methods; the names of schedules are replaced by their options."""
    schedules = _profiles()["schedules"]
    return {m: schedules[o] if isinstance(o, str) else o for m, o in options.items()}


def asked(
    planned: tuple[Experiment, ...],
    profile: str,
    *,
    network: str = "",
    weights: str = "",
    layer: str = "",
    dataset: str = "",
    root: str = "",
    n_images: int = 0,
) -> tuple[Experiment, ...]:
    """The experiments for a user who names a network, images, or both, in place of the planned ones.

    A named network runs alone, on the dataset that it is trained on, or else on photographs. If it is
    planned, it keeps its options and settings. Named images run with the planned networks that are
    trained on their classes, or else with the first network of this project that is, or else with one
    of ImageNet. Their number is that of the plan for this dataset, or all if the plan does not have it.
    A layer or a number of images changes all experiments.

    Args:
        planned: the experiments of the profile.
        network, weights, layer, dataset, root, n_images: parameters of the notebook; empty or 0 where
            not given. A root without a dataset is that of the single planned dataset that is read
            from files, or else a folder of the user.

    Raises:
        ValueError: it is open to which network `weights` belong or which dataset is at `root`, or no
            network has the classes of the dataset.
    """
    dataset = dataset or (_at_root(planned, network) if root else "")
    if network:
        experiments = (_of_network(planned, network, layer, dataset, profile),)
    elif dataset:
        experiments = _of_dataset(planned, dataset, profile)
    else:
        experiments = planned
    if weights not in ("", "random") and len({e.network for e in experiments}) > 1:
        names = ", ".join(dict.fromkeys(e.network for e in experiments))
        raise ValueError(
            f"weights {weights!r} are of one network, but several run here ({names}): give network too"
        )
    changes = {"layer": layer or None, "images": n_images or None}
    changes = {name: value for name, value in changes.items() if value}
    return tuple(replace(e, **changes) for e in experiments)


def _at_root(planned: tuple[Experiment, ...], network: str) -> str:
    """The dataset at a root, if the dataset is not named."""
    if network:
        return own_dataset(network) or "folder"
    read = [name for name in dict.fromkeys(e.dataset for e in planned) if _is_read(name)]
    if len(read) > 1:
        raise ValueError(
            f"root holds which dataset? Give dataset too: {', '.join([*read, 'folder'])}"
        )
    return read[0] if read else "folder"


def _is_read(dataset: str) -> bool:
    """Whether a dataset is read from a folder of the user: it is neither drawn nor in a package."""
    return not {"generator", "package"} & data.DATASETS[dataset]["source"].keys()


def _of_network(
    planned: tuple[Experiment, ...], network: str, layer: str, dataset: str, profile: str
) -> Experiment:
    dataset = dataset or own_dataset(network) or PHOTOGRAPHS[profile]
    known = [e for e in planned if (e.network, e.layer) == (network, layer)]
    alike = [e for e in known + list(planned) if e.dataset == dataset][:1]
    own = replace(known[0], title="") if known else Experiment(network, dataset)
    shared = ("images", "crops", "reference")  # properties of the images, for any network
    seen = {name: getattr(alike[0], name) for name in shared} if alike else _EVERYTHING
    return replace(own, dataset=dataset, **seen)


_EVERYTHING = {"images": None, "crops": False, "reference": None}


def _of_dataset(
    planned: tuple[Experiment, ...], dataset: str, profile: str
) -> tuple[Experiment, ...]:
    of_imagenet = dataset in OF_IMAGENET
    fitting = [
        e
        for e in planned
        if own_dataset(e.network) in ((None, dataset) if of_imagenet else (dataset,))
    ]
    if fitting:
        own = {"dataset": dataset, **_EVERYTHING}
        return tuple(e if e.dataset == dataset else replace(e, **own) for e in fitting)
    own = [name for name in nets.RECIPES if own_dataset(name) == dataset]
    if not (own or of_imagenet):
        raise ValueError(
            f"no network here knows the classes of {dataset}: give network, and weights, of one that does"
        )
    return (Experiment(CLASSIFIERS[profile] if of_imagenet else own[0], dataset),)


# The datasets whose images may be of ImageNet's classes; for a folder, this is known when it is opened.
OF_IMAGENET = ("folder", "imagenet", "imagenet_embedded")
