"""Cuts a traceable network into its graph up to the target layer and the graph after it."""

import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from timm.models import get_notrace_functions, get_notrace_modules
from torch import Tensor, fx, nn

from .architecture import count_classes
from .fold import fold_batch_norms
from .padding import spare_padded_copies
from .target_layer import PASSIVE, check_layer, is_spatial, makes_classes, path_of, pick_call


class GraphCut:
    """The two halves of a traced network.

    Args:
        model: takes (B, 3, H, W), in eval mode.
        layer: a module's path; None for the last spatial activation before the pooling, or before
            the convolution that gives the classes.
        probe: a batch of images, from which shapes are learned.

    Attributes:
        layer: the name of the target layer.
        affine: whether every step of the head is known to be affine.
        graph: the head, a function of A and of what else crosses the cut.
    """

    def __init__(self, model: nn.Module, layer: str | None, probe: Tensor):
        root = _traced(model, layer)
        target = _default(model, root, probe) if layer is None else _find(model, root, layer)
        self.layer = layer or _name(target)
        fold_batch_norms(root, keep=target)
        spare_padded_copies(root)
        self._features, self.graph = _halves(root, target)
        self.affine = all(is_affine(node, self.graph) for node in self.graph.graph.nodes)

    # Calls `forward` by name, since calling a GraphModule prints its source when anything raises.

    def features(self, x: Tensor) -> tuple[Tensor, tuple]:
        """The target layer's output, and what else crosses the cut."""
        A, *context = self._features.forward(x)
        return A, tuple(context)

    def head(self, A: Tensor, context: tuple) -> Tensor:
        """Logits (B, C)."""
        return self.graph.forward(A, *context)

    def modules(self) -> list[nn.Module]:
        """The modules that have tensors of their own besides the network's."""
        return [self._features, self.graph]


def features_graph(model: nn.Module, layer: str) -> fx.GraphModule:
    """The traced network up to a layer, with the network's own modules. Nothing is folded, so that
    it can be trained.

    Example:
        >>> features_graph(torchvision.models.resnet18(), "layer4")(x).shape
        torch.Size([1, 512, 7, 7])
    """
    root = _traced(model, layer)
    return subgraph(root, (next(iter(root.graph.nodes)),), _find(model, root, layer))


# ---------------------------------------------------------------------------------------- tracing


def _traced(model: nn.Module, layer: str | None) -> fx.GraphModule:
    unary = _Unary(model)
    return fx.GraphModule(unary, _Tracer(_PREFIX + path_of(layer or "")).trace(unary))


class _Unary(nn.Module):
    """A network as a function of the image alone; other arguments have their defaults."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


_PREFIX = "model."  # paths inside _Unary


class _Tracer(fx.Tracer):
    """Traces through everything but the target layer and what timm marks as untraceable."""

    def __init__(self, layer: str):
        super().__init__(autowrap_functions=tuple(get_notrace_functions()))
        self.layer = layer
        self.notrace = tuple(get_notrace_modules())

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        leaf = name == self.layer or isinstance(module, self.notrace)
        return leaf or super().is_leaf_module(module, name)


def _find(model: nn.Module, root: fx.GraphModule, layer: str) -> fx.Node:
    path = _PREFIX + path_of(layer)
    calls = [n for n in root.graph.nodes if n.op == "call_module" and n.target == path]
    if calls:
        return pick_call(calls, layer)
    for node in root.graph.nodes:
        if node.name == layer and node.op.startswith("call"):  # a step between modules
            return node
    check_layer(model, layer)
    raise ValueError(f"layer {layer!r} is not on the traced path from image to logits")


class _Shapes(fx.Interpreter):
    """Runs a graph once and records the shape of each node's output."""

    def run_node(self, node: fx.Node) -> Any:
        out = super().run_node(node)
        node.meta["shape"] = getattr(out, "shape", None)
        return out


def _default(model: nn.Module, root: fx.GraphModule, probe: Tensor) -> fx.Node:
    logits = _Shapes(root).run(probe[:1])
    nodes, classes = list(root.graph.nodes), count_classes(model, logits)
    # a network of one convolution has nothing before the one that makes its classes
    for node in (*reversed(_before_classes(nodes, root, classes)), *reversed(nodes)):
        if is_spatial(node.meta.get("shape")) and not _is_passive(node, root):
            return node
    raise ValueError("no layer of this network gives maps (B, K, h, w): name a layer")


