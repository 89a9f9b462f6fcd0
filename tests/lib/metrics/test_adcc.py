"""ADCC: the harmonic mean of coherency, 1 - complexity and 1 - average drop."""

import pytest
import torch
from scipy.stats import hmean, pearsonr

from lib.metrics import METRICS
from lib.metrics.adcc import Terms, adcc, explained_again
from lib.metrics.confidence import average_drop, preserved
from lib.saliency import explain

from ..networks import NETWORKS, affine, images, maps, normalised

ADCC = METRICS["adcc"]
TARGET = torch.tensor([0, 1, 2, 3])


@torch.no_grad()
def one_image(net, image, c, S, explained):
    """ADCC of one image, as in the authors' code."""
    masked = image * S
    p = net.model(normalised(net, image[None])).softmax(1)[0, c].item()
    o = net.model(normalised(net, masked[None])).softmax(1)[0, c].item()
    again = explained(masked[None], c)[0]
    coherency = (pearsonr(S.flatten(), again.flatten()).statistic + 1) / 2
    complexity = S.abs().sum().item() / S.numel()
    drop = max(0, p - o) / p
    return 3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop))


@pytest.mark.parametrize("network", NETWORKS)
def test_as_one_image_at_a_time(network):
    net, x = NETWORKS[network](), images()

    def explained(x, target):
        return explain("layer_cam", net, x, target)

    S = explained(x, TARGET)
    want = [one_image(net, x[i], TARGET[i], S[i], explained) for i in range(4)]
    got = ADCC.fn(net, x, TARGET, S, method=explained)
    assert got.tolist() == pytest.approx(want, abs=1e-9)
    assert torch.equal(ADCC.fn(net, x, TARGET, S, method="layer_cam"), got)


def test_by_hand():
    terms = Terms(torch.tensor([0.9, 1.0]), torch.tensor([0.4, 0.0]), torch.tensor([0.2, 0.0]))
    want = [hmean([0.9, 0.6, 0.8]), 1.0]
    assert adcc(terms).tolist() == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("zero", [(0, 0.5, 0.5), (0.5, 1, 0.5), (0.5, 0.5, 1), (0, 1, 1)])
def test_one_term_of_zero_is_a_zero(zero):
    assert adcc(Terms(*torch.tensor(zero).double()[:, None])).tolist() == [0]


def test_the_value_of_the_means_is_never_below_the_mean_of_values():
    generator = torch.Generator().manual_seed(0)
    terms = Terms(*torch.rand(3, 100, generator=generator, dtype=torch.float64))
    together = adcc(Terms(*(term.mean() for term in terms)))
    assert together > adcc(terms).mean() + 0.05
    alike = Terms(*(torch.full((5,), value) for value in (0.3, 0.6, 0.1)))
    assert adcc(Terms(*(term.mean() for term in alike))) == pytest.approx(adcc(alike).mean())


def test_a_map_of_ones_has_no_share_left():
    """Fake-CAM is coherent and drops nothing, but its complexity is almost the largest possible."""
    net, x, ones = affine(), images(), torch.ones(4, 16, 16).double()
    ones[:, 0, 0] = 0
    terms = explained_again(net, x, TARGET, ones, method=lambda x, target: ones)
    assert terms.coherency.tolist() == pytest.approx([1] * 4)
    assert terms.complexity.tolist() == pytest.approx([255 / 256] * 4)
    assert ADCC.fn(net, x, TARGET, ones, method="fake_cam").max() < 3 / 256
    assert ADCC.higher_is_better


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_flat_maps_give_zero_never_nan(value, dtype):
    net, x, S = affine().to(dtype), images().to(dtype), maps().to(dtype)
    flat = torch.full((4, 16, 16), value, dtype=dtype)
    assert ADCC.fn(net, x, TARGET, flat, method="grad_cam").tolist() == [0] * 4
    assert ADCC.fn(net, x, TARGET, S, method=lambda x, target: flat).tolist() == [0] * 4


def test_the_method_explains_the_masked_image_for_the_same_class():
    net, x, S, seen = affine(), images(), maps(), []

    def method(x, target):
        seen.append((x, target))
        return S

    ADCC.fn(net, x, TARGET, S, method=method)
    assert torch.equal(seen[0][0], x * S[:, None]) and torch.equal(seen[0][1], TARGET)
    ADCC.fn(net, x, TARGET, S, method=method, masking="normalized")
    assert torch.allclose(normalised(net, seen[1][0]), normalised(net, x) * S[:, None])


def test_the_drop_is_that_of_average_drop():
    net, x, S = affine(), images(), maps()
    for masking in ("pixels", "normalized"):
        terms = explained_again(net, x, TARGET, S, method=lambda x, t: S, masking=masking)
        want = average_drop(preserved(net, x, TARGET, S, masking=masking))
        assert torch.equal(terms.drop, want)


def test_bad_input_is_refused():
    net, x, S = affine(), images(), maps()
    with pytest.raises(ValueError, match="adcc needs method: pass method='grad_cam'"):
        ADCC.fn(net, x, 0, S)
    with pytest.raises(ValueError, match=r"maps are \(B, H, W\) = \(4, 16, 16\), got \(4, 8, 8\)"):
        ADCC.fn(net, x, 0, S, method=lambda x, target: x[:, 0, ::2, ::2])
    with pytest.raises(ValueError, match="map of image 2 of the batch holds NaN"):
        broken = S.clone()
        broken[2, 0, 0] = torch.nan
        ADCC.fn(net, x, 0, S, method=lambda x, target: broken)
