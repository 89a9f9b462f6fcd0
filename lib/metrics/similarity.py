"""Similarity of two saliency maps: correlation, and the measures of the sanity check.

Opti-CAM's appendix G compares the maps of a trained network with those of a network with random
weights, by the measures of Adebayo et al. 2018: rank correlation with and without absolute values
of raw signed maps, and HOG similarity and SSIM of finished maps. Each measure gives one number for
each pair (B,), 1 for two equal maps. A flat map has similarity 1 with another flat map and 0 with
any other map.
"""

import numpy as np
import torch
from scipy.stats import rankdata
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor

from ..checks import check_finite
from ..maps import upsample

CELL = 16  # pixels, the side of a HOG cell, as in Adebayo et al.
_BLOCK = 3  # cells, the side of a block that HOG normalises together
_WINDOW = 11  # pixels, the side of SSIM's Gaussian window


def correlation(M: Tensor, R: Tensor) -> Tensor:
    """Pearson's correlation of signed maps (B, H, W), in [-1, 1]."""
    _check_pair(M, R)
    return _pearson(M.double().flatten(1), R.double().flatten(1))


def rank_correlation(M: Tensor, R: Tensor) -> Tensor:
    r"""Spearman's rank correlation of signed maps (B, H, W), in [-1, 1].

    $$\rho = \mathrm{corr}(\mathrm{rank}(M), \mathrm{rank}(R))$$
    Pixels of equal value share the mean of their ranks.

    Example:
        >>> M = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
        >>> rank_correlation(M, M.exp()), rank_correlation(M, -M)
        (tensor([1.], dtype=torch.float64), tensor([-1.], dtype=torch.float64))
    """
    _check_pair(M, R)
    return _pearson(_ranks(M), _ranks(R))


def rank_correlation_absolute(M: Tensor, R: Tensor) -> Tensor:
    """Spearman's rank correlation of the maps' absolute values, which ignores their sign.

    Where no map is negative, as for Opti-CAM after a ReLU, it equals `rank_correlation`.
    """
    return rank_correlation(M.abs(), R.abs())


def hog_similarity(S: Tensor, R: Tensor, *, cell: int = CELL) -> Tensor:
    """The correlation of the maps' histograms of oriented gradients, in [-1, 1].

    Nine orientations in cells of 16 x 16 pixels, normalised over blocks of 3 x 3 cells (Dalal and
    Triggs 2005), by scikit-image; Pearson's correlation over all of them.

    Args:
        S, R: finished maps (B, H, W) in [0, 1], of at least 3 x 3 cells.
        cell: the side of a cell in pixels.
    """
    _check_pair(S, R)
    _check_size(S, _BLOCK * cell, "HOG")

    def features(maps: Tensor) -> Tensor:
        how = {"pixels_per_cell": (cell, cell), "cells_per_block": (_BLOCK, _BLOCK)}
        return torch.from_numpy(np.stack([hog(map, **how) for map in _numpy(maps)]))

    return _pearson(features(S), features(R))


def ssim(S: Tensor, R: Tensor) -> Tensor:
    r"""The mean structural similarity of maps (Wang et al. 2004), in [-1, 1].

    $$\mathrm{SSIM} = \frac{(2 \mu_S \mu_R + c_1)(2 \sigma_{SR} + c_2)}
      {(\mu_S^2 + \mu_R^2 + c_1)(\sigma_S^2 + \sigma_R^2 + c_2)}$$
    with means and covariances under a Gaussian window of sigma 1.5, $c_1 = 0.01^2$ and
    $c_2 = 0.03^2$, averaged over the windows that lie in the map; by scikit-image.

    Args:
        S, R: finished maps (B, H, W) in [0, 1], of at least 11 x 11 pixels.
    """
    _check_pair(S, R)
    _check_size(S, _WINDOW, "SSIM")
    how = {"data_range": 1.0, "gaussian_weights": True, "use_sample_covariance": False}
    values = [structural_similarity(s, r, **how) for s, r in zip(_numpy(S), _numpy(R))]
    return torch.tensor(values, dtype=torch.float64)


_RAW = {f.__name__: f for f in (rank_correlation, rank_correlation_absolute)}
_FINISHED = {f.__name__: f for f in (hog_similarity, ssim)}
SIMILARITIES = (*_RAW, *_FINISHED)


def similarities(one: tuple[Tensor, Tensor], two: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """All measures by name, one value per pair of maps (B,).

    Args:
        one, two: raw signed maps (B, h, w), and the finished maps (B, H, W) made from them. Raw
            maps are compared at the size of the finished maps.
    """
    (M, S), (R, T) = one, two
    signed = [upsample(raw.double(), tuple(S.shape[-2:])) for raw in (M, R)]
    values = {name: measure(*signed) for name, measure in _RAW.items()}
    return values | {name: measure(S, T) for name, measure in _FINISHED.items()}


def cosine_similarity(alpha: Tensor, reference: Tensor) -> Tensor:
    r"""The cosine of the angle between coefficients (B, K) and their reference; higher is better.

    $$\cos = \alpha^\top \alpha^* / (\|\alpha\| \|\alpha^*\|)$$
    (LIFT-CAM section 4.2, where SHAP values are the reference), for each image (B,), in [-1, 1]. It
    is zero where either vector is zero. It is not a metric of maps, and therefore not in `METRICS`.

    Example:
        >>> cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([0.6000], dtype=torch.float64)
    """
    return torch.cosine_similarity(alpha.double(), reference.double(), dim=1)


def flat(M: Tensor) -> Tensor:
    """Which maps (B, ...) are constant up to the rounding errors of upsampling, (B,)."""
    low, high = M.flatten(1).aminmax(dim=1)
    return high - low <= 1e-9 * torch.maximum(low.abs(), high.abs())


def _pearson(A: Tensor, B: Tensor) -> Tensor:
    """Pearson's correlation of rows (B, n); 1 where both are flat, and 0 where one is."""
    a, b = flat(A), flat(B)
    A, B = A - A.mean(1, keepdim=True), B - B.mean(1, keepdim=True)
    r = torch.cosine_similarity(A, B, dim=1, eps=0).clamp(-1, 1)
    return torch.where(a | b, (a & b).to(r), r)


def _ranks(M: Tensor) -> Tensor:
    """The ranks (B, n) of the pixels of maps (B, H, W), all equal for a flat map."""
    values = M.double().flatten(1).masked_fill(flat(M.double())[:, None], 0)
    return torch.from_numpy(rankdata(values.cpu().numpy(), axis=1))


def _numpy(maps: Tensor) -> np.ndarray:
    return maps.double().cpu().numpy()


def _check_pair(A: Tensor, B: Tensor) -> None:
    """Raises an error unless both are batches of finite maps of one shape."""
    if A.shape != B.shape or A.ndim != 3:
        raise ValueError(
            f"maps are two batches of one shape (B, H, W), got {tuple(A.shape)} and {tuple(B.shape)}"
        )
    for maps in (A, B):
        check_finite("map", maps)


def _check_size(S: Tensor, least: int, what: str) -> None:
    if min(S.shape[-2:]) < least:
        raise ValueError(
            f"{what} takes maps of at least {least} x {least} pixels, got {tuple(S.shape)}: "
            "compare them at the size of the image"
        )
