import torch
from torch import Tensor

from ..checks import check_choice
from ..saliency import mask, normalise, upsample
from ..selectors import select
from .gradients import pairs, weighted_sum

WEIGHTINGS = ("logit", "probability", "probability_softmax")


@torch.no_grad()
def score_cam(
    net,
    x: Tensor,
    target: Tensor,
    *,
    weighting: str = "logit",
    masking: str = "pixels",
    chunk: int | None = None,
) -> Tensor:
    r"""Channels weighted by the score of the image that each one, as a mask, lets through.

    $$u_k^c = f\big(x \odot n(\mathrm{up}(A^k))\big)_c - f(x_b)_c, \quad
      w^c = \mathrm{softmax}(u^c), \quad S^c = \mathrm{ReLU}(\sum_k w_k^c A^k)$$
    (Wang et al. 2020; Opti-CAM eq. (3)). The baseline $x_b$ is the fully masked image.

    A constant channel makes no mask, $n(A^k) = 0$: it is skipped and weighs nothing, exactly. The
    others run `chunk` at a time, images mixed, so memory is bounded by the chunk, not by K.

    Args:
        weighting: "logit" as above (Opti-CAM eq. (3)); "probability": the class probability, no
            softmax over channels, no baseline (the authors' code); "probability_softmax": the
            difference of probabilities, then softmax (the paper's second version).
        masking: "pixels" or "normalized"; see `saliency.mask`.
        chunk: masked images a pass; None for what suits the device. It changes no result.

    Returns:
        Raw maps (B, h, w), before the ReLU.
    """
    check_choice("weighting", weighting, WEIGHTINGS)
    score = select("logit" if weighting == "logit" else "probability")
    A = net.features(x)
    alive = A.amax((2, 3)) > A.amin((2, 3))  # (B, K)
    u = torch.full(alive.shape, -torch.inf, device=A.device, dtype=A.dtype)
    for image, channel in pairs(alive, net.batch_hint(x) if chunk is None else chunk):
        M = normalise(upsample(A[image, channel], x.shape[2:]))  # (n, H, W)
        u[image, channel] = score(net(mask(net, x[image], M, masking)), target[image])
    if weighting == "probability":
        return weighted_sum(u.where(alive, 0.0), A)
    # the baseline is one number an image, which softmax over its channels cancels
    return weighted_sum(u.softmax(1).where(alive, 0.0), A)
