"""Curves while pixels change in order of saliency."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F
from torchvision.transforms.functional import gaussian_blur

from lib.errors import UnknownName
from lib.metrics.confidence import probability
from lib.metrics.curves import (
    Curve,
    area,
    blurred,
    change,
    deletion_curve,
    insertion_curve,
    ranks,
    stepped,
)

from ..networks import NETWORKS, affine, images, maps, non_linear, normalised

TARGET = torch.tensor([0, 1, 2, 3])


def pixel_by_pixel(net, start, end, c, S, step):
    """The curve of one image (3, H, W): pixels are replaced in order of their saliency."""
    shown, left = start.clone(), S.flatten().tolist()
    fraction, p = [], []

    def note(changed):
        fraction.append(changed / len(left))
        p.append(net.model(normalised(net, shown[None])).softmax(1)[0, c].item())

    note(0)
    for changed in range(1, len(left) + 1):
        most = max(range(len(left)), key=lambda j: left[j])  # the first of equals
        left[most] = -1.0
        i, j = divmod(most, S.shape[1])
        shown[:, i, j] = end[:, i, j]
        if changed % step == 0 or changed == len(left):
            note(changed)
    return fraction, p


@torch.no_grad()
@pytest.mark.parametrize("step", [32, 60])
@pytest.mark.parametrize("network", ["affine", "non_linear"])
def test_as_pixel_by_pixel(network, step):
    net, x = NETWORKS[network](), images(2)
    S = (maps(2) * 20).round() / 20  # with ties
    assert len(S[0].unique()) < 30
    for curve, start, end in (
        (deletion_curve(net, x, TARGET[:2], S, step=step), x, torch.zeros_like(x)),
        (insertion_curve(net, x, TARGET[:2], S, step=step), blurred(net, x), x),
    ):
        for i in range(2):
            fraction, p = pixel_by_pixel(net, start[i], end[i], TARGET[i], S[i], step)
            assert curve.fraction.tolist() == fraction
            assert curve.probability[i].tolist() == pytest.approx(p, abs=1e-10)
            assert area(curve)[i].item() == pytest.approx(np.trapezoid(p, fraction))


def test_the_ends_of_the_curves_are_the_images():
    net, x, S = affine(), images(), maps()
    cut, put = (
        deletion_curve(net, x, TARGET, S, step=100),
        insertion_curve(net, x, TARGET, S, step=100),
    )
    assert torch.allclose(cut.probability[:, 0], probability(net, x, TARGET))
    assert torch.allclose(cut.probability[:, -1], probability(net, torch.zeros_like(x), TARGET))
    assert torch.allclose(put.probability[:, 0], probability(net, blurred(net, x), TARGET))
    assert torch.allclose(put.probability[:, -1], probability(net, x, TARGET))


@pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
def test_chunks_change_nothing(chunk):
    net, x, S = non_linear(), images(), maps()
    for curve in (deletion_curve, insertion_curve):
        want = curve(net, x, TARGET, S, step=50).probability
        assert torch.allclose(
            curve(net, x, TARGET, S, step=50, chunk=chunk).probability, want, atol=1e-12
        )


def test_only_the_order_of_the_pixels_counts():
    net, x, S = affine(), images(), maps()
    want = deletion_curve(net, x, TARGET, S, step=50).probability
    assert torch.equal(deletion_curve(net, x, TARGET, S**3 / 2, step=50).probability, want)
    assert not torch.allclose(
        deletion_curve(net, x, TARGET, 1 - S, step=50).probability, want, atol=1e-3
    )


def test_changing_forth_in_order_is_changing_back_in_reverse():
    net, x, S = affine(), images(), maps()
    counts, black = stepped(256, 64), torch.zeros_like(x)
    forth = change(net, x, black, TARGET, ranks(S), counts).probability
    back = change(net, black, x, TARGET, ranks(1 - S), counts).probability
    assert torch.allclose(forth, back.flip(1), atol=1e-12)


def test_ranks_by_hand():
    S = torch.tensor([[[0.2, 0.9], [0.9, 0.5]], [[0.0, 0.0], [0.0, 0.0]]])
    assert ranks(S).tolist() == [[[3, 0], [1, 2]], [[0, 1], [2, 3]]]


def test_ranks_of_ties_are_in_raster_order_however_many():
    assert torch.equal(ranks(torch.zeros(1, 60, 70)).flatten(), torch.arange(4200))


def test_steps_reach_the_last_pixel():
    assert stepped(10, 4).tolist() == [0, 4, 8, 10]
    assert stepped(8, 4).tolist() == [0, 4, 8]
    assert stepped(3, 100).tolist() == [0, 3]
    assert len(stepped(224 * 224, 224)) == 225


@pytest.mark.parametrize("step", [0, -5])
def test_a_step_is_at_least_one_pixel(step):
    with pytest.raises(ValueError, match=f"at least 1, got {step}"):
        deletion_curve(affine(), images(), TARGET, maps(), step=step)


def test_area_by_hand():
    fraction = torch.tensor([0.0, 0.25, 1.0])
    curve = Curve(fraction, torch.tensor([[0.4, 0.4, 0.4], [1.0, 0.5, 0.1]]))
    assert area(curve).tolist() == pytest.approx([0.4, 0.25 * 0.75 + 0.75 * 0.3])


def test_the_blur_is_rises():
    """RISE's blur: a filtered impulse as kernel, convolved with the normalised image."""
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    kernel = np.zeros((3, 3, 11, 11))
    kernel[0, 0] = kernel[1, 1] = kernel[2, 2] = gaussian_filter(impulse, 5)
    net, x = affine(), images()
    want = F.conv2d(normalised(net, x), torch.from_numpy(kernel), padding=5)
    assert torch.allclose(normalised(net, blurred(net, x)), want, atol=1e-10)


def test_rises_kernel_is_almost_a_box():
    kernel = impulse_response("rise")
    assert kernel.sum().item() == pytest.approx(1)
    assert kernel.max() / kernel.min() < 1.5


def test_the_gaussian_is_one():
    kernel = impulse_response("gaussian")
    d = torch.arange(11.0).double() - 5
    want = torch.exp(-(d[:, None] ** 2 + d**2) / 50)
    assert torch.allclose(kernel, want / want.sum(), atol=1e-12)
    assert kernel.max() / kernel.min() == pytest.approx(np.exp(1))
    net, x = affine(), images(2, (32, 32))
    inside = (..., slice(5, -5), slice(5, -5))  # torchvision reflects at the border
    assert torch.allclose(
        blurred(net, x, "gaussian")[inside], gaussian_blur(x, 11, 5.0)[inside], atol=1e-7
    )


def impulse_response(blur):
    net, x = affine(), torch.zeros(1, 3, 31, 31, dtype=torch.float64)
    background = blurred(net, x, blur)
    x[..., 15, 15] = 1
    response = (blurred(net, x, blur) - background)[0]
    assert torch.allclose(response[0], response[1]) and torch.allclose(response[0], response[2])
    return response[0, 10:21, 10:21]


def test_outside_the_image_lies_the_channel_mean():
    net = affine()
    x = net.mean.expand(1, 3, 16, 16)
    assert torch.allclose(blurred(net, x), x)


def test_an_unknown_blur_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="unknown blur 'box'; valid: rise, gaussian"):
        insertion_curve(affine(), images(), TARGET, maps(), blur="box")
