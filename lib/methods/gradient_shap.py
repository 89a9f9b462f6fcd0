import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..seeding import seeded_globally
from ..selectors import select
from .lime import scorer

BASELINES = ("black", "mean")


def gradient_shap(
    net,
    x: Tensor,
    target: Tensor,
    *,
    n: int = 20,
    noise: float = 0.0,
    baseline: str = "black",
    selector: str = "logit",
    seed: int = 0,
    chunk: int | None = None,
) -> Tensor:
    r"""SHAP values of pixels, estimated as expected gradients between a baseline and the image.

    $$\phi = \mathbb{E}_{\alpha, \epsilon} \Big[ (x + \epsilon - x') \odot
      \nabla g_c\big(f(x' + \alpha (x + \epsilon - x'))\big) \Big], \quad
      \alpha \sim U[0, 1], \; \epsilon \sim N(0, \sigma^2)$$
    with $g_c(f(x))$ the score of class c and $x'$ the baseline (Lundberg & Lee 2017, section 4,
    which assumes independent features and a linear model). The estimate is captum's
    `GradientShap`.

    Args:
        n: random points per image; captum's default is 5.
        noise: $\sigma$, in units of pixels in [0, 1].
        baseline: $x'$: "black", or "mean", the colour that the network normalises to zero.
        selector: $g_c$; see `SELECTORS`.
        seed: seeds the points together with the image itself, so that they depend on neither the
            batch nor the position in it.
        chunk: points per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw signed maps (B, H, W), summed over the colour channels.

    Example:
        >>> S = explain("gradient_shap", net, x, target=243, n=5)
    """
    check_count("n", n)
    check_count("chunk", chunk)
    check_choice("baseline", baseline, BASELINES)
    if not noise >= 0:
        raise ValueError(f"noise is a standard deviation, at least 0, got {noise}")
    score = select(selector)
    size = net.batch_hint(x) if chunk is None else chunk
    options = {"n": n, "noise": float(noise), "seed": seed}
    maps = []
    for image, c in zip(x.detach().cpu(), target):  # captum draws on the CPU: same on all devices
        start = (
            torch.zeros_like(image) if baseline == "black" else net.mean[0].cpu().expand_as(image)
        )
        maps.append(_expected_gradients(scorer(net, score, c), image, start, size, **options))
    return torch.stack(maps).to(x)


def _expected_gradients(f, image: Tensor, start: Tensor, size: int, *, n, noise, seed) -> Tensor:
    """captum's estimate for one image (3, H, W), summed over colours (H, W)."""
    from captum.attr import GradientShap  # here, as captum and what it imports take a second

    explainer = GradientShap(f)
    explainer.gradient_func = lambda f, points, *_: (_gradient(f, *points, size),)
    with seeded_globally(image, seed):
        phi = explainer.attribute(image[None], start[None], n_samples=n, stdevs=noise)
    return phi[0].sum(0)


def _gradient(f, points: Tensor, size: int) -> Tensor:
    """The gradients of f at points (n, 3, H, W), `size` points per pass."""
    found = []
    for some in points.detach().split(size):
        with torch.enable_grad():
            y = f(some.requires_grad_())
            found += torch.autograd.grad(y.sum(), some)
    return torch.cat(found)
