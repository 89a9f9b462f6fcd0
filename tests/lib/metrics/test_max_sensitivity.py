"""Max-sensitivity: the largest change of a map under noise."""

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.max_sensitivity import Sensitivity, around, max_sensitivity
from lib.saliency import explain

from ..networks import affine, images, maps, non_linear

MS = METRICS["max_sensitivity"]
TARGET = torch.tensor([0, 1, 2, 3])


def red(x, target):
    """A method whose map is the red channel of the image."""
    return x[:, 0]


def one_by_one(method, image, c, S, n, radius, seed):
    """The value, for one image and one draw at a time."""
    worst = 0.0
    for drawn in around(image, n, radius, seed):
        moved = method(drawn[None], torch.tensor([c]))[0]
        distance = sum((a - b) ** 2 for a, b in zip(moved.flatten(), S.flatten())) ** 0.5
        norm = sum(b**2 for b in S.flatten()) ** 0.5
        worst = max(worst, (distance / norm).item())
    return worst


@pytest.mark.parametrize("method", ["grad_cam", "opti_cam"])
@pytest.mark.parametrize("network", [affine, non_linear])
def test_as_one_by_one(network, method):
    net, x = network(), images()
    options = {"iterations": 3} if method == "opti_cam" else {}

    def explained(x, target):
        return explain(method, net, x, target, **options)

    S = explained(x, TARGET)
    got = MS.fn(net, x, TARGET, S, method=explained, n=3, radius=0.1, seed=5)
    want = [one_by_one(explained, x[i], TARGET[i], S[i], 3, 0.1, 5) for i in range(4)]
    assert got.tolist() == pytest.approx(want, abs=1e-10)
    assert min(want) > 1e-3


def test_by_hand():
    sensitivity = Sensitivity(torch.tensor([2.0, 0.5]), torch.tensor([[1.0, 3.0], [0.0, 0.0]]))
    assert max_sensitivity(sensitivity).tolist() == [1.5, 0.0]


def test_closed_form_of_a_linear_method():
    """The map is the red channel, so it moves as far as the noise."""
    x, S = torch.full((2, 3, 40, 40), 0.5).double(), torch.full((2, 40, 40), 0.5).double()
    got = MS.fn(affine(), x, 0, S, method=red, radius=0.3)
    want = max((d[0] - 0.5).norm().item() / 20 for d in around(x[0], 10, 0.3, 0))
    assert got.tolist() == pytest.approx([want] * 2)
    assert want == pytest.approx(0.3 / 3**0.5 / 0.5, rel=0.05)  # the noise's deviation over 0.5


def test_a_method_that_ignores_the_image_is_not_sensitive():
    S = maps()
    assert (
        MS.fn(affine(), images(), 0, S, method=lambda x, t: S[:1].expand(len(x), -1, -1), n=2)[0]
        == 0
    )
    assert MS.fn(affine(), images(), 0, torch.ones_like(S), method="fake_cam").max() < 0.07
    assert not MS.higher_is_better


def test_no_noise_moves_nothing():
    net, x = affine(), images()
    S = explain("grad_cam", net, x, TARGET)
    assert MS.fn(net, x, TARGET, S, method="grad_cam", radius=0.0).max() < 1e-12


def test_a_map_that_doubles_moves_by_its_own_norm():
    S = maps() / 2
    got = MS.fn(affine(), images(), 0, S, method=lambda x, t: 2 * S.repeat_interleave(10, 0))
    assert got.tolist() == pytest.approx([1.0] * 4)


def test_a_map_that_vanishes_or_appears_moves_by_one():
    zero, S = torch.zeros(4, 16, 16).double(), maps()

    def constant(maps):
        return lambda x, target: maps[:1].expand(len(x), -1, -1)

    assert MS.fn(affine(), images(), 0, S, method=constant(zero)).tolist() == pytest.approx([1] * 4)
    assert MS.fn(affine(), images(), 0, zero, method=constant(S)).tolist() == pytest.approx([1] * 4)
    assert MS.fn(affine(), images(), 0, zero, method=constant(zero)).tolist() == [0] * 4


