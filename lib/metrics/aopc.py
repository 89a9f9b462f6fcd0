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
    """The patches of a grid are replaced one after another, the most salient first.

    The grid begins at the top left. If the side of the image is not a multiple of the patch, the
    last row or column is narrower. Equally salient patches are taken in raster order.

    Args:
        patch: the side of a patch in pixels.
        regions: L, the number of patches that are replaced; all of them if the image has fewer.
        replacement: "black"; "mean", the colour that the classifier normalises to zero; "uniform",
            random colours, drawn for each pixel and channel.
        seed: seeds the random colours together with the image itself.
        chunk: images per pass, chosen for the device if None. It changes no result.

    Returns:
        The probability (B, 1 + L) and the fractions of patches that are replaced.
    """
    check_count("patch", patch)
    check_count("regions", regions)
    check_count("chunk", chunk)
    check_choice("replacement", replacement, REPLACEMENTS)
    rank = patch_ranks(S, patch)
    counts = torch.arange(min(regions, int(rank[0].max()) + 1) + 1)
    return change(net, x, painted_over(net, x, replacement, seed), target, rank, counts, chunk)


def patch_ranks(S: Tensor, patch: int) -> Tensor:
    """The rank (B, H, W) of each pixel's patch by decreasing sum of saliency."""
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
    r"""Area over the perturbation curve, the mean drop in class probability while salient patches
    are replaced; higher is better.

    $$\mathrm{AOPC} = \frac{1}{L + 1} \sum_{k=0}^{L} f(x^{(0)})_c - f(x^{(k)})_c$$
    (Samek et al. 2017), where the k most salient patches of $x^{(k)}$ are replaced, for each image
    (B,), in [-1, 1]. It is negative where the class probability rises. By default L = 10 patches of
    14 pixels are replaced (Opti-CAM section 5.3.3); options `regions`, `patch`.

    Samek et al. fill a patch with uniform random colours. The default here is black, which is the
    default of Quantus, the package that Opti-CAM uses. Masking and deletion also use black, and it
    needs no seed. Options `replacement`, `seed`.
    """
    p = curve.probability
    return (p[:, :1] - p).mean(1)
