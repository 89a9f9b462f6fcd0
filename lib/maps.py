r"""Maps at the image's size in [0, 1], and images masked by them, for methods and metrics."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .checks import check_choice

NORMALISATIONS = ("range", "max", "sigmoid")  # to [0, 1]
MASKINGS = ("pixels", "normalized")


def upsample(raw: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (..., h, w) at the image's size, by bilinear upsampling with aligned pixel centres."""
    flat = raw.reshape(-1, 1, *raw.shape[-2:])
    return F.interpolate(flat, size, mode="bilinear", align_corners=False).view(
        *raw.shape[:-2], *size
    )


def normalise(M: Tensor, how: str = "range") -> Tensor:
    r"""Each map (..., H, W) scaled to [0, 1], or signed to [-1, 1]; a flat map becomes zeros.

    range: $n(A) = (A - \min A) / (\max A - \min A)$, Opti-CAM eq. (4), (16);
    max: $A / \max A$, eq. (17); sigmoid: $1 / (1 + e^{-A})$, eq. (18).

    signed: $A / \max |A|$, which leaves zero in place, so that only a map of zeros becomes zeros.

    Each map is scaled by itself, never over a batch. Where the maximum is not positive, eq. (17) is
    undefined and the map becomes zeros.
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
    """Sums M (..., h, w) without the rounding noise of terms that cancel, which must not be
    stretched.

    A map that varies by no more than rounding becomes flat, and zero if its values are no larger
    than that.

    Args:
        M: the sums (..., h, w).
        size: the sums (..., h, w) of the absolute values of the same terms.
        dtype: the precision in which the terms were computed; None for that of M.
    """
    # The sum of channels that a LayerNorm centres is within one eps; other sums exceed 15 eps.
    eps = torch.finfo(dtype or M.dtype).eps
    noise = 4 * eps * size.detach().amax((-2, -1), keepdim=True)
    N = M.detach()
    high, low = N.amax((-2, -1), keepdim=True), N.amin((-2, -1), keepdim=True)
    even = torch.where(torch.maximum(high, -low) <= noise, 0.0, (high + low) / 2)
    return torch.where(high - low <= noise, even, M)


def mask(net, x: Tensor, S: Tensor, masking: str = "pixels") -> Tensor:
    r"""Images masked by their maps: $x \odot S$, where S (B, H, W) multiplies every channel.

    With masking="pixels" masked pixels are black, as in the code of Opti-CAM's authors. With
    masking="normalized" the mask multiplies the normalised tensor, so masked pixels have the
    channel mean, as in most CAM libraries.
    """
    check_choice("masking", masking, MASKINGS)
    S = S[:, None]  # (B, 1, H, W)
    if masking == "pixels":
        return x * S
    return net.mean + (x - net.mean) * S


def in_single(t: Tensor) -> Tensor:
    """The tensor in at least single precision: half would round an optimiser's steps away."""
    return t.to(torch.promote_types(t.dtype, torch.float32))


@torch.no_grad()
def predict(net, x: Tensor) -> Tensor:
    """The predicted class (B,) of each image."""
    return net(x).argmax(1)
