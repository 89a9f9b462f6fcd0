"""CALM: a network whose prediction is the sum of its class activation map over positions."""

import torch
from torch import Tensor, nn

from .classifier import Classifier
from .trunk import Trunk


class CALM(nn.Module):
    r"""A network in which the position z of the cue, on the last grid, is a latent variable:

    $$p(y, z|x) = g_{yz} h_z, \quad p(y|x) = \sum_z p(y, z|x)$$
    with $g_{yz} = p(y|x, z)$, the softmax over classes of a 1 x 1 convolution, and $h_z = p(z|x)$, a
    1 x 1 convolution to one channel and a ReLU, divided by its sum over positions (CALM supplement,
    appendices B and C). The output is $\log p(y|x)$ (B, C), whose softmax is $p(y|x)$, so it can be
    used as logits.

    If the ReLU is zero everywhere in an image, h is uniform. Then p(y|x) is the mean of g, and no
    gradient reaches h.

    Args:
        features: the network that gives A (B, K, h, w), after its non-linearity.
        channels: K.
        classes: C.
        detach_norm: whether the sum that divides h is constant for the gradient in training, as in
            the authors' code. The gradient is then not that of p(y|x).
        epsilon: added to values of h below it before the logarithm of the EM loss, as in the
            authors' code.

    Attributes:
        target_layer: the layer at which a `Classifier` is cut by default.

    Example:
        >>> net = nets.load("birds_calm_em")
        >>> net.model.joint(net.features(x)).sum((1, 2, 3))  # of each image
        tensor([1.])
    """

    target_layer = "activation"

    def __init__(
        self,
        features: nn.Module,
        channels: int,
        classes: int,
        *,
        detach_norm: bool = True,
        epsilon: float = 1e-8,
    ):
        super().__init__()
        self.features, self.activation = features, nn.Identity()
        self.g, self.h = nn.Conv2d(channels, classes, 1), nn.Conv2d(channels, 1, 1)
        self.detach_norm, self.epsilon = detach_norm, epsilon

    def forward(self, x: Tensor) -> Tensor:
        r"""$\log p(y|x)$ (B, C) of images (B, 3, H, W), scaled."""
        return self.log_likelihood(self.activation(self.features(x)))

    def prior(self, A: Tensor) -> Tensor:
        r"""$h_z = p(z|x)$ (B, 1, h, w)."""
        a = self.h(A).relu()
        total = a.sum((2, 3), keepdim=True)
        if self.detach_norm and self.training:
            total = total.detach()
        uniform = torch.ones_like(a) / (a.shape[2] * a.shape[3])
        return torch.where(total > 0, a / torch.where(total > 0, total, 1.0), uniform)

    def joint(self, A: Tensor) -> Tensor:
        r"""$p(y, z|x)$ (B, C, h, w), which sums to one."""
        return self.g(A).softmax(1) * self.prior(A)

    def log_likelihood(self, A: Tensor) -> Tensor:
        r"""$\log p(y|x) = \log \sum_z g_{yz} h_z$ (B, C), eq. (f)."""
        h = self.prior(A)
        log_h = torch.where(h > 0, h, 1.0).log().masked_fill(h <= 0, -torch.inf)
        return (self.g(A).log_softmax(1) + log_h).logsumexp((2, 3))

    def bound(self, A: Tensor, y: Tensor) -> Tensor:
        r"""$-\sum_z p_{\theta'}(z|x, y) \log p_\theta(y, z|x)$ (B,), eq. (i), with the posterior of eq.
        (k) at $\theta' = \theta$, held constant: the EM loss of classes y (B,)."""
        of = torch.arange(len(y), device=y.device)
        log_g, h = self.g(A).log_softmax(1)[of, y], self.prior(A)[:, 0]  # (B, h, w)
        joint = (log_g.exp() * h).detach()
        posterior = joint / joint.sum((1, 2), keepdim=True).clamp_min(torch.finfo(A.dtype).tiny)
        log_h = (h + self.epsilon * (h < self.epsilon)).log()
        return -(posterior * (log_g + log_h)).sum((1, 2))


def calm(net: Classifier, classes: int | None = None, **options) -> CALM:
    """A CALM on a copy of a network's features, with newly initialised g and h.

    Args:
        classes: C; None for the number of classes of the network.
        options: the options of `CALM`.

    Example:
        >>> model = nets.calm(nets.load("torchvision:resnet50", weights="random"))
    """
    trunk = Trunk(net)
    model = CALM(trunk, trunk.channels, classes or net.num_classes, **options)
    return model.to(net.device, net.dtype)
