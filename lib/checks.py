"""Checks of arguments, each with the remedy in its error message."""

from collections.abc import Mapping
from numbers import Integral, Real
from types import MappingProxyType, NoneType, UnionType
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from .errors import unknown

NO_CLASS = -1  # the target of an image without a known class, for methods that need none


def as_tensor(what: str, value, remedy: str = "") -> Tensor:
    """Numbers as a tensor, given as a tensor, an array, or a list of either."""
    try:
        if isinstance(value, list | tuple) and value and isinstance(value[0], Tensor):
            return torch.stack(list(value))
        return torch.as_tensor(np.asarray(value) if isinstance(value, list | tuple) else value)
    except (TypeError, ValueError, RuntimeError):
        short = repr(value) if isinstance(value, str | None) else type(value).__name__
        raise ValueError(
            f"{what} are numbers, in a tensor, an array or a list, got {short}{remedy}"
        ) from None


def as_dtype(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """A floating-point dtype, given as such or by name."""
    found = getattr(torch, dtype, "") if isinstance(dtype, str) else dtype
    if found is None or (isinstance(found, torch.dtype) and found.is_floating_point):
        return found
    raise ValueError(f"dtype is float16, bfloat16, float32 or float64, got {dtype!r}")


def as_autocast(dtype: str | torch.dtype | None) -> torch.dtype | None:
    """A dtype of half precision, given as such or by name."""
    found = getattr(torch, dtype, "") if isinstance(dtype, str) else dtype
    if found in (None, torch.bfloat16, torch.float16):
        return found
    raise ValueError(f"autocast is None, bfloat16 or float16, got {dtype!r}")


def check_net(net) -> None:
    """Raises an error unless `net` is a `Classifier`."""
    if not hasattr(net, "cut"):
        raise ValueError(
            f"the network is a Classifier, got {type(net).__name__}: nets.wrap(model, ...) makes one"
        )


def check_data(data) -> None:
    """Raises an error unless `data` is a `Dataset`."""
    if not hasattr(data, "fingerprint"):
        raise ValueError(
            f"the data is a Dataset, got {type(data).__name__}: data.load reads one, a folder of images too"
        )


def as_images(x) -> Tensor:
    """The images as a tensor, given as a tensor, an array, or a list of images."""
    return as_tensor("images", x, ": data.load reads files")


def check_images(x) -> Tensor:
    """The images as a tensor; an error unless they are (B, 3, H, W), float, finite, in [0, 1]."""
    x = as_images(x)
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"images are (B, 3, H, W), got {tuple(x.shape)}: add or move a dimension")
    if len(x) == 0:
        raise ValueError(f"no images: the batch is empty, {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"images are float in [0, 1], got {x.dtype}: divide by 255")
    low, high = _range(x)
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # antialiased resizing may overshoot by rounding
        check_finite("image", x, ": check how it was loaded")
        raise ValueError(
            f"images are in [0, 1], got [{low:.3g}, {high:.3g}]: do not normalise (the classifier does)"
        )
    return x


def check_targets(target: int | Tensor, batch: int, classes: int, device: torch.device) -> Tensor:
    """Targets as a tensor (B,) of class indices on `device`.

    For a backbone, which has no classes, any index passes, including `NO_CLASS`.
    """
    target = as_tensor(
        "targets, class indices,", target, ": give one class an image, or one for all"
    )
    if target.is_floating_point() or target.dtype == torch.bool:
        raise ValueError(f"targets are class indices, whole numbers, got {target.dtype}")
    target = target.long()
    if target.ndim == 0:
        target = target.expand(batch)
    if target.shape != (batch,):
        raise ValueError(f"targets are one class an image, ({batch},), got {tuple(target.shape)}")
    outside = (target < 0) | (target >= classes)
    if classes and outside.any():
        raise ValueError(
            f"target class {target[outside][0].item()} is out of range: the network has classes 0 to {classes - 1}"
        )
    return target.to(device)


def check_logits(logits, batch: int, classes: int, device: torch.device) -> Tensor:
    """Known logits as a tensor on `device`; an error unless they are (B, C)."""
    logits = as_tensor("logits", logits)
    if logits.shape != (batch, classes):
        got = tuple(logits.shape)
        raise ValueError(f"logits are (B, C) = {(batch, classes)}, got {got}: pass net(x)")
    return logits.to(device)


def check_maps(S, x: Tensor, signed: bool = False) -> Tensor:
    """The saliency maps as a tensor; an error unless they are (B, H, W), finite, in [0, 1] or
    signed in [-1, 1], with one map per image and of its size."""
    S = as_tensor("maps", S, ": use saliency.explain")
    if S.shape != (len(x), *x.shape[2:]):
        raise ValueError(
            f"maps are (B, H, W) = {(len(x), *x.shape[2:])}, got {tuple(S.shape)}: use saliency.explain"
        )
    least, remedy = (-1, "(..., signed=True)") if signed else (0, "")
    low, high = _range(S) if S.numel() else (0, 1)
    if not (low >= least - 1e-3 and high <= 1 + 1e-3):
        check_finite("the map of image", S)
        raise ValueError(
            f"maps are in [{least}, 1], got [{low:.3g}, {high:.3g}]: use saliency.explain{remedy}"
        )
    return S


def _range(x: Tensor) -> list[float]:
    """The least and the greatest number, both NaN if there is a NaN; the host waits once for both."""
    return torch.stack(x.aminmax()).tolist()


def check_finite(what: str, x: Tensor, remedy: str = "") -> None:
    """Raises an error unless a batch (B, ...) is finite; it names the first entry that is not."""
    bad = first_not_finite(x)
    if bad is not None:
        raise ValueError(f"{what} {bad} of the batch holds NaN or infinity{remedy}")


def first_not_finite(x: Tensor) -> int | None:
    """The first entry of a batch (B, ...) that holds NaN or infinity; None if none does."""
    bad = (~torch.isfinite(x)).flatten(1).any(1).tolist()
    return bad.index(True) if any(bad) else None


_KINDS = {  # kinds of options by their annotation: what they accept, and its name in errors
    bool: (bool, "True or False"),
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a name"),
    NoneType: (NoneType, "None"),
}


def check_options(
    kind: str,
    name: str,
    given: dict,
    valid: Mapping[str, object],
    annotations: Mapping[str, object] = MappingProxyType({}),
) -> None:
    """Raises an error unless the options are declared by the method or metric and of the declared
    type.

    Args:
        valid: options with their defaults.
        annotations: the types of the options. An option whose type is not made of the kinds above
            takes any value.
    """
    for option, value in given.items():
        if option not in valid:
            raise unknown(f"option of {kind} {name}", option, valid)
        declared = annotations.get(option)
        members = get_args(declared) if isinstance(declared, UnionType) else (declared,)
        if not all(member in _KINDS for member in members):
            continue
        if not any(_is_of(value, _KINDS[member][0]) for member in members):
            what = " or ".join(_KINDS[member][1] for member in members)
            raise ValueError(f"option {option} of {kind} {name} is {what}, got {value!r}")


def _is_of(value: object, of: type) -> bool:
    """Whether a value is of a type, where True and False are not numbers."""
    return isinstance(value, of) and (of is bool or not isinstance(value, bool))


def check_count(name: str, value: int | None, least: int = 1, *, optional: bool = True) -> None:
    """Raises an error unless the value is an integer, at least `least`; if optional, or None."""
    if value is None and optional:
        return
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} is a whole number, at least {least}, got {value!r}")
    if value < least:
        raise ValueError(f"{name} is at least {least}, got {value}")


def check_choice(kind: str, value: str, valid) -> None:
    """Raises an error unless the value is one of the valid names."""
    if value not in valid:
        raise unknown(kind, value, valid)
