from collections.abc import Callable

import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..seeding import generator, quantised, seeded_globally
from ..selectors import select
from .lime_cam import kernel, weighted_ridge

HIDINGS = ("superpixel", "black")


@torch.no_grad()
def lime(
    net,
    x: Tensor,
    target: Tensor,
    *,
    n: int = 1000,
    superpixels: int = 50,
    compactness: float = 10.0,
    hidden: str = "superpixel",
    selector: str = "probability",
    kernel_width: float = 0.25,
    ridge: float = 1.0,
    seed: int = 0,
    chunk: int | None = None,
) -> Tensor:
    r"""Superpixels weighted by a linear model of the score, fitted to images with some hidden.

    $$w = \arg\min_{w, w_0} \sum_z \sqrt{e^{-d(z)^2 / \sigma^2}}
      \big(g_c(f(x_z)) - w_0 - w^\top z\big)^2 + \lambda \|w\|^2$$
    (Ribeiro et al. 2016, eq. (1)-(2)), with $g_c(f(x))$ the score of class c. Each superpixel stays
    in the image $x_z$ with probability 1/2, and $d(z)$ is the cosine distance of z to the whole
    image. The square root of the paper's kernel follows the authors' code. The sampling is
    captum's, the superpixels are scikit-image's (SLIC), and the settings are LIME's defaults for
    images.

    Args:
        n: perturbed images; LIME's default is 1000.
        superpixels, compactness: the arguments of SLIC, which makes about that many superpixels.
        hidden: what replaces a hidden superpixel: "superpixel", its mean colour, or "black".
        selector: $g_c$; see `SELECTORS`. LIME explains probabilities.
        kernel_width: $\sigma$; LIME's default is 0.25.
        ridge: $\lambda$; LIME's default is 1.
        seed: seeds the samples together with the image itself, so that they depend on neither the
            batch nor the position in it. The first n of a larger number of samples stay the same.
        chunk: images per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw signed maps (B, H, W): each pixel has the weight of its superpixel.

    Example:
        >>> S = explain("lime", net, x, target=243, n=100)
    """
    for name, value in (("n", n), ("superpixels", superpixels), ("chunk", chunk)):
        check_count(name, value)
    check_choice("hidden", hidden, HIDINGS)
    if not (kernel_width > 0 and ridge > 0 and compactness > 0):
        raise ValueError(
            "kernel_width, ridge and compactness are positive, "
            f"got {kernel_width}, {ridge} and {compactness}"
        )
    score = select(selector)
    size = net.batch_hint(x) if chunk is None else chunk
    maps = []
    for image, c in zip(x.cpu(), target):  # captum mixes images on the CPU: same on all devices
        segment = segments(image, superpixels, compactness)
        background = _background(image, segment, hidden)
        z = torch.rand(n, int(segment.max()) + 1, generator=generator(image, seed)) < 0.5
        f = scorer(net, score, c)
        with seeded_globally(image, seed):  # captum's data loader draws a number
            w = _surrogate(f, image, background, segment, z, size, kernel_width, ridge)
        maps.append(w[segment])
    return torch.stack(maps).to(x)


def scorer(net, score, c: Tensor) -> Callable[[Tensor], Tensor]:
    """A function that gives the score (n,) of class c for images (n, 3, H, W), on the CPU."""
    return lambda images: score(net(images), c.expand(len(images))).cpu()


def _surrogate(
    f, image: Tensor, background: Tensor, segment: Tensor, z: Tensor,
    size: int, kernel_width: float, ridge: float,
) -> Tensor:  # fmt: skip
    """The weights (K,) of superpixels, fitted to the scores of samples z (n, K)."""
    from captum.attr import LimeBase  # here, as captum and what it imports take a second

    samples = iter(z.split(1))
    explainer = LimeBase(
        f,
        _Ridge(ridge),
        similarity_func=lambda original, perturbed, z, **_: kernel(z, kernel_width),
        perturb_func=lambda original, **_: next(samples),
        perturb_interpretable_space=True,
        from_interp_rep_transform=lambda z, original, **_: torch.where(
            z[0, segment], original, background
        ),
        to_interp_rep_transform=None,
    )
    return explainer.attribute(image[None], n_samples=len(z), perturbations_per_eval=size)


def segments(image: Tensor, superpixels: int, compactness: float) -> Tensor:
    """The superpixel (H, W) of each pixel, counted from 0."""
    from skimage.segmentation import slic  # here, as it imports most of scipy

    rgb = quantised(image).permute(1, 2, 0).numpy()
    found = slic(rgb, superpixels, compactness, start_label=0)
    return torch.from_numpy(found).unique(return_inverse=True)[1]


def _background(image: Tensor, segment: Tensor, hidden: str) -> Tensor:
    """The image (3, H, W) that shows through where a superpixel is hidden."""
    if hidden == "black":
        return torch.zeros_like(image)
    own = torch.nn.functional.one_hot(segment.flatten()).to(image)  # (HW, superpixels)
    mean = image.flatten(1) @ own / own.sum(0)  # (3, superpixels)
    return mean[:, segment]


class _Ridge:
    """LIME's linear model, with the methods that captum calls."""

    def __init__(self, ridge: float):
        self.ridge = ridge

    def fit(self, train_data, **_) -> None:
        [(z, y, weight)] = train_data
        self.w = weighted_ridge(z, y, weight, self.ridge)

    def representation(self) -> Tensor:
        return self.w

    def __call__(self, z: Tensor) -> Tensor:
        return z.to(self.w) @ self.w
