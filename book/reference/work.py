"""The cost of a computation on any machine: its arithmetic operations, counted."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class _Counted(TorchDispatchMode):
    """Adds up the arithmetic of convolutions, products and attention, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.operations += count(*args, **kwargs, out_val=out)
        return out


def operations(run: Callable[[], Any]) -> int:
    """The number of multiplications and additions that `run` does with torch.

    Example:
        >>> operations(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
        48
    """
    with _Counted() as counted:
        run()
    return counted.operations


def passes(net, run: Callable[[], Any]) -> float:
    """The work of `run` in forward passes of one image through the whole network.

    A backward pass through the whole network counts as about two forward passes, or as one if only
    activations have gradients. A pass through the layers after the target layer counts as their share.

    Example:
        >>> passes(net, lambda: explain("score_cam", net, x, 243))
    """
    side = net.input_size
    x = torch.zeros(1, 3, side, side, device=net.device, dtype=net.dtype)
    with torch.no_grad():
        whole = operations(lambda: net(x))
    return operations(run) / whole
