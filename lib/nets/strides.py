"""Networks with a finer grid, in which the strides of some layers are 1."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import unknown

STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def without_strides(
    model: nn.Module, layers: Sequence[str], *, dilation: bool = False, size: int = 224
) -> nn.Module:
    """A copy of a network in which everything in the given layers has stride 1.

    No weight changes, and for the same input each layer's old output is every second row and column
    of its new output. The layers after it, however, see a finer grid with kernels of the same size,
    and so a smaller part of the image; CALM trains the network in this form (supplement, appendix
    C). With `dilation` these layers are dilated by as much as their input has grown. They then see
    the same part of the image as before, and the old output of the whole network is every second
    row and column of the new one.

    Args:
        layers: paths of modules, such as "layer3" and "layer4" of a ResNet, whose grid of 7 x 7
            then becomes 28 x 28.
        dilation: whether the layers after them are dilated.
        size: the height and width of an image that the network takes.

    Raises:
        UnknownName: there is no such layer; the message lists those that have strides.
        ValueError: a layer has no strides; or the network does not run without them, for example
            because a stride is written in its code; or an average pooling would have to be dilated.

    Example:
        >>> model = without_strides(torchvision.models.resnet50(), ["layer3", "layer4"])
        >>> nets.wrap(model, "layer4").features(torch.rand(1, 3, 224, 224)).shape
        torch.Size([1, 2048, 28, 28])
    """
    finer = copy.deepcopy(model)
    changed = [module for layer in layers for module in _strided(finer, layer)]
    x = _probe(finer, size)
    before = _sides(model, x) if dilation else {}
    for module in changed:
        module.stride = (1, 1) if isinstance(module, nn.Conv2d) else 1
    try:
        after = _sides(finer, x)
    except RuntimeError as error:
        raise ValueError(
            f"the network does not run without the strides of {', '.join(layers)}, as where one of "
            f"them is no module: {error}"
        ) from error
    for name, side in before.items():
        _dilate(name, finer.get_submodule(name), round(after[name] / side))
    return finer


def _strided(model: nn.Module, layer: str) -> list[nn.Module]:
    """The modules with a stride in a layer, including the layer itself."""
    own = [name for name, module in model.named_modules() if _has_stride(module)]
    if layer not in dict(model.named_modules()):
        raise unknown("layer", layer, own)
    found = [name for name in own if name == layer or f"{name}.".startswith(f"{layer}.")]
    if not found:
        raise ValueError(f"nothing in {layer} has a stride: those that have are {', '.join(own)}")
    return [model.get_submodule(name) for name in found]


def _has_stride(module: nn.Module) -> bool:
    return isinstance(module, STRIDED) and _pair(module.stride) != (1, 1)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _probe(model: nn.Module, size: int) -> Tensor:
    parameter = next(model.parameters())
    return torch.zeros(1, 3, size, size, device=parameter.device, dtype=parameter.dtype)


@torch.no_grad()
def _sides(model: nn.Module, x: Tensor) -> dict[str, int]:
    """The height of the input of each convolution and pooling, by path."""
    found, training = {}, model.training
    hooks = [
        module.register_forward_pre_hook(lambda _, args, name=name: found.update({name: args[0].shape[2]}))
        for name, module in model.named_modules()
        if isinstance(module, STRIDED)
    ]  # fmt: skip
    try:
        model.eval()(x)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return found


def _dilate(name: str, module: nn.Module, factor: int) -> None:
    """Dilates a kernel for a grid that is finer by a factor."""
    if factor == 1 or _pair(module.kernel_size) == (1, 1):
        return
    if isinstance(module, nn.AvgPool2d):
        raise ValueError(f"{name} is an average pooling, which has no dilation: leave it out")
    scaled = {key: _pair(getattr(module, key)) for key in ("dilation", "padding")}
    for key, (down, across) in scaled.items():
        setattr(module, key, (down * factor, across * factor))
