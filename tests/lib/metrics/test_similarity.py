"""The measures of the sanity check: closed forms, invariances, flat maps, and the long table."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import pearsonr

from lib import data
from lib.evaluate import COLUMNS, compare
from lib.metrics import similarity
from lib.metrics.similarity import (
    SIMILARITIES,
    correlation,
    hog_similarity,
    rank_correlation,
    rank_correlation_absolute,
    similarities,
    ssim,
)
from lib.nets import cascade
from lib.saliency import attribute

from .. import networks

ALL = [correlation, *(getattr(similarity, name) for name in SIMILARITIES)]
SIDE = 64


@pytest.fixture(scope="module")
def S() -> torch.Tensor:
    """Smooth maps (3, H, W) in [0, 1]."""
    return networks.images(3, (SIDE, SIDE))[:, 0]


@pytest.fixture(scope="module")
def R() -> torch.Tensor:
    return networks.images(3, (SIDE, SIDE), seed=7)[:, 0]


@pytest.mark.parametrize("measure", ALL, ids=lambda f: f.__name__)
class TestAll:
    def test_a_map_is_like_itself(self, measure, S):
        assert torch.allclose(measure(S, S), torch.ones(3).double())

    def test_it_is_symmetric_and_smaller_for_others(self, measure, S, R):
        there, back = measure(S, R), measure(R, S)
        assert torch.allclose(there, back) and there.shape == (3,)
        assert there.dtype == torch.float64 and (there < 0.9).all() and (there >= -1).all()

    def test_each_pair_stands_alone(self, measure, S, R):
        assert torch.equal(measure(S, R)[1:2], measure(S[1:2], R[1:2]))

    def test_two_flat_maps_are_alike(self, measure, S):
        flat = torch.zeros(1, SIDE, SIDE)
        assert measure(flat, flat).tolist() == [1]

    def test_maps_that_do_not_fit_are_named(self, measure, S):
        with pytest.raises(ValueError, match=r"one shape \(B, H, W\), got \(3, 64, 64\) and \(2"):
            measure(S, S[:2])
        broken = S.clone()
        broken[2, 0, 0] = torch.nan
        with pytest.raises(ValueError, match="map 2 of the batch holds NaN"):
            measure(S, broken)


@pytest.mark.parametrize("measure", ALL[:3], ids=lambda f: f.__name__)
def test_a_flat_map_is_unlike_any_other(measure, S):
    flat = torch.zeros_like(S)
    assert measure(S, flat).tolist() == measure(flat, S).tolist() == [0, 0, 0]


def test_ssim_of_two_constants_is_that_of_their_means():
    a, b = torch.full((1, SIDE, SIDE), 0.2), torch.full((1, SIDE, SIDE), 0.8)
    want = (2 * 0.2 * 0.8 + 0.01**2) / (0.2**2 + 0.8**2 + 0.01**2)
    assert ssim(a, b).item() == pytest.approx(want, rel=1e-6)


def test_ssim_is_that_of_its_equation():
    """SSIM by plain convolutions with a Gaussian, over the windows inside the map."""
    S, R = (networks.images(1, (20, 20), seed)[0, 0] for seed in (1, 2))
    line = torch.exp(-0.5 * (torch.arange(-5.0, 6.0).double() / 1.5) ** 2)
    kernel = (line[:, None] * line / line.sum() ** 2)[None, None]

    def blur(x):
        return torch.nn.functional.conv2d(x[None, None], kernel)[0, 0]

    m, r = blur(S), blur(R)
    cov, both = blur(S * R) - m * r, blur(S * S) - m * m + blur(R * R) - r * r
    c1, c2 = 0.01**2, 0.03**2
    want = (2 * m * r + c1) * (2 * cov + c2) / ((m * m + r * r + c1) * (both + c2))
    assert ssim(S[None], R[None]).item() == pytest.approx(want.mean().item(), rel=1e-6)


def test_ranks_only_count(S):
    assert torch.allclose(rank_correlation(S, (5 * S).exp()), torch.ones(3).double())
    assert torch.allclose(rank_correlation(S, -S), -torch.ones(3).double())


def test_ties_share_their_rank():
    a = torch.tensor([[[0.0, 0.0], [1.0, 2.0]]])
    b = torch.tensor([[[0.0, 1.0], [2.0, 3.0]]])
    ranks = np.corrcoef([1.5, 1.5, 3, 4], [1, 2, 3, 4])[0, 1]
    assert rank_correlation(a, b).item() == pytest.approx(ranks)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_correlation_is_pearsons(dtype):
    S, T = networks.maps().to(dtype), networks.maps(seed=7).to(dtype)
    T[1] = 1 - S[1]
    T[2] = 0.2 + S[2] / 2
    want = [pearsonr(a.flatten(), b.flatten()).statistic for a, b in zip(S.numpy(), T.numpy())]
    assert correlation(S, T).tolist() == pytest.approx(want, abs=1e-6)
    assert want[1] == pytest.approx(-1) and want[2] == pytest.approx(1)
    small = np.float64(1e-6) * S
    assert correlation(small.to(dtype), T).tolist() == pytest.approx(want, abs=1e-4)


def test_absolute_values_forget_the_sign_and_change_no_positive_map(S, R):
    signed = S - 0.5
    assert torch.allclose(rank_correlation_absolute(signed, -signed), torch.ones(3).double())
    assert torch.equal(rank_correlation_absolute(S, R), rank_correlation(S, R))
    assert not torch.allclose(
        rank_correlation_absolute(signed, R - 0.5), rank_correlation(signed, R - 0.5)
    )


def test_hog_sees_edges_whatever_their_strength():
    left, top = torch.zeros(2, 1, SIDE, SIDE)
    left[:, :, 28:] = 1
    top[:, 28:] = 1
    assert hog_similarity(left, 0.5 * left).item() == pytest.approx(1, abs=1e-4)
    assert hog_similarity(left, 1 - left).item() == pytest.approx(1)
    assert hog_similarity(left, top).item() < 0.2


def test_hog_takes_cells_of_sixteen_pixels(S, R):
    assert torch.equal(hog_similarity(S, R), hog_similarity(S, R, cell=16))
    assert not torch.allclose(hog_similarity(S, R), hog_similarity(S, R, cell=8))


@pytest.mark.parametrize("measure, least", [(hog_similarity, 48), (ssim, 11)])
def test_maps_that_are_too_small_are_refused(measure, least):
    small = torch.rand(1, least - 1, 100)
    with pytest.raises(ValueError, match=f"at least {least} x {least} pixels, got .1, {least - 1}"):
        measure(small, small)


def test_a_raw_map_that_is_flat_stays_flat_when_it_is_enlarged(S):
    raw = torch.full((3, 7, 7), 0.1)
    found = similarities((raw, torch.zeros_like(S)), (S[:, ::9, ::9], S))
    assert found["rank_correlation"].tolist() == [0, 0, 0]


# The long table ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images() -> data.Dataset:
    scenes = data.load("scenes", split="test", size=48)[:3]
    return replace(scenes, classes=None).relabelled(range(3))  # a network has five classes


METHODS = {"grad_cam": ("grad_cam", {}), "fake": ("fake_cam", {})}


def compared(images, **options) -> pd.DataFrame:
    net = networks.wrap(networks.seeded(networks.Affine(channels=3)).float())
    return compare(net, cascade(net, 2), images, METHODS, **options)


def test_one_row_an_image_a_method_a_measure_and_a_network(images):
    frame = compared(images)
    assert list(frame.columns) == [*COLUMNS, "other"]
    assert len(frame) == 3 * len(METHODS) * len(SIMILARITIES) * 3
    assert set(frame["metric"]) == set(SIMILARITIES) and set(frame["other"]) == {0, 1, 2}
    assert set(frame["network"]) == {"network"} and not frame["value"].isna().any()
    assert (frame["image"].unique() == list(images.ids)).all()


def test_a_network_is_like_itself_and_a_method_that_does_not_look_is_like_itself(images):
    frame = compared(images)
    assert np.allclose(frame.query("other == 0 or method == 'fake'")["value"], 1)
    assert frame.query("other == 2 and method == 'grad_cam'")["value"].mean() < 0.9


def test_each_map_is_computed_once(images, monkeypatch):
    explained = []

    def note(method, net, x, target, **options):
        explained.extend(x)
        return attribute(method, net, x, target, **options)

    monkeypatch.setattr("lib.shard.attribute", note)
    compared(images)
    assert len(explained) == 3 * len(METHODS) * len(images)


def test_an_image_without_a_map_has_its_error_and_costs_no_other(images, monkeypatch):
    whole = compared(images)

    def refuse(method, net, x, target, **options):
        if method == "grad_cam" and (target == 1).any():
            raise ValueError("no map of class 1")
        return attribute(method, net, x, target, **options)

    monkeypatch.setattr("lib.shard.attribute", refuse)
    frame = compared(images)
    lost = frame["error"].notna()
    expected = (frame["method"] == "grad_cam") & (frame["image"] == images.ids[1])
    assert (lost == expected).all() and set(frame["error"][lost]) == {"no map of class 1"}
    assert frame["value"][lost].isna().all()
    pd.testing.assert_frame_equal(frame[~lost][COLUMNS[:-1]], whole[~lost][COLUMNS[:-1]])


def test_maps_come_from_the_store(images, tmp_path):
    first = compared(images, store=tmp_path / "store")
    files = sorted((tmp_path / "store").rglob("*.safetensors"))
    second = compared(images, store=tmp_path / "store", batch_size=2)
    assert files and files == sorted((tmp_path / "store").rglob("*.safetensors"))
    pd.testing.assert_frame_equal(first, second)


def test_correlation_is_that_of_the_values(S, R):
    expected = [np.corrcoef(s.ravel(), r.ravel())[0, 1] for s, r in zip(S.numpy(), R.numpy())]
    assert np.allclose(correlation(S, R), expected)
    assert torch.allclose(correlation(S, 3 - 2 * S), -torch.ones(3).double())
