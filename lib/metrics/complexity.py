from torch import Tensor

from .adcc import Terms


def complexity(terms: Terms) -> Tensor:
    r"""How much of the image a map covers: its mean; lower is better.

    $$\mathrm{complexity} = \frac{1}{HW} \sum_{ij} S_{ij}$$ (Poppi et al. 2021), for each image (B,), in
    [0, 1]: `mean_saliency`, but of the map of the label, and beside the other terms of `adcc`.
    """
    return terms.complexity
