"""Weights from other frameworks as the state dict of a network of timm or torchvision."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import manifests
from .onnx_weights import read_onnx_weights
from .pickled_arrays import read_pickled_arrays

FORMATS = {"pickled arrays": read_pickled_arrays, "onnx": read_onnx_weights}

QKV = ("query", "key", "value")


def read_foreign(
    entry: manifests.Entry, path: Path, own: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors of a file as a network's state dict, as its manifest says.

    In attention, `query`, `key` and `value` become `qkv`. The positions of the class token and of
    the patches become `pos_embed`, resized to the network's grid. `colours: BGR` converts the first
    kernel to RGB.

    Args:
        entry: the manifest; its `tensors` map parts of the file's names to their replacements,
            which are applied in order. A tensor whose name has a part that is mapped to null is
            left out.
        own: the network's state dict.
    """
    file = FORMATS[entry["format"]](path)
    names = {name: _renamed(name, entry["tensors"]) for name in file}
    state = {new: file[name] for name, new in names.items() if new is not None}
    state = _with_positions(_with_joint_attention(state), own)
    if entry.get("colours") == "BGR":
        first = next(name for name in own if own[name].ndim == 4)
        state[first] = state[first].flip(1)
    return state


def _renamed(name: str, replaced: Mapping[str, str | None]) -> str | None:
    for old, new in replaced.items():
        if old in name:
            if new is None:
                return None
            name = name.replace(old, new)
    return name


def _with_joint_attention(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """`x.query.weight`, `x.key.weight` and `x.value.weight` as one `x.qkv.weight`."""
    joint = dict(state)
    for name in state:
        if ".query." in name:
            three = [joint.pop(name.replace(".query.", f".{one}.")) for one in QKV]
            joint[name.replace(".query.", ".qkv.")] = torch.cat(three)
    return joint


def _with_positions(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`pos_embed.class` (1, 1, K) and `pos_embed.patches` (1, N, K) as one `pos_embed`.

    The grid is resized bicubically without antialiasing, as DINOv2 does while it runs.
    """
    if "pos_embed.patches" not in state:
        return state
    rest = dict(state)
    token, patches = rest.pop("pos_embed.class"), rest.pop("pos_embed.patches")
    here, there = (round(n**0.5) for n in (patches.shape[1], own["pos_embed"].shape[1] - 1))
    grid = patches.transpose(1, 2).unflatten(2, (here, here))  # (1, K, here, here)
    grid = F.interpolate(grid, (there, there), mode="bicubic", align_corners=False)
    return rest | {"pos_embed": torch.cat([token, grid.flatten(2).transpose(1, 2)], 1)}
