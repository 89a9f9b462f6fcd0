from torch import Tensor

from .adcc import Terms


def coherency(terms: Terms) -> Tensor:
    r"""How well the map of the masked image agrees with the map; higher is better.

    $$\mathrm{coherency} = \tfrac12 \big(1 + \mathrm{corr}(S(x), S(x \odot S(x)))\big)$$
    with Pearson's correlation (Poppi et al. 2021), for each image (B,), in [0, 1]. Zero where either
    map is flat.
    """
    return terms.coherency
