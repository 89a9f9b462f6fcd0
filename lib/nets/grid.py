"""Activations as a channel grid (B, K, h, w), whatever the network stores."""

import math

import torch
from torch import Tensor


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
            return A.permute(0, 2, 3, 1).contiguous()  # (B, h, w, K)
        return torch.cat([prefix, A.flatten(2).transpose(1, 2)], dim=1)  # (B, P + N, K)


def _factor(n: int, image: tuple[int, int]) -> tuple[int, int] | None:
    """The grid (h, w) of n tokens with the aspect of the image, or None."""
    h = round(math.sqrt(n * image[0] / image[1]))
    if h == 0 or n % h:
        return None
    w = n // h
    return (h, w) if abs(h * image[1] - w * image[0]) <= max(image) else None


def _prefix_tokens(n: int, image: tuple[int, int], declared: int | None) -> int:
    """How many tokens stand before the grid: what the network declares, or the fewest that fit."""
    if declared is not None and _factor(n - declared, image):
        return declared
    fits = [p for p in range(min(n, 64)) if math.isqrt(n - p) ** 2 == n - p]
    if not fits:
        raise ValueError(f"{n} tokens hold no square grid: give num_prefix_tokens on the network")
    return fits[0]
