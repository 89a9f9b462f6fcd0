r"""Saliency maps of images by any method, in [0, 1], or signed in [-1, 1]."""

from typing import NamedTuple

from torch import Tensor

from .checks import (
    NO_CLASS,
    as_images,
    check_images,
    check_net,
    check_options,
    check_targets,
    first_not_finite,
)
from .inference import outside_inference_mode
from .maps import MASKINGS, NORMALISATIONS, mask, normalise, predict, upsample
from .methods import method_named, weighted_sum

__all__ = [
    "MASKINGS", "NORMALISATIONS", "Attribution", "attribute", "explain", "finish", "mask", "normalise",
    "predict", "raw_map", "upsample",
]  # fmt: skip


class Attribution(NamedTuple):
    """The raw signed map (B, h, w) of a method, and the coefficients (B, K) of its channels if the
    map is a linear combination of them."""

    map: Tensor
    coefficients: Tensor | None


def raw_map(method: str, net, x: Tensor, target: int | Tensor | None = None, **options) -> Tensor:
    """The raw signed map (B, h, w) of a method; `target=None` is the predicted class."""
    return attribute(method, net, x, target, **options).map


@outside_inference_mode
def attribute(
    method: str, net, x: Tensor, target: int | Tensor | None = None, **options
) -> Attribution:
    r"""The raw map of a method with its coefficients $\alpha$; arguments and errors as in
    `explain`.

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
    bad = first_not_finite(raw)
    if bad is not None:
        raise ValueError(
            f"{method} gave NaN or infinity on image {bad} of the batch, class {target[bad]}"
        )
    return Attribution(raw, alpha)


def finish(
    method: str, raw: Tensor, size: tuple[int, int], *, signed: bool = False, **options
) -> Tensor:
    """S (B, H, W) in [0, 1], or in [-1, 1] if signed, from raw maps.

    They pass a ReLU if the method has it, upsampling, and min-max or the method's own option
    `normalisation`. Arguments as in `explain`.
    """
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

    The raw map passes a ReLU (h) if the method has one, bilinear upsampling with aligned pixel
    centres (up), and min-max per image (n). A flat map gives zeros, never NaN. With a contrast
    there is no ReLU, since the negative part of the map matters as much as the positive. Min-max
    then moves zero; `signed` keeps it in place.

    Opti-CAM's option `normalisation` is the n of the final map, eq. (16)-(18), as well as of the
    masks that the optimisation tries. With "sigmoid", $1 / (1 + e^{-a_{ij}})$, the map of
    activations that are not negative lies in [0.5, 1).

    Args:
        method: a name in `METHODS`.
        net: a `Classifier`.
        x: images (B, 3, H, W), float RGB in [0, 1]; a tensor, an array, or a list of images.
        target: class indices (B,), or one class for all; None for the predicted class (for a
            backbone without classes: no class).
        signed: whether the map keeps its sign: no ReLU, and $S = M / \max |M|$ of the upsampled M.
        options: the options of the method; see `METHODS[method].options`.

    Returns:
        S (B, H, W) in [0, 1], or in [-1, 1] if signed.

    Raises:
        UnknownName: the method or an option is unknown; the message lists the valid ones.
        ValueError: images or targets are not valid, or a map is not finite; the message names the
            image.

    Example:
        >>> S = explain("opti_cam", net, x, target=243)
        >>> S = explain("grad_cam", net, x, target=243, contrast="weighted", signed=True)
    """
    raw = raw_map(method, net, x, target, **options)
    return finish(method, raw, tuple(as_images(x).shape[2:]), signed=signed, **options)
