"""The needs of pages and sections, of networks and images, and the sentences that say what is missing."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from lib.class_maps import class_maps
from lib.classes import imagenet_descriptions
from lib.data import DATASETS, Dataset
from lib.errors import unknown
from lib.manifests import networks, read
from lib.methods.attention import attends
from lib.methods.calm import has_latent_position
from lib.saliency import attribute

# Needs of images: the field of a sample, and its name in a sentence.
ANNOTATIONS = {
    "boxes": "boxes",
    "mask": "masks",
    "parts": "annotated parts",
    "question": "questions",
}


def _class_token(net) -> str:
    return "" if attends(net) else f"{net.name} has no class token that its classifier reads"


def _not_affine(net) -> str:
    return f"the head of {net.name} is affine" if net.affine_head else ""


def _affine(net) -> str:
    return "" if net.affine_head else f"the head of {net.name} is not affine"


def _several_classes(net) -> str:
    return "" if net.num_classes > 1 else f"{net.name} has one class"


def _deep_lift(net) -> str:
    """Why DeepLIFT does not pass the layers after the target layer; empty if it does."""
    return _refusal(net, lambda noise: attribute("lift_cam", net, noise, 0))


def _imagenet(net) -> str:
    return (
        ""
        if net.classes == imagenet_descriptions()
        else f"the classes of {net.name} are not ImageNet's"
    )


def _pools_classes(net) -> str:
    """Why a network has neither a latent position nor class maps; empty if it has one of them."""
    if has_latent_position(net) or hasattr(net.model, "maps"):
        return ""
    return _refusal(net, lambda noise: class_maps(net, noise))


def _refusal(net, tried: Callable[[torch.Tensor], object]) -> str:
    """The error of a function on an image of noise; empty if it runs."""
    noise = torch.rand(
        1, 3, net.input_size, net.input_size, generator=torch.Generator().manual_seed(0)
    )
    try:
        tried(noise)
    except ValueError as error:
        return str(error)
    return ""


# Needs of networks: a function that says why the network does not have it, or returns nothing.
PROPERTIES: dict[str, Callable[[Any], str]] = {
    "a class token": _class_token,
    "a head that is not affine": _not_affine,
    "an affine head": _affine,
    "a head that DeepLIFT passes": _deep_lift,
    "several classes": _several_classes,
    "ImageNet's classes": _imagenet,
    "class maps or a latent position": _pools_classes,
}


def meet(net, images: Dataset, needs: Iterable[str]) -> tuple[Dataset, str]:
    """The images that meet all needs; and the reason, if there are none.

    Args:
        needs: names in `ANNOTATIONS` and `PROPERTIES`.

    Example:
        >>> meet(net, images, ["boxes"])
        (Dataset('folder', 0 samples, size=(224, 224)), 'no image of folder has boxes')
    """
    for need in needs:
        if need in PROPERTIES:
            if why := PROPERTIES[need](net):
                return images.subset([]), why
        else:
            images, why = annotated(images, need)
            if why:
                return images, why
    return images, ""


def annotated(images: Dataset, need: str) -> tuple[Dataset, str]:
    """As `meet`, for one need of images."""
    if need not in ANNOTATIONS:
        raise unknown("need", need, [*ANNOTATIONS, *PROPERTIES])
    found = images.having(need)
    return found, "" if len(found) else f"no image of {images.name} has {ANNOTATIONS[need]}"


def said(need: str) -> str:
    """A need in words."""
    return f"images with {ANNOTATIONS[need]}" if need in ANNOTATIONS else f"a network with {need}"


def remedy(need: str) -> str:
    """The networks or datasets that meet a need, in words."""
    if need == "a class token":
        names = [name for name, own in networks().items() if own.get("kind") == "transformer"]
        names += [name for name in read("weights") if name.startswith(("vit", "deit"))]
        return f"networks that have one: {', '.join(names)}, and others of their kind"
    if need in PROPERTIES:
        return f"give a network, or a layer, with {need}"
    names = [name for name, entry in DATASETS.items() if need in entry.get("annotations", ())]
    own = {"boxes": "boxes.csv", "mask": "masks"}.get(need)
    yours = f"; or put {own} into your folder" if own else ""
    return f"datasets with {ANNOTATIONS[need]}: {', '.join(names)}{yours}"
