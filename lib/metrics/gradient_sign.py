"""Small steps of an image along the sign of a gradient: back-propagation till the input space."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..checks import check_count, check_images, check_targets
from ..selectors import logit, select


class Path(NamedTuple):
    """The predictions along the path of the images.

    Attributes:
        epsilon: how far the image may have moved at each step, (T,), from 0.
        correct: whether the class is the most probable, (B, T).
        y, p: the logit and the probability of the class, (B, T), in double precision.
        image: the images at the end of the path, (B, 3, H, W).
    """

    epsilon: Tensor
    correct: Tensor
    y: Tensor
    p: Tensor
    image: Tensor


def gradient_sign(
    net,
    x: Tensor,
    target: int | Tensor,
    *,
    contrast: str = "none",
    epsilon: float = 3e-3,
    steps: int = 10,
) -> Path:
    r"""Images that move step by step along the sign of an explanation.

    $$x^{(n+1)} = \mathrm{clamp}\big(x^{(n)} + \tfrac{\epsilon}{N}\,
      \mathrm{sign}\,\phi_t(x^{(n)})\big), \quad \phi_t = \partial / \partial x
      \Big(y_t - \sum_{s \ne t} a_s y_s\Big)$$
    (Wang & Wang 2022, section "Back-Propagation till the Input Space"). The clamp keeps pixels
    within $\epsilon$ of the image and in [0, 1]. The weights $a$ are computed anew from the logits
    at each step.

    Args:
        net: a `Classifier`.
        x: images (B, 3, H, W) in [0, 1].
        target: classes (B,), or one for all.
        contrast: see `CONTRASTS`; "none" is the logit.
        epsilon: how far any pixel may move in total; negative to move against the class.
        steps: $N$.

    Example:
        >>> gradient_sign(net, x, 243, contrast="weighted").p[:, -1]
    """
    check_images(x)
    check_count("steps", steps)
    x = x.detach().to(net.device, net.dtype)
    target = check_targets(target, len(x), net.num_classes, net.device)
    score = select("logit", contrast)
    reach = abs(epsilon)
    low, high = (x - reach).clamp_min(0), (x + reach).clamp_max(1)
    said, moved = [], x
    for _ in range(steps):
        with torch.enable_grad():
            moved = moved.detach().requires_grad_()
            y = net(moved)
            (g,) = torch.autograd.grad(score(y, target).sum(), moved)
        said.append(y.detach())
        moved = (moved.detach() + epsilon / steps * g.sign()).clamp(low, high)
    with torch.no_grad():
        said.append(net(moved))
    y = torch.stack(said, 1)  # (B, T, C)
    y = y if y.device.type == "mps" else y.double()  # mps has no double precision
    return Path(
        epsilon=torch.linspace(0, epsilon, steps + 1, dtype=torch.float64),
        correct=y.argmax(2) == target[:, None],
        y=torch.stack([logit(each, target) for each in y.unbind(1)], 1),
        p=torch.stack([logit(each, target) for each in y.softmax(2).unbind(1)], 1),
        image=moved,
    )
