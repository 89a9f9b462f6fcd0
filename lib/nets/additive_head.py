r"""A head divided into an affine start, a middle and an affine end, which makes perturbations
cheap.

Up to the non-linearity after its first convolution or linear layer, a head is usually additive over
the channels of A. If L denotes these layers, $L(A) = L(0) + \sum_k c_k$, where
$c_k = L(A_k) - L(0)$ is the *column* of channel $k$. Adding or removing a channel then costs one
sum instead of a pass through the largest layers of the head.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional as F

from .graph_cut import is_affine, subgraph


@dataclass(frozen=True, eq=False)
class AdditiveHead:
    """A head as `end(middle(rest(mix(start(A)))))`.

    Attributes:
        start: the steps before the first mixing layer; they treat each channel separately.
        mix: the first mixing layer, an `nn.Linear` or `nn.Conv2d`.
        rest: the affine steps from there to the first non-linearity.
        middle: the steps from there up to and including the last non-linearity.
        end: the affine steps from there to the logits.
    """

    start: nn.Module
    mix: nn.Linear | nn.Conv2d
    rest: nn.Module
    middle: nn.Module
    end: nn.Module

    def lead(self, A: Tensor) -> Tensor:
        """Pre-activations (B, ...) of activations (B, K, h, w): the part that is additive."""
        return self.rest(self.mix(self.start(A)))

    def columns(self, A: Tensor, channels: Tensor) -> Tensor:
        """What each of the channels (n,) of one image (1, K, h, w) adds to the pre-activations."""
        alone = self._mixed(A, channels)
        nothing = torch.zeros_like(alone[:1])
        return (self.rest(alone) - self.rest(nothing)).contiguous()  # rows are added up

    def _mixed(self, A: Tensor, channels: Tensor) -> Tensor:
        """What each channel adds to the output of the mixing layer."""
        P = self.start(A) - self.start(torch.zeros_like(A))
        W = self.mix.weight
        if isinstance(self.mix, nn.Linear):
            P = P.view(A.shape[1], -1)[channels]  # (n, p)
            return torch.einsum("np,onp->no", P, W.unflatten(1, (A.shape[1], -1))[:, channels])
        P, W = P[:, channels].contiguous(), W[:, channels].transpose(0, 1).contiguous()
        if self.mix.kernel_size == self.mix.stride == (1, 1) and self.mix.padding == (0, 0):
            return W * P[0][:, None]  # (n, O, h, w)
        shape = self.mix.stride, self.mix.padding, self.mix.dilation
        alone = F.conv2d(P, W.flatten(0, 1)[:, None], None, *shape, groups=len(channels))
        return alone[0].unflatten(0, (len(channels), -1))  # (n, O, h', w')


@dataclass(frozen=True, eq=False)
class BranchedHead:
    """A head as `middle(lead(A))`, whose affine start has several ends.

    The ends are the pre-activations of the first non-linearity on each branch. Heads that begin
    after the squeeze of a Fire module have this form.

    Attributes:
        starts: the steps from A to each of these pre-activations.
        rest: the steps from all of them to the output.
        shapes: the shape of each pre-activation, without the batch.
    """

    starts: tuple[nn.Module, ...]
    rest: nn.Module
    shapes: tuple[torch.Size, ...]

    def lead(self, A: Tensor) -> Tensor:
        """Pre-activations (B, n) of activations (B, K, h, w): the part that is additive."""
        return torch.cat([start(A).flatten(1) for start in self.starts], dim=1)

    def columns(self, A: Tensor, channels: Tensor) -> Tensor:
        """As for an `AdditiveHead`; here each channel runs by itself."""
        nothing, alone = self.lead(torch.zeros_like(A)), []
        for some in channels.split(64):
            each = torch.zeros_like(A).repeat(len(some), 1, 1, 1)
            each[torch.arange(len(some)), some] = A[0, some]
            alone.append(self.lead(each) - nothing)
        return torch.cat(alone)

    def middle(self, z: Tensor) -> Tensor:
        """The output of the head for pre-activations (B, n)."""
        parts = z.split([shape.numel() for shape in self.shapes], dim=1)
        return self.rest(*(part.unflatten(1, shape) for part, shape in zip(parts, self.shapes)))


def branched_head(head: fx.GraphModule, A: Tensor) -> BranchedHead | None:
    """A traced head in branched form, or None if it does not have this form.

    Args:
        head: a head that needs only A.
        A: an activation (1, K, h, w); additivity is checked on random ones of its shape.
    """
    nodes = list(head.graph.nodes)
    affine = {nodes[0]}
    for node in nodes[1:-1]:
        if is_affine(node, head) and all(n in affine for n in node.all_input_nodes):
            affine.add(node)
    bends = [n for n in nodes[:-1] if n not in affine and affine.intersection(n.all_input_nodes)]
    if any(is_affine(n, head) or len(n.all_input_nodes) > 1 for n in bends):
        return None
    ends = tuple(dict.fromkeys(n.args[0] for n in bends))
    starts = [subgraph(head, (nodes[0],), z) for z in ends]
    rest = subgraph(head, ends, nodes[-1].args[0]) if ends and nodes[0] not in ends else None
    if rest is None or None in starts:
        return None
    shapes = tuple(start(A)[0].shape for start in starts)
    found = BranchedHead(tuple(starts), rest, shapes)
    return found if _is_additive(found, A) else None


def additive_head(head: fx.GraphModule, A: Tensor) -> AdditiveHead | None:
    """A traced head in additive form, or None if it does not begin additively.

    Args:
        head: a head that needs only A.
        A: an activation (1, K, h, w); additivity is checked on random ones of its shape.
    """
    for node in head.graph.nodes:
        if _mixes(node, head, A.shape[1]):
            found = _taken_apart(head, node)
            return found if found and _is_additive(found, A) else None
    return None


def _mixes(node: fx.Node, head: fx.GraphModule, channels: int) -> bool:
    """Whether a node is a layer that sums over all channels."""
    module = head.get_submodule(node.target) if node.op == "call_module" else None
    if type(module) is nn.Conv2d:
        zeros, alone = module.padding_mode == "zeros", module.groups == 1
        return zeros and alone and module.in_channels == channels
    return type(module) is nn.Linear and module.in_features % channels == 0


def _taken_apart(head: fx.GraphModule, mix: fx.Node) -> AdditiveHead | None:
    nodes = list(head.graph.nodes)
    A, logits = nodes[0], nodes[-1].args[0]
    after = nodes[nodes.index(mix) + 1 :]
    bends = [n for n in after if n.op.startswith("call") and not is_affine(n, head)]
    if not bends:
        return None  # an affine head has a closed form
    z, h = bends[0].args[0], bends[-1]  # before the first non-linearity, and after the last
    ends = (A, mix.args[0]), (mix, z), (z, h), (h, logits)
    parts = [subgraph(head, (source,), sink) for source, sink in ends]
    if None in parts:
        return None  # a branch bypasses a layer
    start, rest, middle, end = parts
    return AdditiveHead(start, head.get_submodule(mix.target), rest, middle, end)


def _is_additive(head: AdditiveHead | BranchedHead, A: Tensor) -> bool:
    """Whether L(S) + L(complement of S) = L(A) + L(0) for random coalitions S of channels, and the
    columns of a few channels equal what they add."""
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(A.shape, generator=generator).to(A)
    keep = (torch.rand(4, A.shape[1], 1, 1, generator=generator) < 0.5).to(A)
    nothing, whole = head.lead(torch.zeros_like(A)), head.lead(A)
    tolerance = torch.finfo(A.dtype).eps ** 0.5 * whole.abs().max()
    parts = head.lead(A * keep) + head.lead(A * (1 - keep))
    if not ((parts - whole - nothing).abs().max() <= tolerance).item():
        return False
    few = torch.randperm(A.shape[1], generator=generator)[:4]
    alone = torch.zeros_like(A)
    alone[:, few] = A[:, few]
    added = head.columns(A, few.to(A.device)).sum(0)  # differs if poolings are concatenated
    return bool(((added - head.lead(alone) + nothing).abs().max() <= tolerance).item())
