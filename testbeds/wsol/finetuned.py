"""Networks for localisation that start from ImageNet's weights: in the published setting, and on a
user's own images."""

from collections.abc import Callable
from types import SimpleNamespace

from torch import nn

from lib.nets import Classifier, load
from lib.nets.calm import CALM
from lib.nets.strides import without_strides
from lib.nets.trunk import Trunk
from lib.nets.weights import IMAGENET_MEAN, IMAGENET_STD, build

from ..recipe import Recipe, class_count
from . import acol, calm, cutmix, has
from .backbone import CAM

# By network: the layers that lose their strides, and the target layer. The published grid is
# 28 x 28, as for ResNet-50 here; VGG-16 has 27 x 27. The stride inside Mixed_6a of Inception-V3 is
# no module, so it loses an earlier one and has 24 x 24.
CUTS = {
    "resnet50": (("layer3", "layer4"), "layer4"),
    "vgg16": (("features.23",), "features.29"),
    "inception_v3": (("maxpool2",), "Mixed_6e"),
}
DATASETS = {"cub": 3e-5, "openimages": 5e-5, "imagenet": 7e-5}  # learning rates, CALM appendix C
# By head: the function that adds it to the features, the submodules that learn faster, the loss.
HEADS: dict[str, tuple[Callable[..., nn.Module], tuple[str, ...], Callable | None]] = {
    "cam": (CAM, ("classifier",), None),
    "calm_em": (CALM, ("g", "h"), calm.calm_em),
    "calm_ml": (CALM, ("g", "h"), calm.calm_ml),
    "has": (CAM, ("classifier",), has.has),
    "cutmix": (CAM, ("classifier",), cutmix.cutmix),
    "acol": (acol.ACoL, ("first", "second"), acol.both),
}


def trunk(name: str) -> Trunk:
    """The features of a torchvision network on its finer grid, with random weights."""
    layers, cut = CUTS[name]
    options = {"init_weights": False} if name == "inception_v3" else {}
    model = without_strides(build(f"torchvision:{name}", **options), layers)
    return Trunk(Classifier(model, cut))


class Builder:
    """A function of the number of classes, identified by its name, that puts a head on a trunk."""

    def __init__(self, name: str, head: str):
        self.name, self.head = name, head
        self.__qualname__ = f"{name}_{head}"

    def __call__(self, classes: int) -> nn.Module:
        features = trunk(self.name)
        return HEADS[self.head][0](features, features.channels, classes)


def published(dataset: str, name: str, head: str, of: str = "") -> Recipe:
    """The recipe of CALM's supplement (appendix C).

    Batch size, epochs, the steps of the learning rate and the rate of the head, which it leaves
    open, are as in the authors' code. The floors are chosen here.

    Args:
        of: the dataset of `lib.data`, by default that of the localisation protocol.
    """
    _, faster, loss = HEADS[head]
    return Recipe(
        name=f"wsol_{dataset}_{name}_{head}" if not of else f"{of}_{head}",
        build=Builder(name, head),
        arguments=class_count,
        dataset=of or f"wsol_{dataset}",
        floor=0.4,
        epochs=40,
        batch_size=64,
        input_size=224,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        pretrained=(("features.model.model", f"torchvision:{name}"),),
        in_memory=False,
        optimizer="sgd",
        schedule="steps",
        learning_rate=DATASETS[dataset],
        weight_decay=1e-4,
        faster=faster,
        shift=16,
        flip=True,
        loss=loss,
    )


wsol = SimpleNamespace(
    **{
        f"{dataset}_{name}_{head}": published(dataset, name, head)
        for dataset in DATASETS
        for name in CUTS
        for head in HEADS
    }
)
cub = SimpleNamespace(
    **{head: published("cub", "resnet50", head, "cub") for head in ("cam", "calm_em", "calm_ml")}
)


def on_efficientnet(classes: int) -> CALM:
    """CALM's head on EfficientNet-Lite0 with ImageNet's weights, on a grid of 14 x 14."""
    net = load("tf_efficientnet_lite0")
    finer = without_strides(net.model, ["blocks.5"], dilation=True)
    features = Trunk(net.like(finer))
    return CALM(features, features.channels, classes)


folder_calm = Recipe(
    name="folder_calm",
    build=on_efficientnet,
    arguments=class_count,
    dataset="folder",
    floor=0.0,
    epochs=10,
    batch_size=16,
    input_size=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    frozen=("features",),
    learning_rate=1e-2,
    weight_decay=1e-4,
    flip=True,
    loss=calm.calm_em,
)
