"""The class maps of a network, all at once, and their sums over supersets."""

import torch
from torch import Tensor

from .maps import normalise
from .methods.cam import class_weights


@torch.no_grad()
def class_maps(net, x: Tensor) -> Tensor:
    r"""$f_{yhw}(x)$ (B, C, h, w), whose means over positions are the logits but for a bias (CALM
    supplement, eq. (a) and (d)).

    Those of `cam`, where the head pools and is affine; or the target layer's activation itself, where it
    has a channel a class and the head only pools it, as SqueezeNet's does after a ReLU.

    Raises:
        ValueError: the head is something else.

    Example:
        >>> net = nets.load("torchvision:squeezenet1_1", layer="classifier.1")
        >>> class_maps(net, x).shape
        torch.Size([1, 1000, 13, 13])
    """
    A, context = net.cut(x.to(net.device, net.dtype))
    y = net.head(A, context)
    if net.affine_head:
        one_position = A[..., :1, :1]  # behind pooling, the weights are those of a grid of one
        f = torch.einsum("ck,bkhw->bchw", class_weights(net, one_position), A)
        bias = net.head(torch.zeros_like(A[:1]), context)
        if torch.allclose(f.mean((2, 3)) + bias, y, rtol=1e-4, atol=1e-4):
            return f
    elif A.shape[1] == y.shape[1] and torch.allclose(
        A.relu().mean((2, 3)), y, rtol=1e-4, atol=1e-4
    ):
        return A
    raise ValueError(
        f"class maps need a head that pools and has one linear layer, and {net.name} has another after "
        f"{net.layer!r}: choose the layer that has a channel a class"
    )


def over_supersets(f: Tensor, members: Tensor) -> Tensor:
    """Sums (B, L, h, w) of class maps (B, C, h, w), each divided by its range, as `cam` adds them up.

    Args:
        members: whether a class is in each of L supersets (L, C), or of each image's (B, L, C).
    """
    each = "lc,bchw->blhw" if members.ndim == 2 else "blc,bchw->blhw"
    return torch.einsum(each, members.to(f), normalise(f))
