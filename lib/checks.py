"""Checks of what comes in, each with the remedy in its message."""

import torch
from torch import Tensor

from .errors import unknown

NO_CLASS = -1  # of an image whose class is not known, for what explains without one


def check_images(x: Tensor) -> None:
    """Images are (B, 3, H, W), float, finite, in [0, 1]."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise ValueError(f"images are (B, 3, H, W), got {tuple(x.shape)}: add or move a dimension")
    if len(x) == 0:
        raise ValueError(f"no images: the batch is empty, {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"images are float in [0, 1], got {x.dtype}: divide by 255")
    check_finite("image", x, ": check how it was loaded")
    low, high = x.aminmax()
    if low < -1e-3 or high > 1 + 1e-3:  # antialiased resizing may overshoot by rounding
        raise ValueError(
            f"images are in [0, 1], got [{low:.3g}, {high:.3g}]: do not normalise (the classifier does)"
        )


def check_targets(target: int | Tensor, batch: int, classes: int, device: torch.device) -> Tensor:
    """Targets as a tensor (B,) of class indices on `device`: any, `NO_CLASS` too, of a backbone, which
    has no classes."""
    target = torch.as_tensor(target, device=device)
    if target.is_floating_point() or target.dtype == torch.bool:
        raise ValueError(f"targets are class indices, whole numbers, got {target.dtype}")
    target = target.long()
    if target.ndim == 0:
        target = target.expand(batch)
    if target.shape != (batch,):
        raise ValueError(f"targets are one class an image, ({batch},), got {tuple(target.shape)}")
    outside = target[(target < 0) | (target >= classes)]
    if classes and len(outside):
        raise ValueError(
            f"target class {outside[0].item()} is out of range: the network has classes 0 to {classes - 1}"
        )
    return target


def check_maps(S: Tensor, x: Tensor, signed: bool = False) -> None:
    """Saliency maps are (B, H, W), finite, in [0, 1], or signed in [-1, 1], one an image and of its
    size."""
    if S.shape != (len(x), *x.shape[2:]):
        raise ValueError(
            f"maps are (B, H, W) = {(len(x), *x.shape[2:])}, got {tuple(S.shape)}: use saliency.explain"
        )
    check_finite("the map of image", S)
    least, remedy = (-1, "(..., signed=True)") if signed else (0, "")
    if S.numel() and (S.min() < least - 1e-3 or S.max() > 1 + 1e-3):
        raise ValueError(
            f"maps are in [{least}, 1], got [{S.min():.3g}, {S.max():.3g}]: use "
            f"saliency.explain{remedy}"
        )


def check_finite(what: str, x: Tensor, remedy: str = "") -> None:
    """Each of a batch (B, ...) is finite; the error names the first that is not."""
    bad = (~torch.isfinite(x)).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(f"{what} {bad[0]} of the batch holds NaN or infinity{remedy}")


def check_options(kind: str, name: str, given: dict, valid: dict) -> None:
    """Options are those that the method or metric declares."""
    for option in given:
        if option not in valid:
            raise unknown(f"option of {kind} {name}", option, valid)


def check_count(name: str, value: int | None, least: int = 1) -> None:
    """A number of things is at least so many; None leaves it open."""
    if value is not None and value < least:
        raise ValueError(f"{name} is at least {least}, got {value}")


def check_choice(kind: str, value: str, valid) -> None:
    """A named choice is one of the valid ones."""
    if value not in valid:
        raise unknown(kind, value, valid)
