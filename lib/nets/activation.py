"""Activations as a channel grid (B, K, h, w), whatever the network stores.

Where more than A crosses the cut between features and head (a skip connection, a class token),
the rest is the *context*: a tuple of tensors whose first dimension is the image. `Activation`
carries it along, so that `head(features(x))` needs no second argument.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

Context = Any  # a pytree of tensors, images first


_REORDER = {
    torch.flip,
    Tensor.flip,
    torch.roll,
    Tensor.roll,
    torch.index_select,
    Tensor.index_select,
}


class Activation(torch.Tensor):
    """A (B, K, h, w) that remembers its context through every operation that keeps its shape.

    `A[index]`, by images, takes their context along. What may reorder the images otherwise gives an
    ordinary tensor.
    """

    context: Context

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            out = func(*args, **(kwargs or {}))
        source = next((a for a in args if isinstance(a, Activation)), None)
        if type(out) is not Tensor or source is None or func in _REORDER:
            return out
        if func is Tensor.__getitem__:
            by_image = not isinstance(args[1], tuple) and out.shape[1:] == source.shape[1:]
            return attach(out, rows(source.context, args[1])) if by_image else out
        return attach(out, source.context) if out.shape == source.shape else out


def attach(A: Tensor, context: Context) -> Activation:
    """A with its context."""
    with torch._C.DisableTorchFunctionSubclass():
        A = A.as_subclass(Activation)
    A.context = context
    return A


def plain(A: Tensor) -> Tensor:
    """A as an ordinary tensor, in the same autograd graph."""
    with torch._C.DisableTorchFunctionSubclass():
        return A.as_subclass(Tensor)


def context_of(A: Tensor, index: Tensor | None = None) -> Context:
    """The context of A, or of the images `index` of A (for a batch that repeats images)."""
    context = getattr(A, "context", None)
    return context if index is None else rows(context, index)


def rows(tree: Any, index: Tensor) -> Any:
    """The images `index` of every tensor in a tree."""
    return tree_map_only(Tensor, lambda t: t[index], tree)


class Grid:
    """The layout of one layer's output, and its conversion to and from (B, K, h, w).

    Three layouts are told apart by a square probe image: maps (B, K, h, w); maps with channels
    last (B, h, w, K); tokens (B, P + h*w, K) with P prefix tokens (class, distillation, registers).
    """

    def __init__(self, shape: torch.Size, image: tuple[int, int], prefix: int | None, where: str):
        self.prefix = 0
        if len(shape) == 4:
            self.layout = (
                "maps" if shape[2] == shape[3] or shape[1] != shape[2] else "channels_last"
            )
        elif len(shape) == 3 and shape[1] > 1:
            self.layout, self.prefix = "tokens", _prefix_tokens(shape[1], image, prefix)
        else:
            raise ValueError(
                f"layer {where!r} gives {tuple(shape)}; a target layer must give maps (B, K, h, w) "
                "or tokens (B, N, K): choose a layer before the pooling"
            )

    def split(self, raw: Tensor, image: tuple[int, int]) -> tuple[Tensor, Tensor | None]:
        """The layer's output on images of that size as A (B, K, h, w), and its prefix tokens
        (B, P, K) if it has any."""
        if self.layout == "maps":
            return raw, None
        if self.layout == "channels_last":
            return raw.permute(0, 3, 1, 2), None  # (B, K, h, w)
        tokens = raw[:, self.prefix :].transpose(1, 2)  # (B, K, N)
        grid = _factor(tokens.shape[2], image)
        if grid is None:
            raise ValueError(f"{tokens.shape[2]} tokens are no grid of an image {tuple(image)}")
        return tokens.unflatten(2, grid), raw[:, : self.prefix]  # (B, K, h, w), (B, P, K)

    def join(self, A: Tensor, prefix: Tensor | None) -> Tensor:
        """What the rest of the network expects, from A and the prefix tokens."""
        if self.layout == "maps":
            return A
        if self.layout == "channels_last":
            return A.permute(0, 2, 3, 1)  # (B, h, w, K)
        return torch.cat([prefix, A.flatten(2).transpose(1, 2)], dim=1)  # (B, P + N, K)


def _factor(n: int, image: tuple[int, int]) -> tuple[int, int] | None:
    """The grid (h, w) of n tokens with the aspect of the image, or None."""
    h = round(math.sqrt(n * image[0] / image[1]))
    return (
        (h, n // h)
        if h and n % h == 0 and abs(h * image[1] - n // h * image[0]) <= max(image)
        else None
    )


def _prefix_tokens(n: int, image: tuple[int, int], declared: int | None) -> int:
    """How many tokens stand before the grid: what the network declares, or the fewest that fit."""
    if declared is not None and _factor(n - declared, image):
        return declared
    fits = [p for p in range(min(n, 64)) if math.isqrt(n - p) ** 2 == n - p]
    if not fits:
        raise ValueError(f"{n} tokens hold no square grid: give num_prefix_tokens on the network")
    return fits[0]
