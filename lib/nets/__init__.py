"""Networks as classifiers cut at a target layer."""

import copy
from pathlib import Path

import torch
from torch import nn

from .. import manifests
from .activation import context_of
from .classifier import Classifier
from .weights import TORCHVISION, build, load_weights

__all__ = ["Classifier", "context_of", "load", "wrap"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def load(
    name: str,
    *,
    weights: str | Path | None = None,
    layer: str | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    compile: bool = False,
) -> Classifier:
    """A named network, ready to be explained.

    Args:
        name: a timm name (`tf_efficientnet_lite0`), or `torchvision:<name>`.
        weights: None for the manifest's file, embedded in a package or local; "random" for a fixed
            random initialisation; or the path of a state dict.
        layer: the target layer; None for the paper's choice (see `Classifier`).
        device, dtype: where it runs; images follow.
        compile: run the whole network through torch.compile.

    Raises:
        UnknownName: no such network or layer; lists those that there are.
        FileNotFoundError: no weights; says where it looked and how to get them.

    Example:
        >>> net = load("tf_efficientnet_lite0")
        >>> net = load("torchvision:resnet50", weights="resnet50.pth", layer="layer4", device="cuda")
    """
    model = load_weights(build(name), name, weights)
    return Classifier(
        model.to(device, dtype),
        layer,
        **_preprocessing(name, model),
        name=name,
        compile=compile,
    )


def wrap(model: nn.Module, layer: str | None = None, **options) -> Classifier:
    """A network of one's own, copied, so that the original keeps its mode, hooks and gradients.

    Args:
        options: `mean`, `std`, `input_size`, `name`, as for `Classifier`.

    Example:
        >>> net = wrap(my_resnet, "layer4", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    """
    return Classifier(copy.deepcopy(model), layer, **options)


def _preprocessing(name: str, model: nn.Module) -> dict:
    """Mean, standard deviation and input size: the manifest's, timm's, or ImageNet's."""
    if entry := manifests.read("weights").get(name):
        return {key: entry[key] for key in ("mean", "std", "input_size")}
    if name.startswith(TORCHVISION):
        size = 299 if "inception" in name else 224
        return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "input_size": size}
    config = model.default_cfg
    return {"mean": config["mean"], "std": config["std"], "input_size": config["input_size"][-1]}