def test_perturbed_images_are_images_within_the_radius():
    x = images(1)[0]
    drawn = around(x, 50, 0.2, 0)
    assert drawn.shape == (50, 3, 16, 16)
    assert drawn.min() >= 0 and drawn.max() <= 1
    inner = (x > 0.2) & (x < 0.8)
    moved = (drawn - x)[:, inner]
    assert 0.199 < moved.abs().max() <= 0.2
    assert moved.mean().abs() < 5e-3
    assert moved.std() == pytest.approx(0.2 / 3**0.5, rel=0.02)
    assert (around(torch.zeros(3, 8, 8), 5, 0.2, 0) == 0).float().mean() == pytest.approx(
        0.5, abs=0.1
    )


def test_the_noise_belongs_to_the_image_and_the_seed():
    x = images()
    assert torch.equal(around(x[0], 5, 0.2, 0), around(x[0].clone(), 5, 0.2, 0))
    assert torch.equal(around(x[0], 3, 0.2, 0), around(x[0], 5, 0.2, 0)[:3])
    assert not torch.allclose(around(x[0], 5, 0.2, 1), around(x[0], 5, 0.2, 0), atol=0.05)
    signs = [(around(x[i], 1, 0.01, 0) > x[i])[0] for i in (0, 1)]
    assert 0.4 < (signs[0] == signs[1]).float().mean() < 0.6


def test_more_draws_are_never_less():
    net, x = affine(), images()
    S = explain("grad_cam", net, x, TARGET)
    values = [MS.fn(net, x, TARGET, S, method="grad_cam", n=n) for n in (1, 4, 16)]
    assert (values[0] <= values[1] + 1e-12).all() and (values[1] <= values[2] + 1e-12).all()
    assert (values[2] > values[0]).any()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_change_nothing(chunk):
    net, x, sizes = affine(), images(), []
    S = explain("grad_cam", net, x, TARGET)

    def counted(x, target):
        sizes.append(len(x))
        return explain("grad_cam", net, x, target)

    got = MS.fn(net, x, TARGET, S, method=counted, chunk=chunk)
    assert torch.allclose(got, MS.fn(net, x, TARGET, S, method="grad_cam"), atol=1e-12)
    assert sum(sizes) == 40 and max(sizes) == min(chunk, 40)


def test_each_image_keeps_its_class():
    net, x = affine(), images(1).expand(4, -1, -1, -1)
    S = explain("grad_cam", net, x, TARGET)
    got = MS.fn(net, x, TARGET, S, method="grad_cam")
    alone = [MS.fn(net, x[:1], c, S[c : c + 1], method="grad_cam").item() for c in range(4)]
    assert got.tolist() == pytest.approx(alone)
    assert len(set(got.tolist())) == 4


def test_bad_input_is_refused():
    net, x, S = affine(), images(), maps()
    with pytest.raises(ValueError, match="max_sensitivity needs method: pass method='grad_cam'"):
        MS.fn(net, x, 0, S)
    with pytest.raises(UnknownName, match=r"'gradcam' \(did you mean 'grad_cam'\?\)"):
        MS.fn(net, x, 0, S, method="gradcam")
    with pytest.raises(ValueError, match="n is at least 1, got 0"):
        MS.fn(net, x, 0, S, method="grad_cam", n=0)
    with pytest.raises(ValueError, match="radius is at least 0, got -0.1"):
        MS.fn(net, x, 0, S, method="grad_cam", radius=-0.1)
    with pytest.raises(
        ValueError, match=r"maps are \(B, H, W\) = \(40, 16, 16\), got \(40, 8, 8\)"
    ):
        MS.fn(net, x, 0, S, method=lambda x, target: x[:, 0, ::2, ::2])
