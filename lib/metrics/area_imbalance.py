from torch import Tensor


def area_imbalance(signs: Tensor) -> Tensor:
    r"""How far the areas that a signed map marks for and against its class differ.

    $$\frac{1}{HW} \Big| \sum_{ij} [S_{ij} > 0] - \sum_{ij} [S_{ij} < 0] \Big|$$ (the balance of
    Wang & Wang 2022, appendix G), for each image (B,): 0 where they are equal, 1 for a map of one
    sign. It asks nothing of the network.
    """
    return signs.mean((1, 2)).abs()
