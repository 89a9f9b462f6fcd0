"""The attention of a vision transformer, recorded as it runs, and maps from it.

This works for any timm network whose classifier reads a class token that attends to a grid of
patches. The tokens before the grid (class, distillation, registers) and the grid itself are
inferred. The network is not modified: `Attention` intercepts each call of a torch function while a
batch runs, and computes fused attention step by step, so that A exists. Nothing has to be restored
afterwards, even after an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..checks import check_choice
from ..nets.grid import grid_of_tokens
from .propagation import Propagation, Rule, name_of

ROWS = {"class": (0,), "distillation": (1,), "both": (0, 1)}


class Attention(Propagation):
    """Records every softmax that runs inside it, in order, and runs fused attention in steps."""

    def __init__(self, rules: Mapping[str, Rule] = {}, refusal: str | None = None) -> None:
        super().__init__({**rules, "scaled_dot_product_attention": self.attend})
        self.found: list[Tensor] = []
        self.refusal_then = refusal  # for steps after the first attention

    def step(self, func: Callable, *args, **kwargs) -> Any:
        out = super().step(func, *args, **kwargs)
        if name_of(func) == "softmax":
            self.found.append(out)
            self.refusal = self.refusal_then
        return out

    def attend(
        self, func: Callable, q: Tensor, k: Tensor, v: Tensor, attn_mask: Tensor | None = None,
        dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:  # fmt: skip
        r"""$A v$ with $A = \mathrm{softmax}(q k^\top / \sqrt d + \text{mask})$, without dropout."""
        if is_causal or enable_gqa:
            raise ValueError("causal or grouped attention: only full attention is followed here")
        q = self.step(torch.mul, q, q.shape[-1] ** -0.5 if scale is None else scale)
        scores = self.step(torch.matmul, q, k.transpose(-2, -1))  # (B, heads, N, N)
        if attn_mask is not None:
            if attn_mask.dtype == torch.bool:
                attn_mask = torch.zeros_like(scores).masked_fill(~attn_mask, -torch.inf)
            scores = self.step(torch.add, scores, attn_mask)
        return self.step(torch.matmul, self.step(torch.softmax, scores, -1), v)


class Transformer:
    """A classifier with a class token, and the maps that its attention gives.

    Args:
        net: a `Classifier`.
        row: the token whose attention makes a map: "class", "distillation" or "both", their mean.

    Raises:
        ValueError: the network has no such token, or its classifier does not read it.
    """

    def __init__(self, net, row: str = "class"):
        check_choice("row", row, ROWS)
        self.net, self.rows, self.body = net, ROWS[row], _body(net)
        if row != "class" and getattr(self.body, "dist_token", None) is None:
            raise ValueError(f"{net.name} has no distillation token: take row='class', not {row!r}")

    def run(self, x: Tensor, mode: Attention) -> tuple[Tensor, list[Tensor]]:
        """Logits (B, C) and the attention A (B, heads, N, N) of every block, recorded by `mode`."""
        with mode:
            logits = self.net.model((x - self.net.mean) / self.net.std)
        shape = mode.found[0].shape if mode.found else ()
        same = all(A.shape == shape for A in mode.found)
        if not (same and len(shape) == 4 and shape[0] == len(x) and shape[2] == shape[3]):
            shapes = sorted({tuple(A.shape) for A in mode.found})
            raise ValueError(
                f"{_needed(self.net)}; its blocks do not all attend from every token to every token: "
                f"softmax over {shapes or 'nothing'}"
            )
        return logits, mode.found

    def map(self, x: Tensor, blocks: Sequence[Tensor]) -> Tensor:
        r"""Maps (B, h, w): the token's row of $M_L \cdots M_1$ over the patches.

        Args:
            x: the images, whose aspect ratio the grid has.
            blocks: $M_1, \dots, M_L$ (B, N, N), from the first block to the last.
        """
        B, N = blocks[0].shape[:2]
        r = blocks[0].new_zeros(B, 1, N)
        r[:, :, self.rows] = 1 / len(self.rows)
        for M in reversed(blocks):
            r = r @ M  # one row instead of the whole product of matrices
        declared = getattr(self.body, "num_prefix_tokens", None)
        grid = grid_of_tokens(N, tuple(x.shape[2:]), declared)
        if grid.prefix <= max(self.rows):
            raise ValueError(f"{_needed(self.net)}; its {N} tokens are patches alone")
        patches, _ = grid.split(r.transpose(1, 2), tuple(x.shape[2:]))  # (B, 1, h, w)
        return patches[:, 0]


def attends(net) -> bool:
    """Whether the network has a class token that its classifier reads."""
    try:
        _body(net)
    except ValueError:
        return False
    return True


def _body(net) -> nn.Module:
    """The module that has the class token."""
    for module in net.model.modules():
        if getattr(module, "cls_token", None) is not None:
            pool = getattr(module, "global_pool", "token")
            if pool != "token":
                raise ValueError(f"{_needed(net)}; its classifier reads global_pool={pool!r}")
            return module
    raise ValueError(f"{_needed(net)}; it has none")


def _needed(net) -> str:
    return (
        f"{net.name}: attention maps need a class token that the classifier reads, as in timm's "
        "vit_base_patch16_224, deit_base_patch16_224, deit_base_distilled_patch16_224, or in "
        "mnist_vit and mnist_deit"
    )


def with_identity(M: Tensor) -> Tensor:
    """M + I, where the identity stands for the skip connection."""
    return M + torch.eye(M.shape[-1], dtype=M.dtype, device=M.device)
