import torch
from torch import Tensor

from ..checks import check_choice, check_count
from ..maps import mask, normalise, upsample
from ..selectors import select
from .combination import combination

WEIGHTINGS = ("logit", "probability", "probability_softmax")


@combination
@torch.no_grad()
def score_cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    weighting: str = "logit",
    masking: str = "pixels",
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Channels weighted by the score of the image masked by each of them.

    $$u_k^c = f\big(x \odot n(\mathrm{up}(A^k))\big)_c - f(x_b)_c, \quad
      w^c = \mathrm{softmax}(u^c), \quad S^c = \mathrm{ReLU}(\sum_k w_k^c A^k)$$
    with $A^k$ the channels of the target layer, $f(x)_c$ the logit of class c, and n and up
    normalisation and upsampling (Wang et al. 2020; Opti-CAM eq. (3)). The baseline $x_b$ is the
    fully masked image.

    A constant channel gives no mask, since $n(A^k) = 0$: it is skipped and has weight zero.
    Channels of one image with equal masks, such as those active at the same single position, share
    a forward pass. Passes of `chunk` masked images mix images, so the chunk, not K, bounds memory.

    Args:
        weighting: "logit" as above (Opti-CAM eq. (3)); "probability": the class probability,
            without softmax over channels and without baseline (the authors' code);
            "probability_softmax": the difference of probabilities, then softmax (the paper's second
            version).
        masking: "pixels" or "normalized"; see `maps.mask`.
        chunk: masked images per pass, chosen for the device if None. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.

    Example:
        >>> S = explain("score_cam", net, x, target=243, masking="normalized")
    """
    check_choice("weighting", weighting, WEIGHTINGS)
    check_count("chunk", chunk)
    score = select("logit" if weighting == "logit" else "probability")
    A, _ = net.cut(x)
    grids = normalise(A)  # does not change the masks
    alive = grids.amax((2, 3)) > 0  # (B, K)
    live = alive.nonzero(as_tuple=True)  # the image and the channel of each
    image, M, mask_of = _distinct_masks(live[0], grids[live])
    size = net.batch_hint(x) if chunk is None else chunk
    u = torch.full(alive.shape, -torch.inf, device=A.device, dtype=A.dtype)
    if len(M):
        scores = [
            score(net(mask(net, x[i], normalise(upsample(m, x.shape[2:])), masking)), target[i])
            for i, m in zip(image.split(size), M.split(size))
        ]
        u[live] = torch.cat(scores)[mask_of]
    if weighting == "probability":
        return u.where(alive, 0.0), A
    # the baseline is one number per image, which the softmax over its channels cancels
    return u.softmax(1).where(alive, 0.0), A


def _distinct_masks(image: Tensor, grids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct masks of the live channels, given their images (N,) and grids (N, h, w): each
    one's image (n,) and grid (n, h, w), and for each live channel the index (N,) of its mask."""
    keyed = torch.cat([image[:, None].to(grids), grids.flatten(1)], dim=1)
    distinct, mask_of = torch.unique(keyed, dim=0, return_inverse=True)
    return distinct[:, 0].long(), distinct[:, 1:].unflatten(1, grids.shape[1:]), mask_of
