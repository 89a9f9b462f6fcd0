from torch import Tensor


def fake_cam(net, x: Tensor, target: Tensor) -> Tensor:
    """Ones everywhere, with the top-left pixel zero: it explains nothing, and exposes metrics.

    (Poppi et al. 2021, section 3; Opti-CAM section 4.)

    Returns:
        Maps (B, H, W) at the image's own size.

    Example:
        >>> S = explain("fake_cam", net, x)
    """
    S = x.new_ones(len(x), *x.shape[2:])
    S[:, 0, 0] = 0
    return S
