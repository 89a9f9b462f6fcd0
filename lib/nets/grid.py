"""Activations as a grid (B, K, h, w), whatever layout the network uses."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Size = tuple[int, int]

FEW_PREFIX_TOKENS = 8  # networks have fewer: a class and a distillation token, four registers
TOKENS = (  # parameters that are tokens before the patches
    "cls_token", "class_token", "dist_token", "reg_token", "register_tokens",
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
    """The layout of one layer's output, and its conversion to and from (B, K, h, w).

    Attributes:
        layout: "maps" (B, K, h, w); "channels_last" (B, h, w, K); "tokens" (B, P + h*w, K) with P prefix
            tokens (class, distillation, registers); or "tokens_last" (B, K, h*w).
        size: (h, w) on the image from which the layout was learned.
        prefix: P.
    """

    layout: str
    size: Size
    prefix: int = 0

    def split(self, raw: Tensor, image: Size) -> tuple[Tensor, Tensor | None]:
        """The layer's output on images of that size as A (B, K, h, w), and its prefix tokens
        (B, P, K) if it has any."""
        if self.layout == "maps":
            return raw, None
        if self.layout == "channels_last":
            return raw.permute(0, 3, 1, 2), None  # (B, K, h, w)
        if self.layout == "tokens_last":
            return raw.unflatten(2, _grid_of(raw.shape[2], image)), None
        tokens = raw[:, self.prefix :].transpose(1, 2)  # (B, K, N)
        grid = _grid_of(tokens.shape[2], image)
        return tokens.unflatten(2, grid), raw[:, : self.prefix]  # (B, K, h, w), (B, P, K)

    def join(self, A: Tensor, prefix: Tensor | None) -> Tensor:
        """The input of the rest of the network, from A and the prefix tokens."""
        if self.layout == "maps":
            return A
        if self.layout == "channels_last":
            return A.permute(0, 2, 3, 1).contiguous()  # (B, h, w, K)
        if self.layout == "tokens_last":
            return A.flatten(2)
        return torch.cat([prefix, A.flatten(2).transpose(1, 2)], dim=1)  # (B, P + N, K)

    def __str__(self) -> str:
        h, w = self.size
        form = {
            "maps": "(B, K, h, w)",
            "channels_last": "(B, h, w, K)",
            "tokens_last": "(B, K, h*w)",
        }
        form["tokens"] = f"(B, {self.prefix} + h*w, K)"
        return f"{form[self.layout]} with h x w = {h} x {w}"


def find_grid(
    model: nn.Module, layer: str, x: Tensor, features: Callable[[Tensor], Tensor]
) -> Grid:
    """The layout of a layer's output, chosen among all layouts that fit its shape.

    For tokens the choice uses what the network declares (`num_prefix_tokens`, or tokens among its
    parameters) and the grids of its convolutions. If several layouts still fit, it uses the output
    for an image twice as wide, if the network takes one; then the entries that change with a corner
    of the image; and then prefers squares.

    Args:
        x: scaled square images (B, 3, s, s).
        features: the function from such images to the layer's output.

    Raises:
        ValueError: no layout fits, or more than one does; the message names them.
    """
    raw, image = features(x), tuple(x.shape[2:])
    found = _readings(raw.shape, image)
    if not found:
        raise ValueError(
            f"layer {layer!r} gives {tuple(raw.shape)}; a target layer must give maps (B, K, h, w) "
            "or tokens (B, N, K) of a square grid: choose a layer before the pooling"
        )
    if raw.ndim == 3:
        declared = declared_prefix(model)
        found = _kept(found, lambda one: one.layout == "tokens" and one.prefix == declared)
        if len(found) > 1:
            grids = _grids_of_convolutions(model, x)
            found = _kept(found, lambda one: one.size in grids)
            found = _kept(found, lambda one: any(h % one.size[0] == 0 for h, _ in grids))  # merged
    if len(found) > 1:
        wide = _or_none(features, torch.cat([x, x], 3))
        found = _kept(
            found, lambda one: wide is not None and _fits_wide(one, raw.shape, wide.shape)
        )
    if len(found) > 1 and raw.ndim == 4:
        found = _kept(found, lambda one: one.layout == _by_corner(raw, x, features))
    return _most_natural(found, layer, raw.shape)


def grid_of_tokens(n: int, image: Size, declared: int | None) -> Grid:
    """The grid of n tokens, of which `declared` are prefix tokens (None if not declared).

    Example:
        >>> grid_of_tokens(197, (224, 224), None)
        Grid(layout='tokens', size=(14, 14), prefix=1)
    """
    found = [one for one in _readings(torch.Size((1, n, 1)), image) if one.layout == "tokens"]
    if not found:
        raise ValueError(f"{n} tokens are no grid of an image {tuple(image)}")
    found = _kept(found, lambda one: one.prefix == declared)
    return _most_natural(found, "attention", torch.Size((1, n, 1)))


def declared_prefix(model: nn.Module) -> int | None:
    """The number of prefix tokens that a network, or one inside it, declares; None without any."""
    for module in model.modules():
        if isinstance(said := getattr(module, "num_prefix_tokens", None), int):
            return said
    counts = [p.shape[1] for name, p in model.named_parameters()
              if name.rpartition(".")[2] in TOKENS and p.ndim == 3]  # fmt: skip
    return sum(counts) or None


# ------------------------------------------------------------------------------------ readings


def _readings(shape: torch.Size, image: Size) -> list[Grid]:
    """All layouts that an output may have."""
    if len(shape) == 4:
        return [Grid("maps", tuple(shape[2:])), Grid("channels_last", tuple(shape[1:3]))]
    if len(shape) != 3 or shape[1] < 2:
        return []
    tokens = [Grid("tokens", size, p) for p in range(min(shape[1] - 1, 64))
              if (size := _factor(shape[1] - p, image))]  # fmt: skip
    last = _factor(shape[2], image)
    return [one for one in [*tokens, *([Grid("tokens_last", last)] if last else [])]
            if one.size != (1, 1)]  # fmt: skip


def _factor(n: int, image: Size) -> Size | None:
    """The grid (h, w) of n tokens with the aspect of the image, or None."""
    h = round(math.sqrt(n * image[0] / image[1]))
    if h == 0 or n % h:
        return None
    w = n // h
    slack = 0 if image[0] == image[1] else max(image)
    return (h, w) if abs(h * image[1] - w * image[0]) <= slack else None


def _grid_of(n: int, image: Size) -> Size:
    grid = _factor(n, image)
    if grid is None:
        raise ValueError(f"{n} tokens are no grid of an image {tuple(image)}")
    return grid


def _kept(found: list[Grid], holds: Callable[[Grid], bool]) -> list[Grid]:
    """The readings for which the evidence holds; all if it holds for none."""
    return [one for one in found if len(found) > 1 and holds(one)] or found


def _most_natural(found: list[Grid], layer: str, shape: torch.Size) -> Grid:
    """The reading with square maps and few prefix tokens; an error if more than one is left."""
    found = _kept(found, lambda one: one.size[0] == one.size[1] or len(shape) == 3)
    found = _kept(found, lambda one: one.prefix < FEW_PREFIX_TOKENS)
    if found[0].prefix >= FEW_PREFIX_TOKENS:
        return found[0]
    if len(found) > 1:
        remedy = ", or set num_prefix_tokens on the network" if len(shape) == 3 else ""
        raise ValueError(
            f"layer {layer!r} gives {tuple(shape)}, which may be {found[0]} or {found[1]}: choose another "
            f"layer{remedy}"
        )
    return found[0]


# ------------------------------------------------------------------------------------ evidence


def _fits_wide(one: Grid, shape: torch.Size, wide: torch.Size) -> bool:
    """Whether a reading fits the shape for an image twice as wide: only the width of the grid
    should grow, to about twice its size."""
    if one.layout.startswith("tokens"):
        axis = 1 if one.layout == "tokens" else 2
        width, rest = divmod(wide[axis] - one.prefix, one.size[0])
        same = rest == 0 and wide[3 - axis] == shape[3 - axis]
    else:
        axis = 3 if one.layout == "maps" else 2
        width = wide[axis]
        same = all(wide[i] == shape[i] for i in range(1, 4) if i != axis)
    return same and width > one.size[1] and abs(width - 2 * one.size[1]) <= 2


def _by_corner(raw: Tensor, x: Tensor, features: Callable[[Tensor], Tensor]) -> str:
    """The layout in which a change in a corner of the image reaches few columns, most channels."""
    other, part = x.clone(), max(1, x.shape[3] // 16)
    other[:, :, :part, :part] += 1
    changed = features(other) != raw
    first, last = (changed.transpose(i, 1).flatten(2).any(2).double().mean().item() for i in (1, 3))
    if last <= first / 2:
        return "maps"
    return "channels_last" if first <= last / 2 else ""


def _grids_of_convolutions(model: nn.Module, x: Tensor) -> set[Size]:
    """The sizes of the outputs of a network's convolutions."""
    found: set[Size] = set()
    hooks = [
        module.register_forward_hook(lambda _, args, out: found.add(tuple(out.shape[2:])))
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
    ]
    try:
        model(x.clone())
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _or_none(features: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    try:
        return features(x)
    except Exception:  # the network's own code, which may raise anything
        return None
