"""Cut a network in two at any layer: features up to it, head after it.

`GraphSplit` cuts the traced graph. `ReplaySplit` serves networks that cannot be traced: it stops
the forward pass at the layer, and later replays what the layers before it gave. Both keep what
else crosses the cut as context, hold no state between calls and leave no hook behind.
"""

import threading
from contextlib import contextmanager
from typing import Any

import torch
from timm.models._features_fx import get_notrace_functions, get_notrace_modules
from torch import Tensor, fx, nn
from torch.utils._pytree import tree_map_only

from ..errors import unknown
from .fold import fold_batch_norms
from .graph import cut, is_affine
from .padding import spare_padded_copies
from .stages import Stages, stages

_PASSIVE = (  # layers that no paper calls an activation: pooling and what does nothing in eval mode
    nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd, nn.MaxPool2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip


def _parse(layer: str) -> tuple[str, int | None]:
    """('layer4.2.relu', 0) from 'layer4.2.relu#0': the first of several calls; none given: the last."""
    name, mark, call = layer.partition("#")
    if mark and not call.isdigit():
        raise ValueError(f"layer {layer!r}: after '#' comes the number of the call, from 0")
    return name, int(call) if mark else None


def _pick(calls: list, layer: str) -> Any:
    """The call of a layer that `layer` names."""
    call = _parse(layer)[1]
    if call is not None and call >= len(calls):
        raise ValueError(f"layer {layer!r}: that layer runs {len(calls)} time(s), counted from 0")
    return calls[-1 if call is None else call]


def check_layer(model: nn.Module, layer: str) -> None:
    """Raise if the network has no such layer."""
    names = [name for name, _ in model.named_modules() if name]
    if _parse(layer)[0] not in names:
        raise unknown("layer", layer, names)


def default_transformer_layer(model: nn.Module) -> str | None:
    """The first LayerNorm of the last block, if the network has blocks that begin with one."""
    first_norms = [
        name
        for name, module in model.named_modules()
        if name.rpartition(".")[2] in ("norm1", "ln_1") and isinstance(module, nn.LayerNorm)
    ]
    return first_norms[-1] if first_norms else None


def _is_spatial(shape: torch.Size | None) -> bool:
    """Maps (B, K, h, w) or (B, h, w, K) of more than one position, for a square image."""
    if shape is None or len(shape) != 4:
        return False
    side = shape[1] if shape[1] == shape[2] != shape[3] else shape[3]
    return side > 1


# ---------------------------------------------------------------------------------- by its graph


class _Unary(nn.Module):
    """A network as a function of the image alone: its other arguments keep their defaults."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


_PREFIX = "model."  # paths inside _Unary


class _Tracer(fx.Tracer):
    """Traces through everything but the target layer and what timm marks as untraceable."""

    def __init__(self, layer: str | None):
        super().__init__(autowrap_functions=tuple(get_notrace_functions()))
        self.layer = layer
        self.notrace = tuple(get_notrace_modules())

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return (
            name == self.layer
            or isinstance(module, self.notrace)
            or super().is_leaf_module(module, name)
        )


class _Shapes(fx.Interpreter):
    """Runs a graph once and notes the shape that each node gives."""

    def run_node(self, node: fx.Node) -> Any:
        out = super().run_node(node)
        node.meta["shape"] = out.shape if isinstance(out, Tensor) else None
        return out


class GraphSplit:
    """The two halves of a traced network.

    Args:
        model: takes (B, 3, H, W), in eval mode.
        layer: a module's path; None for the last spatial activation before the pooling.
        probe: an image batch, to learn shapes.
    """

    def __init__(self, model: nn.Module, layer: str | None, probe: Tensor):
        unary = _Unary(model)
        tracer = _Tracer(_PREFIX + _parse(layer)[0] if layer else None)
        root = fx.GraphModule(unary, tracer.trace(unary))
        target = self._default(root, probe) if layer is None else self._find(model, root, layer)
        self.layer = layer or _name(target)
        fold_batch_norms(root, keep=target)
        spare_padded_copies(root)
        self._features, self._head = cut(root, target)
        self.affine = all(is_affine(node, self._head) for node in self._head.graph.nodes)

    @staticmethod
    def _find(model: nn.Module, root: fx.GraphModule, layer: str) -> fx.Node:
        path = _PREFIX + _parse(layer)[0]
        calls = [n for n in root.graph.nodes if n.op == "call_module" and n.target == path]
        if calls:
            return _pick(calls, layer)
        for node in root.graph.nodes:
            if node.name == layer and node.op.startswith("call"):  # a step between modules
                return node
        check_layer(model, layer)
        raise ValueError(f"layer {layer!r} is not on the traced path from image to logits")

    @staticmethod
    def _default(root: fx.GraphModule, probe: Tensor) -> fx.Node:
        _Shapes(root).run(probe)
        for node in reversed(root.graph.nodes):
            if _is_spatial(node.meta.get("shape")) and not _is_passive(node, root):
                return node
        raise ValueError("no layer of this network gives maps (B, K, h, w): name a layer")

    # `forward` by its name: calling a GraphModule prints its source when anything in it raises.

    def features(self, x: Tensor) -> tuple[Tensor, tuple]:
        A, *context = self._features.forward(x)
        return A, tuple(context)

    def head(self, A: Tensor, context: tuple) -> Tensor:
        return self._head.forward(A, *context)

    def stages(self, A: Tensor) -> Stages | None:
        return stages(self._head, A)

    def modules(self) -> list[nn.Module]:
        return [self._features, self._head]


def _is_passive(node: fx.Node, root: fx.GraphModule) -> bool:
    if node.op == "placeholder":
        return True  # the image
    if node.op == "call_module":
        return isinstance(root.get_submodule(node.target), _PASSIVE)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return any(word in name for word in ("pool", "dropout", "contiguous", "permute"))


def _name(node: fx.Node) -> str:
    """What to call a node: its module's path, the module whose output it is, or its own name."""
    if node.op == "call_module":
        return node.target.removeprefix(_PREFIX)
    stack = list(node.meta.get("nn_module_stack", {}))
    closes = stack and not any(
        stack[-1] in user.meta.get("nn_module_stack", {}) for user in node.users
    )
    return stack[-1].removeprefix(_PREFIX) if closes and stack[-1] != "model" else node.name


# ---------------------------------------------------------------------------------- by replaying


class _Reached(Exception):
    """The forward pass has reached the target layer."""


class ReplaySplit:
    """The two halves of a network that cannot be traced.

    `features` stops the forward pass after the target layer and keeps the image and the outputs of
    the modules that had finished. `head` runs the network again on that image with those modules
    answered from memory, so only what follows the target layer computes.
    """

    affine = False  # not known

    def __init__(self, model: nn.Module, layer: str | None, probe: Tensor):
        if layer is not None:
            check_layer(model, layer)
        self.model = model
        self.layer = layer or self._default(probe)
        self._lock = threading.RLock()  # the forward methods are replaced for a moment
        self._calls = None
        path = _parse(self.layer)[0]
        ancestors = {path.rpartition(".")[0]}
        while "" not in ancestors:
            ancestors |= {a.rpartition(".")[0] for a in ancestors}
        self._target = model.get_submodule(path)
        self._finished = [
            module
            for name, module in model.named_modules()
            if name not in ancestors | {path} and name.rpartition(".")[0] in ancestors
        ]
        self._call = self._count(probe)

    def _default(self, probe: Tensor) -> str:
        seen, passive = [], []  # modules in the order in which they finish

        def note(name, module, args, out):
            if isinstance(module, _PASSIVE):
                if out is not args[0]:
                    passive.append(out)  # a container may pass it on as its own output
            else:
                seen.append((name, out))

        hooks = [
            module.register_forward_hook(lambda m, args, out, name=name: note(name, m, args, out))
            for name, module in self.model.named_modules()
            if name
        ]
        try:
            self.model(probe)
        finally:
            for hook in hooks:
                hook.remove()
        for name, out in reversed(seen):
            if _is_spatial(getattr(out, "shape", None)) and all(out is not p for p in passive):
                return name
        raise ValueError("no layer of this network gives maps (B, K, h, w): name a layer")

    def _count(self, probe: Tensor) -> int:
        calls = []
        hook = self._target.register_forward_hook(lambda *_: calls.append(len(calls)))
        try:
            self.model(probe)
        finally:
            hook.remove()
        if not calls:
            raise ValueError(f"layer {self.layer!r} does not run")
        return _pick(calls, self.layer)

    @contextmanager
    def _replaced(self, finished, target):
        """The modules with other forward methods, put back whatever happens."""
        with self._lock:
            before = {m: m.__dict__.get("forward") for m in (*self._finished, self._target)}
            try:
                for module in before:
                    module.forward = (target if module is self._target else finished)(
                        module.forward
                    )
                yield
            finally:
                for module, forward in before.items():
                    module.__dict__.pop("forward", None)
                    if forward is not None:
                        module.forward = forward

    def features(self, x: Tensor) -> tuple[Tensor, tuple]:
        records, calls = [], 0

        def record(forward):
            def run(*args, **kwargs):
                out = forward(*args, **kwargs)
                records.append(tree_map_only(Tensor, Tensor.clone, out))  # it may change in place
                return out

            return run

        def stop(forward):
            def run(*args, **kwargs):
                nonlocal calls
                out, calls = forward(*args, **kwargs), calls + 1
                if calls > self._call:
                    raise _Reached(out)
                records.append(out.clone())
                return out

            return run

        with self._replaced(record, stop):
            try:
                self.model(x)
            except _Reached as reached:
                return reached.args[0], (x, *records)
        raise ValueError(f"layer {self.layer!r} was not reached on this image")

    def head(self, A: Tensor, context: tuple) -> Tensor:
        x, *records = context
        answers, calls = iter(records), 0

        def replay(forward):
            def run(*args, **kwargs):
                return next(answers) if calls <= self._call else forward(*args, **kwargs)

            return run

        def inject(forward):
            def run(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls <= self._call:
                    return next(answers)
                return A if calls == self._call + 1 else forward(*args, **kwargs)

            return run

        with self._replaced(replay, inject):
            return self.model(x)

    def stages(self, A: Tensor) -> None:
        return None  # not known

    def modules(self) -> list[nn.Module]:
        return [self.model]
