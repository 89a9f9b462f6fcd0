"""Maps for localisation: of CALM and of CAM, each for the class alone and summed over supersets, and of CAM's
network after other kinds of training."""

import torch
from torch import Tensor

from lib.annotated_supersets import supersets
from lib.class_maps import class_maps, over_supersets
from lib.data import Dataset
from lib.methods.calm import has_latent_position
from lib.saliency import finish
from lib.superset import members

from .page import Page

SUPERSET = "_superset"  # suffix of a label
TRAININGS = ("has", "acol", "spg", "adl", "cutmix", "inca")


def localising_maps(page: Page, net, images: Dataset, label: str = "") -> dict[str, Tensor]:
    r"""Maps S (N, H, W) of images for their classes, by label: the network's own maps, and for CALM and CAM
    also those summed over $\mathcal{Y}$.

    Args:
        label: of the network's own maps; by default "calm" or "cam". For another training of CAM's network,
            such as "has", only its own maps are returned.

    Example:
        >>> maps = localising_maps(page, net, images, "calm_em")
        >>> list(maps)
        ['calm_em', 'calm_em_superset']
    """
    classes = [sorted(superset) for superset in supersets(net, images)]
    method = "calm" if has_latent_position(net) else "cam"
    label = label or method
    if hasattr(net.model, "maps"):  # the kind of training defines a map
        return {label: _of_model(page, net, images)}
    if label in TRAININGS:
        return {label: page.maps(net, images, method)}
    if method == "calm" or net.affine_head:
        return {
            label: page.maps(net, images, method),
            label + SUPERSET: page.maps(net, images, method, superset=classes),
        }
    found = [_of_classes(net, x, target, classes) for x, target in page.batches(net, images)]
    alone, summed = (torch.cat(maps) for maps in zip(*found))
    maps = {label: alone, label + SUPERSET: summed}
    return {name: finish("cam", M.cpu(), images.size) for name, M in maps.items()}


def _of_classes(net, x: Tensor, target: Tensor, classes: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Raw maps (B, h, w) where the layer has one channel per class."""
    f = class_maps(net, x)
    among = members(classes, target, f.shape[1])[:, None]
    return f[torch.arange(len(x)), target], over_supersets(f, among)[:, 0]


def _of_model(page: Page, net, images: Dataset) -> Tensor:
    found = [
        net.model.maps(net.normalise(x), target).cpu() for x, target in page.batches(net, images)
    ]
    return finish("cam", torch.cat(found), images.size)
