"""The class maps of a network for all classes at once, and their sums over supersets."""

import torch
from torch import Tensor

from .maps import normalise
from .methods.cam import class_weights


@torch.no_grad()
def class_maps(net, x: Tensor) -> Tensor:
    r"""$f_{yhw}(x)$ (B, C, h, w), whose means over positions are the logits up to a bias (CALM
    supplement, eq. (a) and (d)).

    If the head is average pooling and one linear layer, these are the maps of `cam`. If the target
    layer has one channel per class and the head only pools it, as SqueezeNet's does after a ReLU,
    they are the target layer's activation.

    Raises:
        ValueError: the head has another form.

    Example:
        >>> net = nets.load("torchvision:squeezenet1_1", layer="classifier.1")
        >>> class_maps(net, x).shape
        torch.Size([1, 1000, 13, 13])
    """
    A, context = net.cut(x.to(net.device, net.dtype))
    y = net.head(A, context)
    if net.affine_head:
        one_position = A[..., :1, :1]  # with pooling, the weights are those of a 1 x 1 grid
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
    """Sums (B, L, h, w) of class maps (B, C, h, w), each scaled to [0, 1], over supersets.

    Args:
        members: which classes are in each of L supersets, (L, C), or (B, L, C) if they differ by
            image.
    """
    each = "lc,bchw->blhw" if members.ndim == 2 else "blc,bchw->blhw"
    return torch.einsum(each, members.to(f), normalise(f))
