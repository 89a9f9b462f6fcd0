"""Copies of users' networks, without wrappers and hooks."""

import copy
import warnings

from torch import Tensor, nn
from torch._dynamo import OptimizedModule
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim.swa_utils import AveragedModel
from torch.overrides import TorchFunctionMode

_AROUND = {  # PyTorch's wrappers of networks, and the attribute that has the network
    OptimizedModule: "_orig_mod",
    DataParallel: "module",
    DistributedDataParallel: "module",
    AveragedModel: "module",
}
_HOOKS = (
    "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks",
)  # fmt: skip


def copied(model: nn.Module) -> nn.Module:
    """A copy of a network, without wrappers such as `torch.compile` and `DataParallel`.

    The user's hooks are dropped; PyTorch's own, such as those of weight normalisation, stay.
    Tensors that the network keeps from its last pass, such as features, are copied without autograd
    history.
    """
    with _Detached():
        model = copy.deepcopy(bare(model))
    for path, module in [*model.named_modules()]:
        if bare(module) is not module:
            model.set_submodule(path, bare(module))
    dropped = sorted({name or "the network" for name, m in model.named_modules() if _unhook(m)})
    if dropped:
        warnings.warn(
            f"the hooks on {', '.join(dropped)} are not copied: what they change is not explained unless "
            "it becomes part of the network",
            stacklevel=3,
        )
    return model


def bare(model: nn.Module) -> nn.Module:
    """The network inside PyTorch's wrappers.

    Example:
        >>> bare(torch.compile(torch.nn.DataParallel(model))) is model
        True
    """
    while type(model) in _AROUND:
        model = getattr(model, _AROUND[type(model)])
    return model


def _unhook(module: nn.Module) -> bool:
    """Removes the hooks that are not PyTorch's from a module; returns whether there were any."""
    found = False
    for kind in _HOOKS:
        hooks = getattr(module, kind)
        for key in [key for key, hook in hooks.items() if not _of_torch(hook)]:
            del hooks[key]
            found = True
    return found


def _of_torch(hook: object) -> bool:
    place = getattr(hook, "__module__", None) or type(hook).__module__
    return place.partition(".")[0] == "torch"


class _Detached(TorchFunctionMode):
    """Copies tensors without their autograd history, which torch cannot copy."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            return memo.setdefault(id(tensor), tensor.detach().clone())
        return func(*args, **(kwargs or {}))
