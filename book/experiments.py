"""A network with the images that a page shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch

from lib import data, nets
from lib.data.crops import crops
from testbeds.finetuned import BUILDS, FINE_GRAINED

from .parameters import choose


@dataclass(frozen=True)
class Case:
    """A network cut at a layer, and a dataset.

    Attributes:
        network, layer: as for `nets.load`; an empty layer is the default.
        dataset: as for `data.load`.
        n: at most so many images; None for all.
        title: the label in tables; by default the network's name, with the dataset's where the
            network is trained on it.
        cropped: several crops of each of the n images, as `data.crops` makes them.

    Example:
        >>> net, images = Case("tf_efficientnet_lite0", "imagenet_embedded").open()
    """

    network: str
    dataset: str
    layer: str = ""
    n: int | None = None
    title: str = ""
    cropped: bool = False

    def open(
        self, *, weights: str = "", root: str = "", **options
    ) -> tuple[nets.Classifier, data.Dataset]:
        """The network under its title, and its images at its own size.

        Args:
            weights, root: of `nets.load` and `data.load`; empty for their defaults. A network that
                is trained on this dataset finds it at `root` too.
            options: further ones of `nets.load`, such as device.
        """
        options |= {"weights": weights or None, "layer": self.layer or None}
        if own_dataset(self.network) == self.dataset:
            options |= {"root": root or None}
        net = nets.load(self.network, **options)
        suffix = f", {self.dataset}" if self.dataset in ("voc", "coco") else ""
        net.name = self.title or self.network + suffix
        images = data.load(self.dataset, root=root or None, limit=self.n, size=net.input_size)
        return net, crops(images) if self.cropped else images


def own_dataset(network: str) -> str | None:
    """The dataset that a network of this project is trained on; None for any other network."""
    return nets.recipe(network).dataset if network in nets.RECIPES else None


def heads(
    profile: str, *, network: str, layer: str, dataset: str, n_images: int, published: int
) -> list[Case]:
    """The heads that LIFT-CAM's tables compare: two that are not affine, and one that is.

    Args:
        network, layer, dataset, n_images: a notebook's parameters; a network makes it the only case,
            and an empty one or 0 is the profile's choice.
        published: how many images the paper takes.
    """
    if network:
        return [Case(network, dataset or "imagenet", layer, n_images or None)]
    lite, photographs = "tf_efficientnet_lite0", dataset or "imagenet_embedded"
    inside = f"{lite}, inside its last block"
    return choose(
        profile,
        smoke=[
            Case("scenes_vgg_quick", "scenes", n=n_images or 2),
            Case(lite, photographs, n=n_images or 2),
        ],
        embedded=[
            Case(lite, photographs, "blocks.6.0.bn2", n_images or 10, inside),
            Case("scenes_vgg", "scenes", n=n_images or 20),
            Case(lite, photographs, n=n_images or 10),
        ],
        paper=[Case("torchvision:vgg16", dataset or "imagenet", layer, n_images or published)],
    )


def boxed(profile: str, *, network: str, layer: str, dataset: str, n_images: int) -> list[Case]:
    """Images with boxes around their objects: photographs, and drawn scenes whose boxes are exact.

    Args:
        network, layer, dataset, n_images: a notebook's parameters, as for `heads`.
    """
    if network:
        return [Case(network, dataset or "imagenet", layer, n_images or None)]
    lite, photographs = "tf_efficientnet_lite0", dataset or "imagenet_embedded"
    return choose(
        profile,
        smoke=[
            Case(lite, photographs, layer, n_images or 2),
            Case("scenes_vgg_quick", "scenes", n=n_images or 2),
        ],
        embedded=[
            Case(lite, photographs, layer, n_images or FEW_IMAGES),
            Case("scenes_vgg", "scenes", n=n_images or 30),
        ],
        paper=[
            Case(name, dataset or "imagenet", layer, n_images or None)
            for name in ("torchvision:resnet50", "torchvision:vgg16_bn")
        ],
    )


def pairs(profile: str, *, network: str, layer: str, dataset: str, n_images: int) -> list[Case]:
    """Images whose class may be contested (see `contested`): crops of photographs, and drawn birds.

    Args:
        network, layer, dataset, n_images: a notebook's parameters, as for `heads`; a network of this
            project comes with its own dataset. Of photographs that are cropped, n are taken.
    """
    if network:
        own = own_dataset(network) or "imagenet"
        return [Case(network, dataset or own, layer, n_images or None)]
    lite, photographs = "tf_efficientnet_lite0", dataset or "imagenet_embedded"
    return choose(
        profile,
        smoke=[
            Case(lite, photographs, layer, n_images or 2, cropped=True),
            Case("birds_alexnet_quick", "birds", n=n_images or 4),
        ],
        embedded=[
            Case(lite, photographs, layer, n_images or None, cropped=True),
            Case("birds_vgg", "birds", n=n_images or 160),
            Case("birds_alexnet", "birds", n=n_images or 160),
        ],
        paper=[
            Case(f"{name}_{finetuned}", name, layer, n_images or None)
            for finetuned in BUILDS
            for name in FINE_GRAINED
        ],
    )


class Contested(NamedTuple):
    """Images with the two most probable classes of each, the first before the second."""

    data: data.Dataset
    first: tuple[int, ...]
    second: tuple[int, ...]


def contested(
    net: nets.Classifier, images: data.Dataset, *, threshold: float = 0.1, batch_size: int = 16
) -> Contested:
    """The images whose second most probable class has a probability above a threshold.

    What cannot be read is left out. Equally probable classes come in the order of their indices.

    Example:
        >>> found = contested(net, images)
        >>> rivals = found.data.relabelled(found.second)  # to explain the second class of each
    """
    images = images.readable()
    kept: dict[int, list[int]] = {}
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        with torch.no_grad():
            p = net(torch.stack([sample.image for sample in batch])).softmax(1)
        ranked, classes = p.sort(dim=1, descending=True, stable=True)
        for i in (ranked[:, 1] > threshold).nonzero().flatten().tolist():
            kept[start + i] = classes[i, :2].tolist()
    first, second = zip(*kept.values()) if kept else ((), ())
    return Contested(images.subset(kept), first, second)


def affordable(methods: Iterable[str], net: nets.Classifier, profile: str) -> list[str]:
    """The methods that a profile runs: behind an affine head, where LIFT-CAM's columns coincide,
    Score-CAM's pass a channel is left to the published setting."""
    spared = {"score_cam"} if net.affine_head and profile != "paper" else set()
    return [method for method in methods if method not in spared]


