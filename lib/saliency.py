r"""From images to saliency maps in [0, 1], or with their sign in [-1, 1], by any method."""

from typing import NamedTuple

import torch
from torch import Tensor

from .checks import NO_CLASS, check_images, check_net, check_options, check_targets
from .inference import outside_inference_mode
from .maps import MASKINGS, NORMALISATIONS, mask, normalise, predict, upsample
from .methods import method_named, weighted_sum

__all__ = [
    "MASKINGS", "NORMALISATIONS", "Attribution", "attribute", "explain", "finish", "mask", "normalise",
    "predict", "raw_map", "upsample",
]  # fmt: skip


class Attribution(NamedTuple):
    """The raw signed map (B, h, w) of a method, and the coefficients (B, K) of its channels, where
    it is one combination of them for all positions."""

    map: Tensor
    coefficients: Tensor | None


def raw_map(method: str, net, x: Tensor, target: int | Tensor | None = None, **options) -> Tensor:
    """The raw signed map (B, h, w) of a method, checked; `target=None` is the predicted class."""
    return attribute(method, net, x, target, **options).map


@outside_inference_mode
def attribute(
    method: str, net, x: Tensor, target: int | Tensor | None = None, **options
) -> Attribution:
    r"""The raw map of a method with its coefficients $\alpha$, both checked; arguments as in `explain`.

    Example:
        >>> attribute("lift_cam", net, x).coefficients.shape
        torch.Size([1, 1280])
    """
    spec = method_named(method)
    check_options("method", method, options, spec.options, spec.annotations)
    check_net(net)
    x = check_images(x).to(net.device, net.dtype)
    if target is None:
        target = predict(net, x) if net.num_classes else NO_CLASS
    target = check_targets(target, len(x), net.num_classes, net.device)
    alpha = None
    if spec.coefficients is None:
        raw = spec.fn(net, x, target, **options)
    else:
        alpha, A = spec.coefficients(net, x, target, **options)
        raw = weighted_sum(alpha, A)
    bad = (~torch.isfinite(raw)).flatten(1).any(1).nonzero().flatten().tolist()
    if bad:
        raise ValueError(
            f"{method} gave NaN or infinity on image {bad[0]} of the batch, class {target[bad[0]]}"
        )
    return Attribution(raw, alpha)


def finish(
    method: str, raw: Tensor, size: tuple[int, int], *, signed: bool = False, **options
) -> Tensor:
    """S (B, H, W) in [0, 1] from raw maps: ReLU where the method has it, upsampling, and min-max or
    the method's own option `normalisation`; or signed, in [-1, 1]. Arguments as in `explain`."""
    if signed:
        return normalise(upsample(raw, size), "signed")
    raw = raw.relu() if method_named(method).rectifies(options) else raw
    return normalise(upsample(raw, size), options.get("normalisation", "range"))


def explain(
    method: str,
    net,
    x: Tensor,
    target: int | Tensor | None = None,
    *,
    signed: bool = False,
    **options,
) -> Tensor:
    r"""Saliency maps of images: $S^c = n(\mathrm{up}(h(\sum_k w_k^c A^k)))$, Opti-CAM eq. (1), (4).

    The raw map, then ReLU where the method has it, bilinear upsampling (pixel centres aligned) and
    min-max per image. A flat map gives zeros, never NaN. With a contrast there is no ReLU, for the
    negative part says as much as the positive; but min-max moves its zero, which `signed` keeps.

    Opti-CAM's option `normalisation` is the n of its map, eq. (16)-(18), as it is the n of the masks
    that it tries: $1 / (1 + e^{-a_{ij}})$ of activations, which are not negative, lies in [0.5, 1).

    Args:
        method: a name in `METHODS`.
        net: a `Classifier`.
        x: images (B, 3, H, W), float RGB in [0, 1]; a tensor, an array, or a list of images.
        target: indices of classes (B,), or one class for all; None for the predicted class, or of a backbone
            for none.
        signed: whether the map keeps its sign: no ReLU, and $S = M / \max |M|$ of the upsampled M.
        options: the method's own; see `METHODS[method].options`.

    Returns:
        S (B, H, W) in [0, 1], or in [-1, 1] if signed.

    Raises:
        UnknownName: unknown method or option; lists the valid ones.
        ValueError: bad images, targets, or a map that is not finite; names the image.

    Example:
        >>> S = explain("opti_cam", net, x, target=243)
        >>> S = explain("grad_cam", net, x, target=243, contrast="weighted", signed=True)
    """
    x = check_images(x)
    raw = raw_map(method, net, x, target, **options)
    return finish(method, raw, tuple(x.shape[2:]), signed=signed, **options)
