import torch
from torch import Tensor
from torch.nn import functional as F

from ..checks import check_choice, check_count
from ..seeding import generator
from .curves import Curve, change, ranks

REPLACEMENTS = ("black", "mean", "uniform")


def patched(
    net,
    x: Tensor,
    target: Tensor,
    S: Tensor,
    *,
    patch: int = 14,
    regions: int = 10,
    replacement: str = "black",
    seed: int = 0,
    chunk: int | None = None,
) -> Curve:
    """From the image, one patch after another of a grid is replaced, the most salient first.

    The grid begins at the top left; where the side of the image is no multiple of the patch, the
    last row or column is narrower. Equal patches are taken in raster order.

    Args:
        patch: side of a patch in pixels.
        regions: L, how many are replaced; all of them if the image has fewer.
        replacement: "black"; "mean", the colour that the classifier's normalisation takes to zero;
            "uniform", random colours, drawn for each pixel and channel.
        seed: of the random colours, together with the image itself.
        chunk: images per pass, chosen for the device if None. It changes no result.

    Returns:
        The probability (B, 1 + L), and the fractions of the patches that are replaced.
    """
    check_count("patch", patch)
    check_count("regions", regions)
    check_count("chunk", chunk)
    check_choice("replacement", replacement, REPLACEMENTS)
    rank = patch_ranks(S, patch)
    counts = torch.arange(min(regions, int(rank[0].max()) + 1) + 1)
    return change(net, x, painted_over(net, x, replacement, seed), target, rank, counts, chunk)


def patch_ranks(S: Tensor, patch: int) -> Tensor:
    """The place (B, H, W) of each pixel's patch by decreasing sum of saliency."""
    sums = F.avg_pool2d(S.double()[:, None], patch, ceil_mode=True, divisor_override=1)[:, 0]
    rank = ranks(sums)  # (B, rows, columns) of the grid
    rank = rank.repeat_interleave(patch, 1).repeat_interleave(patch, 2)
    return rank[:, : S.shape[1], : S.shape[2]]


def painted_over(net, x: Tensor, replacement: str, seed: int) -> Tensor:
    """The images (B, 3, H, W) with all patches replaced."""
    if replacement == "black":
        return torch.zeros_like(x)
    if replacement == "mean":
        return net.mean.expand_as(x)
    colours = [
        torch.rand(image.shape, generator=generator(image, seed), dtype=torch.float64)
        for image in x
    ]
    return torch.stack(colours).to(x)


def aopc(curve: Curve) -> Tensor:
    r"""Area over the perturbation curve: the mean drop of the class probability while salient patches
    are replaced; higher is better.

    $$\mathrm{AOPC} = \frac{1}{L + 1} \sum_{k=0}^{L} f(x^{(0)})_c - f(x^{(k)})_c$$
    (Samek et al. 2017), where $x^{(k)}$ has its k most salient patches replaced, for each
    image (B,), in [-1, 1]; negative where the class gains. Patches of 14 pixels, 10 of them (Opti-CAM
    section 5.3.3); options `patch`, `regions`.

    Samek et al. fill a patch with uniform random colours. Black is the default here: it is Quantus'
    default, which the paper says to use, it is what masking and deletion put in place of a pixel, and
    it needs no seed. Options `replacement`, `seed`.
    """
    p = curve.probability
    return (p[:, :1] - p).mean(1)
