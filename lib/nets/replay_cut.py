"""Cut a network that cannot be traced: stop it at the target layer, and later replay what came before.

`features` runs the network up to the target layer and keeps the image and what each module before
it gave. `head` runs the network again on that image, those modules answered from memory, so that
only what follows the target layer computes.

It runs a copy of the network: modules of its own around the same tensors, whose `forward` asks the
tape of the call, if there is one, instead of computing. So nothing of the network is ever replaced,
and a call in another thread has another tape.
"""

import copy
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from .target_layer import PASSIVE, check_layer, is_spatial, path_of, pick_call


class ReplayCut:
    """The two halves of a network that cannot be traced; arguments and attributes as of `GraphCut`."""

    affine, graph = False, None  # not known

    def __init__(self, model: nn.Module, layer: str | None, probe: Tensor):
        if layer is not None:
            check_layer(model, layer)
        self._model = _around_the_same_tensors(model)
        self.layer = layer or _default(self._model, probe)
        self._thread = threading.local()  # has the tape of its call
        path = path_of(self.layer)
        names = path.split(".")
        above = {".".join(names[:i]) for i in range(len(names))}  # these run, to reach the target
        for name, module in self._model.named_modules():
            if name == path or name not in above and name.rpartition(".")[0] in above:
                module.forward = self._on_tape(module.forward, name == path)
        calls = self._count(probe)
        if not calls:
            raise ValueError(f"layer {self.layer!r} does not run")
        self._call = pick_call(range(calls), self.layer)

    def features(self, x: Tensor) -> tuple[Tensor, tuple]:
        """The target layer's output, and what else crosses the cut."""
        recording = Recording(self._call)
        try:
            self._run(x, recording)
        except _Reached as reached:
            return reached.args[0], (x, *recording.given)
        raise ValueError(f"layer {self.layer!r} was not reached on this image")

    def head(self, A: Tensor, context: tuple) -> Tensor:
        """Logits (B, C)."""
        x, *given = context
        return self._run(x, Replay(self._call, A, given))

    def modules(self) -> list[nn.Module]:
        """What has tensors of its own beside the network's: nothing."""
        return []

    def _count(self, probe: Tensor) -> int:
        """How often the target layer runs."""
        recording = Recording(None)
        self._run(probe, recording)
        return recording.calls

    def _run(self, x: Tensor, tape: "Recording | Replay") -> Tensor:
        with self._using(tape):
            return self._model(x)

    @contextmanager
    def _using(self, tape: "Recording | Replay | None"):
        before, self._thread.tape = self._tape(), tape
        try:
            yield
        finally:
            self._thread.tape = before

    def _tape(self) -> "Recording | Replay | None":
        return getattr(self._thread, "tape", None)

    def _on_tape(self, forward: Callable, is_target: bool) -> Callable:
        """A module's forward method that asks the tape; what runs inside it does not."""

        def plainly(*args, **kwargs):
            with self._using(None):
                return forward(*args, **kwargs)

        def run(*args, **kwargs):
            tape = self._tape()
            if tape is None:
                return forward(*args, **kwargs)
            return tape(lambda: plainly(*args, **kwargs), is_target)

        return run


class _Reached(Exception):
    """The forward pass has reached the target layer."""


class Recording:
    """Keeps what modules give, up to a call of the target layer, which ends the pass.

    Args:
        call: which call, from 0; None for none of them.
    """

    def __init__(self, call: int | None):
        self.call, self.calls, self.given = call, 0, []

    def __call__(self, compute: Callable[[], Any], is_target: bool) -> Any:
        out = compute()
        if is_target and self.calls == self.call:
            raise _Reached(out)
        self.calls += is_target
        self.given.append(tree_map_only(Tensor, torch.clone, out))  # it may change in place
        return out


class Replay:
    """Gives what was recorded, then A as the target layer's output; what follows computes."""

    def __init__(self, call: int, A: Tensor, given: list):
        self.call, self.calls, self.A, self.given = call, 0, A, iter(given)

    def __call__(self, compute: Callable[[], Any], is_target: bool) -> Any:
        if self.calls > self.call:
            return compute()
        self.calls += is_target
        return self.A if self.calls > self.call else next(self.given)


def _around_the_same_tensors(model: nn.Module) -> nn.Module:
    """A copy of the network that shares its parameters and buffers, wherever they move."""
    held = [d for module in model.modules() for d in (module._parameters, module._buffers)]
    return copy.deepcopy(model, {id(tensors): tensors for tensors in held})


def _default(model: nn.Module, probe: Tensor) -> str:
    seen, passive = [], []  # modules in the order in which they finish

    def note(name, module, args, out):
        if isinstance(module, PASSIVE):
            if out is not args[0]:
                passive.append(out)  # a container may pass it on as its own output
        else:
            seen.append((name, out))

    hooks = [
        module.register_forward_hook(lambda m, args, out, name=name: note(name, m, args, out))
        for name, module in model.named_modules()
        if name
    ]
    try:
        model(probe)
    finally:
        for hook in hooks:
            hook.remove()
    for name, out in reversed(seen):
        if is_spatial(getattr(out, "shape", None)) and all(out is not p for p in passive):
            return name
    raise ValueError("no layer of this network gives maps (B, K, h, w): name a layer")
