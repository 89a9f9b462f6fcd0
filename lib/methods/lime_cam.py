import torch
from torch import Tensor

from ..checks import check_count
from .coalition_game import ask_each_game
from .combination import combination


@combination
@torch.no_grad()
def lime_cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    n: int | None = None,
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    seed: int = 0,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by a linear model of the logit, fitted to random coalitions of channels.

    $$\alpha = \arg\min_{\alpha, \alpha_0} \sum_{a'} \sqrt{e^{-d(a')^2 / \sigma^2}}
      \big(F^c(h_A(a')) - \alpha_0 - \alpha^\top a'\big)^2 + \lambda \|\alpha\|^2$$
    (Ribeiro et al. 2016, eq. (1)-(2), applied to the model of LIFT-CAM eq. (5)), with $F^c$ the
    logit of class c and $h_A(a')$ the activation with only the channels of $a'$. Each channel takes
    part in a coalition $a'$ with probability 1/2, and $d(a') = 1 - \sqrt{|a'| / K}$ is the cosine
    distance to all channels. The kernel, with the square root that LIME's code takes of it, and the
    ridge are LIME's defaults for images. A lasso would shrink weights to zero.

    Args:
        n: coalitions; None for as many as there are live channels, as LIFT-CAM's authors do.
        kernel_width: $\sigma$; LIME's default is 0.25.
        ridge: $\lambda$; LIME's default is 1.
        seed: the seed of the coalitions, the same for every image.
        chunk: coalitions per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("lime_cam", net, x, target=243, n=1000)
    """
    check_count("n", n)
    if not (kernel_width > 0 and ridge > 0):
        raise ValueError(f"kernel_width and ridge are positive, got {kernel_width} and {ridge}")
    A, context = net.cut(x)

    def fit(game, _):
        a = _coalitions(n or len(game.players), len(game.players), seed)
        return weighted_ridge(a, game.value(a.to(A.device)), kernel(a, kernel_width), ridge)

    return ask_each_game(net, A, context, target, fit, chunk=chunk), A


def _coalitions(n: int, players: int, seed: int) -> Tensor:
    """Random coalitions (n, players) on the CPU, the same for every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, players, generator=generator, dtype=torch.float64) < 0.5


def kernel(a: Tensor, kernel_width: float) -> Tensor:
    r"""$\sqrt{e^{-d^2 / \sigma^2}}$ of coalitions (n, players), d being their distance to all."""
    distance = 1 - a.double().mean(1).sqrt()
    return torch.exp(-(distance**2) / kernel_width**2).sqrt()


def weighted_ridge(a: Tensor, y: Tensor, weight: Tensor, ridge: float) -> Tensor:
    """The slopes (players,) of weighted ridge regression, in double precision, on the CPU."""
    a, y, weight = a.double().cpu(), y.double().cpu(), weight.double().cpu()
    share = weight / weight.sum()
    a, y = a - share @ a, y - share @ y  # the intercept is not shrunk
    weighted = a.T * weight
    return torch.linalg.solve(weighted @ a + ridge * torch.eye(a.shape[1]).to(a), weighted @ y)
