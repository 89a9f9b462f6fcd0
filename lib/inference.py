"""Support for calls that need gradients in `torch.inference_mode`, or on tensors made in it."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only


def ordinary(t: Tensor) -> Tensor:
    """The tensor, or a copy if it was made in inference mode and so cannot have gradients."""
    return t.clone() if t.is_inference() else t


def outside_inference_mode(call: Callable) -> Callable:
    """The function, run on ordinary tensors and outside inference mode wherever it is called.

    Example:
        >>> with torch.inference_mode():
        ...     S = explain("grad_cam", net, x, net(x).argmax(1))
    """

    @wraps(call)
    def outside(*args, **kwargs):
        inside = torch.is_inference_mode_enabled()
        grad = torch.is_grad_enabled()  # leaving inference mode would switch it on
        with torch.inference_mode(False) if inside else nullcontext(), torch.set_grad_enabled(grad):
            args, kwargs = tree_map_only(Tensor, ordinary, (args, kwargs))
            return call(*args, **kwargs)

    return outside
