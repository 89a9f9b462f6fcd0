"""The kind of a network, judged by the order in which its modules run."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def run_in_order(model: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, int]]:
    """The network's output, and the order in which its modules were first called, by path."""
    calls: dict[nn.Module, int] = {}

    def note(module: nn.Module, _: tuple) -> None:
        calls.setdefault(module, len(calls))

    hooks = [module.register_forward_pre_hook(note) for module in model.modules()]
    try:
        out = model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return out, {name: calls[m] for name, m in model.named_modules() if m in calls}


def count_classes(model: nn.Module, logits: Tensor) -> int:
    """The number of classes C of a network with `logits` (B, C), or 0 if the network declares that
    it has none, as timm's do when they give pooled features."""
    return 0 if getattr(model, "num_classes", None) == 0 else logits.shape[1]


def last_block_norm(model: nn.Module, calls: dict[str, int]) -> str | None:
    """The first LayerNorm of the last block, if a network ends in blocks that begin with one.

    None for a network in which a convolution follows the last such block, such as MobileViT.
    """
    modules = dict(model.named_modules())
    norms = [
        name
        for name in calls
        if name.rpartition(".")[2] in ("norm1", "ln_1") and isinstance(modules[name], nn.LayerNorm)
    ]
    if not norms:
        return None
    last = max(norms, key=calls.get)
    block = last.rpartition(".")[0] + "."
    later = [name for name in calls if calls[name] > calls[last] and not name.startswith(block)]
    return None if any(isinstance(modules[name], nn.Conv2d) for name in later) else last


def has_class_token(model: nn.Module) -> bool:
    names = ("cls_token", "class_token")
    return any(getattr(m, name, None) is not None for m in model.modules() for name in names)
