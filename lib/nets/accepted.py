"""Checks of whether a network can be explained, each with an error that says what to do."""

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .architecture import count_classes

_PASSES_ON = re.compile("View|Reshape|Squeeze|Clone|Alias|Slice|Select|Copy|Permute|Transpose")


def check_network(name: str, model: Any) -> None:
    """Raises an error unless the network is a PyTorch module, neither TorchScript nor quantised."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"{name} is {type(model).__name__}: give a torch.nn.Module")
    for path, module in model.named_modules():
        kind = type(module).__module__
        if isinstance(module, torch.jit.ScriptModule):
            said = "is TorchScript, which cannot be cut: give the module that it was made of"
        elif kind.startswith("torch.ao.nn.") and ".quantized" in kind:
            said = "is quantised, which has no gradients: give the network before quantisation"
        else:
            continue
        raise ValueError(f"{name}{f', in {path!r},' if path else ''} {said}")


def does_not_run(name: str, model: nn.Module, x: Tensor, error: Exception) -> ValueError:
    """The error for a network that does not run on images, with the likely reason."""
    first = next((m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd)), None)
    if first is not None and not isinstance(first, nn.Conv2d):
        remedy = f"images have two dimensions, and its first layer is a {type(first).__name__}"
    elif first is not None and first.in_channels != x.shape[1]:
        such = ", such as x.mean(1, keepdim=True)" if first.in_channels == 1 else ""
        remedy = (
            f"images are RGB, and its first convolution takes {first.in_channels} channel(s): wrap it in "
            f"a module that makes these of three{such}"
        )
    elif isinstance(error, TypeError) and "argument" in str(error):
        remedy = (
            "a network takes the image alone: wrap it in a module that adds the other arguments"
        )
    else:
        remedy = "give its input_size, the side of the images that it takes"
    return ValueError(
        f"{name} does not run on images {tuple(x.shape)}: {remedy} ({first_line(error)})"
    )


def first_line(error: Exception) -> str:
    """The type of an error and the first line of its message."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def check_output(name: str, model: nn.Module, logits: Any, x: Tensor) -> None:
    """Raises an error unless the network gives a finite logit for each image and class."""
    if isinstance(logits, Tensor) and logits.shape == (len(x),):
        raise _one_logit(name)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        what = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"{name} gives {what}; a classifier gives logits (B, C): wrap it in one that does"
        )
    if not logits.isfinite().all():
        tensors = [*model.named_parameters(), *model.named_buffers()]
        bad = [key for key, tensor in tensors if tensor.isnan().any()]
        where = f": its weights hold NaN, first in {bad[0]!r}; load others" if bad else ""
        raise ValueError(f"{name} gives NaN or infinity for an image of noise{where}")


@torch.enable_grad()
def check_alone(
    name: str, model: nn.Module, x: Tensor, logits: Tensor, called: Iterable[str], tolerance: float
) -> None:
    """Raises an error if an image's output depends on its neighbours in the batch or is a
    probability.

    Args:
        x: images (B, 3, H, W), scaled.
        logits: their logits (B, C).
        called: the paths of the modules that ran.
        tolerance: as a fraction of the largest logit.
    """
    for path in called:
        module = model.get_submodule(path)
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise ValueError(
                f"{name} has no running statistics in {path!r}, so that an image's logits depend on its "
                "neighbours in the batch: train it with track_running_stats=True, or put a GroupNorm there"
            )
    alone = model(x[:1].clone().requires_grad_().clone())  # the network may overwrite it
    error = (alone.detach() - logits[:1]).abs().max() / logits.abs().max().clamp_min(1e-12)
    if not error <= tolerance:
        raise ValueError(
            f"{name} gives an image other logits in a batch than alone, by {error.item():.1e} of the "
            "largest: let it depend neither on the batch nor on chance, as dropout in eval mode does not"
        )
    if count_classes(model, logits):
        _check_logits(name, logits, _last_step(alone))


def _check_logits(name: str, logits: Tensor, last: str) -> None:
    """Raises an error for probabilities, sigmoids and single logits."""
    inside = bool((logits >= 0).all() and (logits <= 1).all())
    sums = logits.double().sum(1)
    if inside and logits.shape[1] > 1 and torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise ValueError(
            f"{name} ends in a softmax, and a second one would flatten its probabilities: leave the "
            "softmax out, as by replacing its module by torch.nn.Identity()"
        )
    if inside and last.startswith("Sigmoid"):
        two = ", and wrap nets.TwoClasses(model)" if logits.shape[1] == 1 else ""
        raise ValueError(
            f"{name} ends in a sigmoid, which is no logit: leave the sigmoid out, as by replacing its "
            f"module by torch.nn.Identity(){two}"
        )
    if logits.shape[1] == 1:
        raise _one_logit(name)


def _one_logit(name: str) -> ValueError:
    return ValueError(
        f"{name} gives one logit, whose softmax is 1 for every image: wrap nets.TwoClasses(model), "
        "whose second class has the probability sigmoid(logit)"
    )


def _last_step(out: Tensor) -> str:
    """Autograd's name of the last step that computes something."""
    step = out.grad_fn
    while step is not None and _PASSES_ON.search(step.name()) and step.next_functions:
        step = step.next_functions[0][0]
    return "" if step is None else step.name()
