import torch
from torch import Tensor

from ..checks import check_count
from ..seeding import generator
from .coalition_game import ask_each_game
from .combination import combination
from .gradients import activation_and_gradient


@combination
def shap_cam(
    net, x: Tensor, target: Tensor, *, n: int = 10, seed: int = 0, chunk: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by their SHAP values, estimated from n orderings of the channels.

    $$\alpha_k = \frac{1}{|\Pi|} \sum_{\pi \in \Pi}
      F^c\big(h_A(a'_{\pi, \le k})\big) - F^c\big(h_A(a'_{\pi, < k})\big), \quad
      S^c = \mathrm{ReLU}(\sum_k \alpha_k A_k)$$
    (LIFT-CAM, algorithm 1 and eq. (6)), with $F^c$ the logit of class c and $h_A(a')$ the
    activation with only the channels of $a'$. Each term is what channel k adds when the channels
    join one by one in the order $\pi$. For every n, $\sum_k \alpha_k = F^c(A) - F^c(0)$.

    Only the head runs. If it begins with a linear layer, only the layers after that one run, and
    each step adds one column to a running pre-activation. For an affine head every ordering gives
    the same values, which have a closed form.

    Args:
        n: the number of orderings.
        seed: seeds the orderings together with the image itself, so that they depend on neither the
            batch nor the position in it. The first n of a larger number of orderings stay the same.
        chunk: steps per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("shap_cam", net, x, target=243, n=100)
    """
    check_count("n", n)
    if net.affine_head:
        A, g = activation_and_gradient(net, x, target)
        return (A * g).sum((2, 3)), A
    with torch.no_grad():
        A, context = net.cut(x)
        here = x.cpu()  # seeds are made there

        def estimate(game, i):
            joins = orderings(here[i], n, A.shape[1], seed).to(A.device)[:, game.players]
            return game.marginal_contributions(joins.argsort(dim=1, stable=True))

        return ask_each_game(net, A, context, target, estimate, chunk=chunk), A


def orderings(image: Tensor, n: int, channels: int, seed: int) -> Tensor:
    """Random numbers (n, K) whose order in each row is the order in which channels join.

    They are the same on every device and in every batch.
    """
    draw = generator(image, seed)
    return torch.rand(n, channels, generator=draw, dtype=torch.float64)
