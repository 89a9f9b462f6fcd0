import torch
from torch import Tensor


def cosine_similarity(alpha: Tensor, reference: Tensor) -> Tensor:
    r"""The cosine of the angle between coefficients (B, K) and their reference; higher is better.

    $$\cos = \alpha^\top \alpha^* / (\|\alpha\| \|\alpha^*\|)$$
    (LIFT-CAM section 4.2, where the reference are SHAP values), for each image (B,), in [-1, 1]. Zero
    where either is zero. Not a metric of maps, hence not in `METRICS`.

    Example:
        >>> cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
        tensor([0.6000], dtype=torch.float64)
    """
    return torch.cosine_similarity(alpha.double(), reference.double(), dim=1)
