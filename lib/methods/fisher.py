r"""Fisher's direction between one image and a set of reference images, with a shrunk covariance.

$$J(w) = \frac{w^T S_\mu w}{w^T S_v w}, \quad S_\mu = (z - \mu)(z - \mu)^T, \quad
  w^* \propto S_v^{-1} (z - \mu)$$ (DiffCAM, eq. (8)-(10)).

$S_v$ of n images has at most rank n - 1, and networks usually have more channels K than that. It is
therefore shrunk towards its mean variance $m = \mathrm{tr}(S_v) / K$,

$$S_v^* = (1 - \delta) S_v + \delta m I,$$

where K counts only the channels that vary over the references and the image, not dead ones.
"""

import torch
from torch import Tensor

from ..checks import check_choice

# For two references Ledoit & Wolf give no shrinkage, and S_v has no inverse: w is then the limit.
LEAST = 1e-9
_CHUNK = 2**25  # numbers in memory at once


def ledoit_wolf(M: Tensor, norms: Tensor, n: Tensor, K: Tensor) -> Tensor:
    r"""The strength $\delta$ (B,) of Ledoit & Wolf 2004, lemma 3.2, for each covariance.

    Args:
        M: $V^T V$ of the centred samples V (B, n, K), or $V V^T$, whose norm is the same.
        norms: (B, n) squared lengths of the samples.
        n, K: (B,) samples and channels.
    """
    squares = M.square().sum((1, 2)) / n**2  # of the entries of S_v
    mean = norms.sum(1) / n / K
    distance = squares - K * mean**2  # of S_v from m I
    noise = (norms.square().sum(1) / n - squares) / n
    return _share(noise.minimum(distance), distance)


def oas(M: Tensor, norms: Tensor, n: Tensor, K: Tensor) -> Tensor:
    r"""The strength $\delta$ (B,) of oracle approximating shrinkage, as scikit-learn computes it.

    Chen et al. 2010, eq. (23). The arguments are those of `ledoit_wolf`.
    """
    squares = M.square().sum((1, 2)) / n**2 / K**2
    mean = norms.sum(1) / n / K
    return _share(squares + mean**2, (n + 1) * (squares - mean**2 / K)).clamp_max(1)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """part / whole, at least 0; 1 where the whole is not positive."""
    nothing = whole <= 0
    return torch.where(nothing, 1.0, part / torch.where(nothing, 1.0, whole)).clamp_min(0)


SHRINKAGES = {"ledoit_wolf": ledoit_wolf, "oas": oas}


def fisher_direction(
    z: Tensor, references: Tensor, among: Tensor, shrinkage: str | float = "ledoit_wolf"
) -> Tensor:
    r"""$w = m\, (S_v^*)^{-1} (z - \mu)$ for each image (B, K); $z - \mu$ itself for $\delta = 1$.

    The system is solved in double precision, with n x n matrices if there are fewer references than
    channels (Woodbury's identity), and with K x K matrices otherwise. A single reference, or equal
    ones, have $S_v = 0$: then $w = z - \mu$, the limit for any shrinkage as references converge.

    Args:
        z: (B, K) features of the images.
        references: (n, K) features of the reference images.
        among: (B, n) bool, the references from which each image is separated; at least one.
        shrinkage: a name in `SHRINKAGES`; or $\delta$ in [0, 1], which is a ridge of
            $\delta / (1 - \delta)$ mean variances.

    Raises:
        UnknownName: there is no estimator of that name.
        ValueError: $\delta$ is outside [0, 1].
    """
    check_shrinkage(shrinkage)
    most = int(among.sum(1).max())
    rows = max(1, _CHUNK // (most * z.shape[1]))
    # Double precision, since features that are close have small differences.
    pairs = zip(z.double().split(rows), among.split(rows))
    chunks = [
        _directions(one, references.double(), chosen, most, shrinkage) for one, chosen in pairs
    ]
    return torch.cat(chunks).to(z.dtype)


def check_shrinkage(shrinkage: str | float) -> None:
    if isinstance(shrinkage, str):
        check_choice("shrinkage", shrinkage, SHRINKAGES)
    elif not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage is a name or a number in [0, 1], got {shrinkage}")


def _directions(
    z: Tensor, references: Tensor, among: Tensor, most: int, shrinkage: str | float
) -> Tensor:
    n = among.sum(1).double()  # (B,)
    index = among.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
    there = among.gather(1, index)[..., None].double()  # (B, n, 1)
    V = references[index] * there  # (B, n, K); rows of zeros where an image has fewer
    mean = V.sum(1) / n[:, None]
    V = (V - mean[:, None]) * there
    d = z - mean
    few = most < z.shape[1]
    M = V @ V.mT if few else V.mT @ V  # (B, n, n) or (B, K, K)
    norms = V.square().sum(2)  # (B, n)
    K = ((V != 0).any(1) | (d != 0)).sum(1).clamp_min(1).double()
    variance = norms.sum(1) / n / K  # m
    # Equal references leave rounding errors, not variance.
    flat = variance <= (torch.finfo(z.dtype).eps * mean.abs().amax(1)).square()
    if isinstance(shrinkage, str):
        delta = SHRINKAGES[shrinkage](M, norms, n, K)
    else:
        delta = torch.full_like(n, shrinkage)
    delta = torch.where(flat, 1.0, delta).clamp_min(LEAST)[:, None, None]
    scale = torch.where(flat, 1.0, n * variance)[:, None, None]
    eye = torch.eye(M.shape[1], dtype=z.dtype, device=z.device)
    if few:
        inner = torch.linalg.solve(delta * scale * eye + (1 - delta) * M, V @ d[..., None])
        w = (d[..., None] - (1 - delta) * (V.mT @ inner)) / delta  # (B, K, 1)
    else:
        w = torch.linalg.solve(delta * eye + (1 - delta) / scale * M, d[..., None])
    return w[..., 0]