MANY_PASSES = ("score_cam", "extremal_perturbation", "lime", "gradient_shap")  # a map
FEW_IMAGES = 10  # the least that a verdict rests on


def by_cost(
    methods: Mapping[str, tuple[str, dict]], images: data.Dataset, profile: str
) -> list[tuple[dict, data.Dataset]]:
    """Methods with the images that a profile shows them, as for `evaluate`.

    In the embedded profile, those that take many passes an image see ten of the images, evenly
    spread; the others see all.

    Example:
        >>> [evaluate(net, some, of, metrics) for of, some in by_cost(methods, images, profile)]
    """
    dear = {label: m for label, m in methods.items() if m[0] in MANY_PASSES}
    if profile != "embedded" or not dear:
        return [(dict(methods), images)]
    return [
        ({label: m for label, m in methods.items() if label not in dear}, images),
        (dear, fewer(images)),
    ]


def fewer(images: data.Dataset, n: int = FEW_IMAGES) -> data.Dataset:
    """At most n of the images, evenly spread: those that a limit of n would choose."""
    return images.subset(data.spread(len(images), n))


# Opti-CAM with a learning rate that falls along a cosine, which is not the paper's: what a schedule
# costs in AG stands on the page of schedules. The embedded profile takes one where a page says so.
COSINE_25 = {"iterations": 25, "learning_rate": 1.0, "schedule": "cosine"}
COSINE_40 = {"iterations": 40, "learning_rate": 0.5, "schedule": "cosine"}

# Fewer steps, larger ones, and an area that shrinks: what forty iterations can reach.
_FEW = {"areas": (0.05, 0.2), "iterations": 40, "learning_rate": 0.1, "shrink": 0.6}


def settings(profile: str, *, schedule: dict | None = None) -> dict[str, dict]:
    """The options of methods that are as good as the work put into them, for each profile.

    Pages that agree on them share their maps.

    Args:
        schedule: Opti-CAM's in the embedded profile, `COSINE_25` or `COSINE_40`; None for the paper's.
    """
    return choose(
        profile,
        smoke={
            "opti_cam": {"iterations": 5},
            "extremal_perturbation": _FEW | {"areas": (0.1,), "iterations": 2},
            "lime": {"n": 10},
            "gradient_shap": {"n": 2},
        },
        embedded={
            "opti_cam": schedule or {"iterations": 100},
            "extremal_perturbation": _FEW,
            "lime": {"n": 100},
            "gradient_shap": {"n": 10},
        },
        paper={
            "opti_cam": {"iterations": 100},
            "extremal_perturbation": {"areas": (0.025, 0.05, 0.1, 0.2), "iterations": 800},
            "lime": {"n": 1000},
            "gradient_shap": {"n": 20},
        },
    )