def _before_classes(nodes: list[fx.Node], root: fx.GraphModule, classes: int) -> list[fx.Node]:
    """The steps before the layer that gives the classes, if it is a convolution; otherwise all."""
    for index, node in reversed(list(enumerate(nodes))):
        layer = root.get_submodule(node.target) if node.op == "call_module" else nn.Identity()
        if next(layer.parameters(), None) is not None:  # the last one that has any
            return nodes[:index] if makes_classes(layer, classes) else nodes
    return nodes


def _is_passive(node: fx.Node, root: fx.GraphModule) -> bool:
    if node.op == "placeholder":
        return True  # the image
    if node.op == "call_module":
        return isinstance(root.get_submodule(node.target), PASSIVE)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return any(word in name for word in ("pool", "dropout", "contiguous", "permute"))


def _name(node: fx.Node) -> str:
    """The name of a node: its module's path, the module whose output it is, or its own name."""
    if node.op == "call_module":
        return node.target.removeprefix(_PREFIX)
    stack = list(node.meta.get("nn_module_stack", {}))
    closes = stack and not any(
        stack[-1] in user.meta.get("nn_module_stack", {}) for user in node.users
    )
    return stack[-1].removeprefix(_PREFIX) if closes and stack[-1] != "model" else node.name


# --------------------------------------------------------------------------------------- cutting


def _halves(root: fx.GraphModule, target: fx.Node) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The graph up to `target`, whose outputs include what else crosses the cut, and the rest."""
    nodes = list(root.graph.nodes)
    image, logits = next(n for n in nodes if n.op == "placeholder"), nodes[-1].args[0]
    needed = _reach(nodes[-1], lambda n: n.all_input_nodes)
    if target not in needed:
        raise ValueError(f"layer {target.name!r} has no influence on the logits")
    after, varying = _users(target) & needed, _users(image) | {image}
    context = [n for n in nodes if n in varying and n not in after and n is not target
               and any(user in after for user in n.users)]  # fmt: skip
    cut = (target, *context)
    return subgraph(root, (image,), cut), subgraph(root, cut, logits)


def subgraph(
    root: fx.GraphModule, inputs: tuple[fx.Node, ...], output: fx.Node | tuple[fx.Node, ...]
) -> fx.GraphModule | None:
    """The steps from some nodes to others, as a network; None if they need more inputs."""
    first = output if isinstance(output, fx.Node) else output[0]
    beyond = _users(first)
    graph = fx.Graph()
    copies = {node: graph.placeholder(f"input_{i}") for i, node in enumerate(inputs)}
    for node in root.graph.nodes:
        open_ended = node.op in ("placeholder", "output") or node in beyond or node in copies
        if not open_ended and all(n in copies for n in node.all_input_nodes):
            copies[node] = graph.node_copy(node, copies.__getitem__)
    if first not in copies:
        return None
    graph.output(fx.node.map_arg(output, copies.__getitem__))
    module = fx.GraphModule(root, graph)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _users(node: fx.Node) -> set[fx.Node]:
    """All nodes that depend on a node."""
    return _reach(node, lambda n: n.users)


def _reach(node: fx.Node, neighbours: Callable[[fx.Node], Iterable[fx.Node]]) -> set[fx.Node]:
    """All nodes that repeated steps to neighbours reach from a node."""
    found, stack = set(), [node]
    while stack:
        new = [n for n in neighbours(stack.pop()) if n not in found]
        found.update(new)
        stack += new
    return found


# ---------------------------------------------------------------------------------- affine steps

_AFFINE = (
    nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd, nn.Linear, nn.Conv2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d,
)  # fmt: skip
_AFFINE_CALLS = {
    torch.flatten, torch.mean, torch.squeeze, operator.add, operator.iadd, operator.sub,
    nn.functional.adaptive_avg_pool2d, nn.functional.avg_pool2d, "flatten", "mean", "view",
    "reshape", "squeeze", "contiguous",
}  # fmt: skip


def is_affine(node: fx.Node, graph: fx.GraphModule) -> bool:
    """Whether a step of a traced network is known to be affine."""
    if node.op == "call_module":
        module = graph.get_submodule(node.target)
        act = getattr(module, "act", None)  # timm's BatchNormAct2d, a BatchNorm2d, ends in one
        return isinstance(module, _AFFINE) and isinstance(act, nn.Identity | None)
    if node.op in ("call_function", "call_method"):
        return node.target in _AFFINE_CALLS
    return True  # placeholders, parameters, the output
