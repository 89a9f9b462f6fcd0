"""The part of a head that the logit of one class reads.

After its last non-linearity a head is affine, so a logit is a dot product with the output of that
non-linearity. If this is a ReLU after a convolution whose channels are the classes, as in
SqueezeNet, all channels but one have weight zero and need not be computed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .additive_head import AdditiveHead, BranchedHead, additive_head, branched_head
from .graph_cut import is_affine, subgraph

_EACH_ALONE = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, F.relu, torch.relu, "relu")


@dataclass(frozen=True, eq=False)
class OneLogit:
    r"""A logit as `weight · hidden(A) + bias`.

    Attributes:
        hidden: the steps from A (B, K, h, w) to what the logit reads of the last hidden layer.
        weight, bias: the weight (flat) and the bias of the logit.
        additive: `hidden` in additive form, or None.
    """

    hidden: fx.GraphModule
    weight: Tensor
    bias: Tensor
    additive: AdditiveHead | BranchedHead | None

    def __call__(self, h: Tensor) -> Tensor:
        """The logit (B,) from the hidden layer (B, ...)."""
        return h.flatten(1) @ self.weight + self.bias


def one_logit(head: fx.GraphModule, A: Tensor, target: int) -> OneLogit | None:
    """The logit of one class of a traced head, or None if the head is affine.

    Args:
        head: a head that needs only A.
        A: an activation (1, K, h, w), for its shape.
    """
    nodes = list(head.graph.nodes)
    bends = [n for n in nodes if n.op.startswith("call") and not is_affine(n, head)]
    if not bends:
        return None
    end = subgraph(head, (bends[-1],), nodes[-1].args[0])
    hidden = subgraph(head, (nodes[0],), bends[-1])
    if end is None or hidden is None:
        return None  # a branch bypasses the last non-linearity
    with torch.enable_grad():
        h = torch.zeros_like(hidden.forward(A.clone())).requires_grad_()
        y = end.forward(h)[0, target]
        (weight,) = torch.autograd.grad(y, h)
    read = weight[0].flatten(1).any(1) if weight.ndim > 2 else weight[0] != 0
    if not read.all() and _narrow(hidden, read):
        weight = weight[:, read]
    additive = additive_head(hidden, A) or branched_head(hidden, A)
    return OneLogit(hidden, weight.flatten(), y.detach(), additive)


def _narrow(hidden: fx.GraphModule, read: Tensor) -> bool:
    """Drops channels that are not read, if the layer before allows it; returns whether it did."""
    bend = list(hidden.graph.nodes)[-1].args[0]
    before, *others = bend.all_input_nodes
    if others:  # as of a functional layer, which takes its weights too
        return False
    act = hidden.get_submodule(bend.target) if bend.op == "call_module" else bend.target
    alone = isinstance(act, _EACH_ALONE[:5]) or act in _EACH_ALONE[5:]
    if not alone or before.op != "call_module" or len(before.users) > 1:
        return False
    layer = hidden.get_submodule(before.target)
    if type(layer) not in (nn.Linear, nn.Conv2d) or getattr(layer, "groups", 1) > 1:
        return False
    few = _like(layer, int(read.sum()))
    few.weight = nn.Parameter(layer.weight[read], requires_grad=False)
    if layer.bias is not None:
        few.bias = nn.Parameter(layer.bias[read], requires_grad=False)
    hidden.set_submodule(before.target, few)
    return True


def _like(layer: nn.Linear | nn.Conv2d, n: int) -> nn.Module:
    """A layer like another one, with n outputs and new weights."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features, n, bias)
    shape = layer.kernel_size, layer.stride, layer.padding, layer.dilation
    return nn.Conv2d(layer.in_channels, n, *shape, bias=bias, padding_mode=layer.padding_mode)
