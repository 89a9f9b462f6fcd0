"""Parts of a traced network: what is affine, what follows what, and how to cut it out."""

import operator
from collections.abc import Callable, Iterable

import torch
from torch import fx, nn

_AFFINE = (
    nn.Identity, nn.Flatten, nn.modules.dropout._DropoutNd, nn.Linear, nn.Conv2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.BatchNorm1d, nn.BatchNorm2d,
)  # fmt: skip
_AFFINE_CALLS = {
    torch.flatten, torch.mean, torch.squeeze, operator.add, operator.iadd, operator.sub,
    nn.functional.adaptive_avg_pool2d, nn.functional.avg_pool2d, "flatten", "mean", "view",
    "reshape", "squeeze", "contiguous",
}  # fmt: skip


def is_affine(node: fx.Node, head: fx.GraphModule) -> bool:
    if node.op == "call_module":
        module = head.get_submodule(node.target)
        act = getattr(
            module, "act", None
        )  # timm's BatchNormAct2d is a BatchNorm2d that ends in one
        return isinstance(module, _AFFINE) and isinstance(act, nn.Identity | None)
    if node.op in ("call_function", "call_method"):
        return node.target in _AFFINE_CALLS
    return True  # placeholders, parameters, the output


def cut(root: fx.GraphModule, target: fx.Node) -> tuple[fx.GraphModule, fx.GraphModule]:
    """The graph up to `target`, which also gives the context, and the graph after it."""
    nodes = list(root.graph.nodes)
    image = next(n for n in nodes if n.op == "placeholder")
    output = nodes[-1]
    needed = _ancestors(output)
    if target not in needed:
        raise ValueError(f"layer {target.name!r} has no influence on the logits")
    from_image, downstream = _descendants(image) | {image}, _descendants(target)
    after = downstream & needed
    context = [n for n in nodes if n not in after and n is not target and n in from_image
               and any(user in after for user in n.users)]  # fmt: skip

    features, copies = fx.Graph(), {}
    for node in nodes:
        if node not in downstream:
            copies[node] = features.node_copy(node, copies.__getitem__)
    features.output((copies[target], *(copies[n] for n in context)))

    head, copies = fx.Graph(), {}
    for i, node in enumerate([target, *context]):
        copies[node] = head.placeholder("A" if i == 0 else f"context_{i - 1}")
    for node in nodes:
        if node.op == "output":
            head.output(copies[node.args[0]])
        elif node not in copies and (node in after or node not in from_image):
            copies[node] = head.node_copy(node, copies.__getitem__)
    return _module(root, features), _module(root, head)


def section(root: fx.GraphModule, source: fx.Node, sink: fx.Node) -> fx.GraphModule | None:
    """The layers after one node, up to another; None where they need more than that node."""
    needed, varying = (
        _ancestors(sink) | {sink},
        {n for n in root.graph.nodes if n.op == "placeholder"},
    )
    varying |= {d for n in varying for d in _descendants(n)}
    inside = (_descendants(source) & needed) - {source}
    graph = fx.Graph()
    copies = {source: graph.placeholder("z")}
    for node in root.graph.nodes:
        if node in inside:
            if any(n in varying and n not in copies for n in node.all_input_nodes):
                return None
            copies[node] = graph.node_copy(node, copies.__getitem__)
        elif node in needed and node not in varying:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[sink])
    return _module(root, graph)


def _module(root: fx.GraphModule, graph: fx.Graph) -> fx.GraphModule:
    """A graph without its dead code, as a module."""
    module = fx.GraphModule(root, graph)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.recompile()
    return module


def _reach(node: fx.Node, neighbours: Callable[[fx.Node], Iterable[fx.Node]]) -> set[fx.Node]:
    """All nodes that repeated steps from a node lead to."""
    found, stack = set(), [node]
    while stack:
        for other in neighbours(stack.pop()):
            if other not in found:
                found.add(other)
                stack.append(other)
    return found


def _descendants(node: fx.Node) -> set[fx.Node]:
    return _reach(node, lambda n: n.users)


def _ancestors(node: fx.Node) -> set[fx.Node]:
    return _reach(node, lambda n: n.all_input_nodes)
