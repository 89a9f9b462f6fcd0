"""The cost of a computation on any machine: its arithmetic operations, counted."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only
from torch.utils.flop_counter import flop_registry


class _Counted(TorchDispatchMode):
    """Adds up the arithmetic of convolutions, products and attention, forward and backward.

    Args:
        computed: False leaves this arithmetic out: its results are random numbers in [0, 1) of the
            right shape.
    """

    def __init__(self, computed: bool) -> None:
        super().__init__()
        self.operations, self.computed = 0, computed

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        count = flop_registry.get(func._overloadpacket)
        made_up = count is not None and not self.computed
        out = _made_up(func, args, kwargs) if made_up else func(*args, **kwargs)
        if count is not None:
            self.operations += count(*args, **kwargs, out_val=out)
        return out


def _made_up(func, args, kwargs) -> Any:
    """Random numbers in the place of the result of an operation on floating-point tensors."""
    shapes = tree_map_only(torch.Tensor, lambda t: t.to("meta"), (args, kwargs))
    out = func(*shapes[0], **shapes[1])
    return tree_map_only(torch.Tensor, lambda t: torch.rand(t.shape, dtype=t.dtype), out)


def operations(run: Callable[[], Any], *, computed: bool = True) -> int:
    """The number of multiplications and additions that `run` does with torch.

    Args:
        computed: False counts them without doing them, which takes little time. That is the same
            number for a computation whose steps do not depend on its values.

    Example:
        >>> operations(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
        48
    """
    with _Counted(computed) as counted:
        run()
    return counted.operations


def passes(net, run: Callable[[], Any], *, computed: bool = True) -> float:
    """The work of `run` in forward passes of one image through the whole network.

    A backward pass through the whole network counts as about two forward passes, or as one if only
    activations have gradients. A pass through the layers after the target layer counts as their share.

    Args:
        computed: as for `operations`.

    Example:
        >>> passes(net, lambda: explain("score_cam", net, x, 243))
    """
    side = net.input_size
    x = torch.zeros(1, 3, side, side, device=net.device, dtype=net.dtype)
    with torch.no_grad():
        whole = operations(lambda: net(x))
    return operations(run, computed=computed) / whole
