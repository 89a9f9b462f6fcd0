"""Calls that need gradients inside `torch.inference_mode`, and on tensors that were made there."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only


def ordinary(t: Tensor) -> Tensor:
    """The tensor, or of one that was made in inference mode, which takes part in no gradient, a copy."""
    return t.clone() if t.is_inference() else t


def outside_inference_mode(call: Callable) -> Callable:
    """The function on ordinary tensors and outside of inference mode, wherever it is called.

    Example:
        >>> with torch.inference_mode():
        ...     S = explain("grad_cam", net, x, net(x).argmax(1))
    """

    @wraps(call)
    def outside(*args, **kwargs):
        inside = torch.is_inference_mode_enabled()
        grad = torch.is_grad_enabled()  # off inside, and on again where that mode is left
        with torch.inference_mode(False) if inside else nullcontext(), torch.set_grad_enabled(grad):
            args, kwargs = tree_map_only(Tensor, ordinary, (args, kwargs))
            return call(*args, **kwargs)

    return outside
