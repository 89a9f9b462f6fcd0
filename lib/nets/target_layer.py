"""The layer at which a network is cut: its names, and which layers may be the default."""

from typing import Any

import torch
from torch import nn

from ..errors import unknown

PASSIVE = (  # not activations in any paper: pooling, and layers that do nothing in eval mode
    nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd, nn.MaxPool2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip


def layer_name(model: nn.Module, layer: Any) -> str | None:
    """The name of a layer, given by name, as the module itself, or as a list of either.

    Example:
        >>> layer_name(model, [model.layer4])
        'layer4'
    """
    if layer is None or isinstance(layer, str):
        return layer
    if isinstance(layer, list | tuple) and len(layer) == 1:
        return layer_name(model, layer[0])
    if not isinstance(layer, nn.Module):
        raise ValueError(f"a layer is the name of one, such as 'layer4', got {layer!r}")
    for name, module in model.named_modules():
        if module is layer and name:
            return name
    raise ValueError(f"the layer {type(layer).__name__} is no module of the network: give its name")


def path_of(layer: str) -> str:
    """The module's path in a layer name: 'layer4.2.relu' in 'layer4.2.relu#0' (its first call)."""
    name, mark, call = layer.partition("#")
    if mark and not call.isdigit():
        raise ValueError(f"layer {layer!r}: after '#' comes the number of the call, from 0")
    return name


def pick_call(calls: list, layer: str) -> Any:
    """The call that the layer name chooses among a layer's calls; the last by default."""
    call = layer.partition("#")[2]
    if call and int(call) >= len(calls):
        raise ValueError(f"layer {layer!r}: that layer runs {len(calls)} time(s), counted from 0")
    return calls[int(call or -1)]


def check_layer(model: nn.Module, layer: str) -> None:
    """Raises an error if the network has no such layer."""
    names = [name for name, _ in model.named_modules() if name]
    if path_of(layer) not in names:
        raise unknown("layer", layer, names)


def makes_classes(module: nn.Module | None, classes: int) -> bool:
    """Whether a layer is a convolution with one channel per class, pooled to give the logits."""
    return isinstance(module, nn.Conv2d) and module.out_channels == classes


def is_spatial(shape: torch.Size | None) -> bool:
    """Whether a shape is that of maps (B, K, h, w) or (B, h, w, K) with more than one position."""
    if shape is None or len(shape) != 4:
        return False
    side = shape[1] if shape[1] == shape[2] != shape[3] else shape[3]
    return side > 1
