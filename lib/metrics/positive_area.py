from torch import Tensor


def positive_area(signs: Tensor) -> Tensor:
    r"""How much of the image a signed map marks for its class.

    $$\frac{1}{HW} \sum_{ij} [S_{ij} > 0]$$ (Wang & Wang 2022, appendix G, who find it large for
    original maps), for each image (B,). It asks nothing of the network.
    """
    return (signs > 0).to(signs).mean((1, 2))


def signs(net, x: Tensor, target: Tensor, S: Tensor) -> Tensor:
    """The sign (B, H, W) of each pixel: 1, -1 or 0."""
    return S.sign()
