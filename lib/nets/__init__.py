"""Networks as classifiers cut at a target layer."""

from pathlib import Path

import torch
from torch import nn

from .. import manifests
from ..checks import as_dtype
from ..classes import imagenet_descriptions
from ..errors import UnknownName, unknown
from ..inference import outside_inference_mode
from ..paths import given
from .accepted import check_network
from .activation import context_of
from .calm import CALM, calm
from .cascade import cascade
from .classifier import Classifier
from .copies import bare, copied
from .device import check_device, clock
from .own import build_own, is_own, short
from .strides import without_strides
from .target_layer import layer_name
from .two_classes import TwoClasses
from .weights import IMAGENET_MEAN, IMAGENET_STD, RECIPES, TORCHVISION, build, load_weights

__all__ = [
    "CALM", "RECIPES", "Classifier", "TwoClasses", "calm", "cascade", "check_device", "clock", "context_of", "load",
    "recipe", "without_strides", "wrap",
]  # fmt: skip

IMAGENET_CLASSES = 1000
OPTIONS = ("mean", "std", "input_size", "name", "classes", "compile", "autocast")  # of `wrap`


@outside_inference_mode
def load(
    name: str,
    *,
    weights: str | Path | None = None,
    layer: str | None = None,
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
    compile: bool = False,
    autocast: str | torch.dtype | None = None,
    normalize: bool = True,
    root: str | Path | None = None,
) -> Classifier:
    """A network by name, as a `Classifier`.

    Args:
        name: a timm name (`tf_efficientnet_lite0`), `torchvision:<name>`, or one of `RECIPES`; or
            your own function as `module:function` or `path/of/a/file.py:function`, which takes no
            argument and returns `(model, options)`, with the options of `wrap`.
        weights: None for the default: the manifest's file, a recipe's trained weights (trained now
            if they do not exist), or the weights that your own function gives. "random" for a fixed
            random initialisation. Or the path of a state dict.
        layer: the target layer; None for the paper's choice (see `Classifier`).
        device, dtype: where and in which precision the network runs; images are converted.
        compile, autocast: ways to run faster, as for `Classifier`.
        normalize: False gives the network images as they are, in [0, 1] (Opti-CAM, appendix H).
        root: the folder of the dataset on which a recipe's network is trained, as for `data.load`.

    Raises:
        UnknownName: there is no such network or layer; the message lists the valid names.
        FileNotFoundError: there are no weights or no such module; the message says where it looked.
        ValueError: the device does not exist, the network also needs a question, or your own
            function fails or returns something else.

    Example:
        >>> net = load("tf_efficientnet_lite0")
        >>> net = load("torchvision:resnet50", weights="resnet50.pth", layer="layer4", device="cuda")
        >>> net = load("mymodel.py:build")
    """
    check_device(device)
    if weights not in (None, "random"):
        weights = given(weights)
    if is_own(name):
        model, options = build_own(name, weights)
        options["name"] = short(name)
    else:
        model = _named(name, weights, root, device)
        options = {**_preprocessing(name, model), "name": name}
        if name in RECIPES:
            options["classes"] = recipe(name).classes(root)
    if layer is not None:
        options["layer"] = layer
    if not normalize:
        options |= {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    if compile:
        options["compile"] = True
    if autocast is not None:
        options["autocast"] = autocast
    net = Classifier(model.to(device, as_dtype(dtype)), **options)
    if net.classes is None and _of_imagenet(name, net):
        net.classes = imagenet_descriptions()
    return net


def _named(name: str, weights: str | Path | None, root, device) -> nn.Module:
    """A network of this project, of timm or of torchvision, with its weights."""
    if name in RECIPES:
        if recipe(name).questions:
            raise ValueError(
                f"{name} needs a question: testbeds.questions.answerer({name!r}).ask('what is ...?')"
            )
        return recipe(name).load(weights, root=root, device=device)
    return load_weights(build(name), name, weights)


def _of_imagenet(name: str, net: Classifier) -> bool:
    """Whether the outputs are ImageNet's 1000 classes, as for torchvision's networks, and for
    timm's if timm says so."""
    if net.num_classes != IMAGENET_CLASSES or name in RECIPES:
        return False
    config = getattr(net.model, "default_cfg", None) or {}
    return name.startswith(TORCHVISION) or config.get("num_classes") == IMAGENET_CLASSES


def recipe(name: str):
    """The recipe of a network that is trained here, with `train`, `load`, `mean`, `std` and so on.

    Raises:
        UnknownName: there is no such network; the message lists the valid names.

    Example:
        >>> recipe("scenes_vgg").train().accuracy > 0.85
        True
    """
    if name not in RECIPES:
        raise unknown("network of this project", name, RECIPES)
    return manifests.resolve(RECIPES[name])


@outside_inference_mode
def wrap(model: nn.Module, layer: str | nn.Module | None = None, **options) -> Classifier:
    """Your own network as a `Classifier`; it is copied, so the original keeps its mode and
    gradients.

    `torch.compile` and `DataParallel` are unwrapped. Hooks other than PyTorch's own are not copied,
    with a warning.

    Args:
        layer: the name of the target layer, or the module itself; None for the paper's choice.
        options: `mean`, `std`, `input_size`, `name`, `classes`, `compile`,
            `autocast`, as for `Classifier`.

    Raises:
        UnknownName: there is no such option or layer.
        ValueError: the network cannot be explained; see `Classifier`.

    Example:
        >>> net = wrap(my_resnet, "layer4", mean=IMAGENET_MEAN, std=IMAGENET_STD)
    """
    for option in options:
        if option not in OPTIONS:
            hint = "; move the network, as wrap(model).to(device)" if option == "device" else ""
            raise UnknownName(f"{unknown('option of wrap', option, OPTIONS)}{hint}")
    check_network(options.get("name", "network"), model)
    return Classifier(copied(model), layer_name(bare(model), layer), **options)


def _preprocessing(name: str, model: nn.Module) -> dict:
    """Mean, standard deviation and input size from recipe, manifest or timm, or ImageNet's."""
    if name in RECIPES:
        own = recipe(name)
        return {"mean": own.mean, "std": own.std, "input_size": own.input_size}
    if entry := manifests.read("weights").get(name):
        return {key: entry[key] for key in ("mean", "std", "input_size")}
    if name.startswith(TORCHVISION):
        size = 299 if "inception" in name else 224
        return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "input_size": size}
    config = model.default_cfg
    return {"mean": config["mean"], "std": config["std"], "input_size": config["input_size"][-1]}
