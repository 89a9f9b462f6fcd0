"""Cuts a network that cannot be traced: it stops at the target layer, and replays the steps before.

This runs a copy of the network whose modules share the original's tensors. The `forward` of its
modules asks the tape of the call, if there is one, instead of computing. Nothing in the original
network is replaced, and each thread has its own tape.
"""

import copy
import threading
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .architecture import count_classes
from .target_layer import PASSIVE, check_layer, is_spatial, makes_classes, path_of, pick_call

Tape = Callable[[Callable[[], Any], bool], Any]  # gives a module's output, from its computation
# and whether it is the target layer


class ReplayCut:
    """The two halves of a network that cannot be traced; arguments and attributes as for
    `GraphCut`.

    `features` keeps the image and the output of each module before the target layer. `head` runs
    the network again on that image with those outputs from memory, so that only the modules after
    the target layer compute.
    """

    affine, graph = False, None  # not known

    def __init__(self, model: nn.Module, layer: str | None, probe: Tensor):
        if layer is not None:
            check_layer(model, layer)
        self._model, self._thread = _around_the_same_tensors(model), threading.local()
        self.layer = layer or _default(self._model, probe)
        path = path_of(self.layer)
        names = path.split(".")
        above = {".".join(names[:i]) for i in range(len(names))}  # parents of the target must run
        for name, module in self._model.named_modules():
            if name == path or name not in above and name.rpartition(".")[0] in above:
                module.forward = partial(self._ask, module.forward, name == path)
        runs: list[bool] = []
        self._run(probe, lambda compute, is_target: runs.append(is_target) or compute())
        if not any(runs):
            raise ValueError(f"layer {self.layer!r} does not run")
        self._call = pick_call(range(sum(runs)), self.layer)

    def features(self, x: Tensor) -> tuple[Tensor, tuple]:
        """The target layer's output, and what else crosses the cut."""
        given, calls = [], count()

        def record(compute, is_target):
            out = compute()
            if is_target and next(calls) == self._call:
                raise _Reached(out)
            given.append(tree_map_only(Tensor, torch.clone, out))  # it may change in place
            return out

        try:
            self._run(x, record)
        except _Reached as reached:
            return reached.args[0], (x, *given)
        raise ValueError(f"layer {self.layer!r} was not reached on this image")

    def head(self, A: Tensor, context: tuple) -> Tensor:
        """Logits (B, C)."""
        x, *given = context
        answers, calls, reached = iter(given), count(), False

        def replay(compute, is_target):
            nonlocal reached
            if reached:
                return compute()
            reached = is_target and next(calls) == self._call
            return A if reached else next(answers)

        return self._run(x, replay)

    def modules(self) -> list[nn.Module]:
        """No module has tensors of its own besides the network's."""
        return []

    def _run(self, x: Tensor, tape: Tape) -> Tensor:
        with self._using(tape):
            return self._model(x)

    @contextmanager
    def _using(self, tape: Tape | None):
        before, self._thread.tape = getattr(self._thread, "tape", None), tape
        try:
            yield
        finally:
            self._thread.tape = before

    def _ask(self, forward: Callable, is_target: bool, *args, **kwargs) -> Any:
        """A module's forward method that asks the tape; the modules inside it do not."""
        tape = getattr(self._thread, "tape", None)

        def compute():
            with self._using(None):
                return forward(*args, **kwargs)

        return compute() if tape is None else tape(compute, is_target)


class _Reached(Exception):
    """The forward pass has reached the target layer."""


def _around_the_same_tensors(model: nn.Module) -> nn.Module:
    """A copy of the network that shares its parameters and buffers, also when they are moved."""
    held = [d for module in model.modules() for d in (module._parameters, module._buffers)]
    return copy.deepcopy(model, {id(tensors): tensors for tensors in held})


def _default(model: nn.Module, probe: Tensor) -> str:
    seen, passive = [], []  # modules in the order in which they finish
    last, before = None, 0  # the last with weights of its own, and how many finished before it

    def note(name, module, args, out):
        nonlocal last, before
        if next(module.parameters(recurse=False), None) is not None:
            last, before = module, len(seen)
        if not isinstance(module, PASSIVE):
            seen.append((name, out))
        elif out is not args[0]:
            passive.append(out)  # a container may pass it on as its own output

    hooks = [
        m.register_forward_hook(partial(note, name)) for name, m in model.named_modules() if name
    ]
    try:
        logits = model(probe)
    finally:
        for hook in hooks:
            hook.remove()
    first = seen[:before] if makes_classes(last, count_classes(model, logits)) else []
    for name, out in (*reversed(first), *reversed(seen)):
        if is_spatial(getattr(out, "shape", None)) and all(out is not p for p in passive):
            return name
    raise ValueError("no layer of this network gives maps (B, K, h, w): name a layer")
