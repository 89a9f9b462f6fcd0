from torch import Tensor


def mean_saliency(S: Tensor) -> Tensor:
    r"""How much of the image a map covers: its mean, small for a focused map.

    $$\mathrm{complexity}(S) = \frac{1}{HW} \sum_{ij} S_{ij}$$ (Poppi et al. 2021, for maps in
    [0, 1]), for each image (B,). It asks nothing of the network.
    """
    return S.mean((1, 2))


def itself(net, x: Tensor, target: Tensor, S: Tensor) -> Tensor:
    """The map: there is nothing to measure of the network."""
    return S
