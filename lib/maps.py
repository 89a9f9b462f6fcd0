r"""What lies below methods and metrics: maps at the image's size, in [0, 1], and images seen through
them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .checks import check_choice

NORMALISATIONS = ("range", "max", "sigmoid")  # to [0, 1]
MASKINGS = ("pixels", "normalized")


def upsample(raw: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (..., h, w) at the image's size, bilinearly, pixel centres aligned (not corners)."""
    flat = raw.reshape(-1, 1, *raw.shape[-2:])
    return F.interpolate(flat, size, mode="bilinear", align_corners=False).view(
        *raw.shape[:-2], *size
    )


def normalise(M: Tensor, how: str = "range") -> Tensor:
    r"""Each map (..., H, W) in [0, 1], or signed in [-1, 1]; a flat map is zeros.

    range: $n(A) = (A - \min A) / (\max A - \min A)$, Opti-CAM eq. (4), (16);
    max: $A / \max A$, eq. (17); sigmoid: $1 / (1 + e^{-A})$, eq. (18).

    signed: $A / \max |A|$, which keeps zero where it is, so that only a map of zeros is zeros.

    Each map on its own: never over a batch. Where max is not positive, eq. (17) is undefined: zeros.
    """
    check_choice("normalisation", how, (*NORMALISATIONS, "signed"))
    if how == "signed":
        largest = M.abs().amax((-2, -1), keepdim=True)
        return M / torch.where(largest == 0, 1.0, largest)
    if how == "sigmoid":
        return M.sigmoid()
    high = M.amax((-2, -1), keepdim=True)
    low = M.amin((-2, -1), keepdim=True) if how == "range" else torch.zeros_like(high)
    scale = high - low
    # upsampling leaves rounding errors on a flat map, which must not be stretched to [0, 1]
    flat = scale <= 8 * torch.finfo(M.dtype).eps * torch.maximum(low.abs(), high.abs())
    return torch.where(flat, 0.0, (M - low) / torch.where(flat, 1.0, scale)).clamp(0, 1)


def without_noise(M: Tensor, size: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Sums (..., h, w), of which a map is flat where it varies by no more than their rounding, and
    zero where all of it is no more: terms that cancel leave a noise that must not be stretched.

    Args:
        size: the sums (..., h, w) of the absolute values of the same terms.
        dtype: the precision in which the terms were made; None for that of M.
    """
    # of channels that a LayerNorm centres, the sum is within one eps; others differ by more than 15
    eps = torch.finfo(dtype or M.dtype).eps
    noise = 4 * eps * size.detach().amax((-2, -1), keepdim=True)
    N = M.detach()
    high, low = N.amax((-2, -1), keepdim=True), N.amin((-2, -1), keepdim=True)
    even = torch.where(torch.maximum(high, -low) <= noise, 0.0, (high + low) / 2)
    return torch.where(high - low <= noise, even, M)


def mask(net, x: Tensor, S: Tensor, masking: str = "pixels") -> Tensor:
    r"""Images seen through their maps: $x \odot S$, where S (B, H, W) multiplies every channel.

    masking="pixels": masked is black, as Opti-CAM's authors do. masking="normalized": the mask
    multiplies the normalised tensor, so masked is the channel mean, as most CAM libraries do.
    """
    check_choice("masking", masking, MASKINGS)
    S = S[:, None]  # (B, 1, H, W)
    if masking == "pixels":
        return x * S
    return net.mean + (x - net.mean) * S


def in_single(t: Tensor) -> Tensor:
    """At least in single precision: half of it rounds the steps of an optimiser away."""
    return t.to(torch.promote_types(t.dtype, torch.float32))


@torch.no_grad()
def predict(net, x: Tensor) -> Tensor:
    """The predicted class (B,) of each image."""
    return net(x).argmax(1)
