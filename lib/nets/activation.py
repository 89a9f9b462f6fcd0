"""An activation that carries its context, which is everything else that the head needs.

If more than A crosses the cut between features and head (a skip connection, a class token), the
rest is the *context*, a tree of tensors whose first dimension is the image. Inside this library the
two are passed separately: `A, context = net.cut(x)` and `net.head(A, context)`. An `Activation`
lets users write `net.head(net.features(x))` without a second argument.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

Context = Any  # a tree of tensors, images first; None if the head needs only A

_MOVE_IMAGES = {
    torch.flip, Tensor.flip, torch.roll, Tensor.roll, torch.index_select, Tensor.index_select,
}  # fmt: skip


class Activation(Tensor):
    """A (B, K, h, w) whose context is kept by every operation that keeps its shape.

    `A[index]`, by images, selects their context. Other operations that may reorder images give an
    ordinary tensor.
    """

    context: Context

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            out = func(*args, **(kwargs or {}))
        source = next((a for a in args if isinstance(a, Activation)), None)
        if type(out) is not Tensor or source is None or func in _MOVE_IMAGES:
            return out
        if func is Tensor.__getitem__:
            by_image = not isinstance(args[1], tuple) and out.shape[1:] == source.shape[1:]
            return attach(out, rows(source.context, args[1])) if by_image else out
        return attach(out, source.context) if out.shape == source.shape else out


def attach(A: Tensor, context: Context) -> Activation:
    """A plain tensor A as an `Activation` with its context."""
    A = A.as_subclass(Activation)
    A.context = context
    return A


def context_of(A: Tensor, index: Tensor | None = None) -> Context:
    """The context of A, or of the images `index` of A (for a batch that repeats images)."""
    context = getattr(A, "context", None)
    return context if index is None else rows(context, index)


def rows(tree: Any, index: Any) -> Any:
    """The rows `index`, one per image, of every tensor in a tree."""
    return tree_map_only(Tensor, lambda t: t[index], tree)
