"""The plain loops that methods are usually run as: what `lib` is measured against.

The mathematics are those of `lib.methods`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def opti_cam(
    model: nn.Module, layer: nn.Module, x: Tensor, target: Tensor, iterations: int
) -> Tensor:
    """Raw maps (B, h, w) for images (B, 3, H, W); `model` normalises inside.

    Parameters keep their gradients, a hook on the target layer stays in place, and each iteration is
    a full forward and backward pass.
    """
    seen = []
    hook = layer.register_forward_hook(lambda module, args, out: seen.append(out.detach()))
    model(x)
    A = seen[0]
    u = torch.full(A.shape[:2], 0.5, requires_grad=True)
    adam = torch.optim.Adam([u], lr=0.1)
    for _ in range(iterations):
        S = (u.softmax(1)[..., None, None] * A).sum(1, keepdim=True)
        S = F.interpolate(S, x.shape[2:], mode="bilinear", align_corners=False)
        low, high = S.amin((2, 3), keepdim=True), S.amax((2, 3), keepdim=True)
        loss = -model(x * (S - low) / (high - low)).gather(1, target[:, None]).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    hook.remove()
    return (u.softmax(1)[..., None, None] * A).sum(1)


@torch.no_grad()
def shap_cam(head: nn.Module, A: Tensor, target: int, orderings: Tensor) -> Tensor:
    """LIFT-CAM's algorithm 1 as printed, for A (1, K, h, w): two passes through the head a channel."""
    alpha = torch.zeros(A.shape[1])
    for ordering in orderings:
        kept = torch.zeros_like(A)
        for k in ordering:
            without = kept.clone()
            kept[:, k] = A[:, k]
            alpha[k] += head(kept)[0, target] - head(without)[0, target]
    return alpha / len(orderings)
