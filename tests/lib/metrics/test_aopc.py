"""AOPC: the mean drop while salient patches are replaced."""

import math

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.aopc import aopc, painted_over, patch_ranks, patched
from lib.metrics.curves import Curve

from ..networks import NETWORKS, affine, brightness, images, maps, normalised

AOPC = METRICS["aopc"]
TARGET = torch.tensor([0, 1, 2, 3])


def probability(net, image, c):
    return net.model(normalised(net, image[None])).softmax(1)[0, c].item()


def one_by_one(net, image, c, S, patch, regions, fill):
    """AOPC of one image (3, H, W): each time, the most salient remaining patch is replaced."""
    H, W = S.shape
    corners = [(i, j) for i in range(0, H, patch) for j in range(0, W, patch)]
    left = {corner: S[corner[0] :, corner[1] :][:patch, :patch].sum().item() for corner in corners}
    shown, p = image.clone(), [probability(net, image, c)]
    for _ in range(min(regions, len(corners))):
        most = max(left, key=left.get)  # the first of equals
        del left[most]
        window = (..., slice(most[0], most[0] + patch), slice(most[1], most[1] + patch))
        shown[window] = fill[window]
        p.append(probability(net, shown, c))
    return sum(p[0] - q for q in p) / len(p)


@torch.no_grad()
@pytest.mark.parametrize(
    ("size", "patch", "regions"),
    [((16, 16), 4, 5), ((16, 16), 5, 9), ((13, 18), 4, 20), ((16, 16), 3, 100)],
)
def test_as_patch_by_patch(size, patch, regions):
    net, x, S = affine(), images(size=size), maps(size=size)
    for replacement in ("black", "mean"):
        fill = torch.zeros_like(x) if replacement == "black" else net.mean.expand_as(x)
        options = {"patch": patch, "regions": regions, "replacement": replacement}
        want = [one_by_one(net, x[i], TARGET[i], S[i], patch, regions, fill[i]) for i in range(4)]
        assert AOPC.fn(net, x, TARGET, S, **options).tolist() == pytest.approx(want, abs=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("network", NETWORKS)
def test_as_patch_by_patch_on_any_network(network):
    net, x, S = NETWORKS[network](), images(), maps()
    black = torch.zeros_like(x)
    want = [one_by_one(net, x[i], TARGET[i], S[i], 4, 6, black[i]) for i in range(4)]
    got = AOPC.fn(net, x, TARGET, S, patch=4, regions=6)
    assert got.tolist() == pytest.approx(want, abs=1e-12)


def windows_one_by_one(net, image, c, S, patch, regions):
    """RegionPerturbation of Quantus: greedy windows anywhere that do not overlap. It gives the drop
    after each window, without the initial zero."""
    H, W = S.shape
    corners = [(i, j) for i in range(H - patch + 1) for j in range(W - patch + 1)]
    corners.sort(key=lambda at: -S[at[0] : at[0] + patch, at[1] : at[1] + patch].sum().item())
    taken, shown, drops = [], image.clone(), []
    for i, j in corners:
        if len(taken) < regions and all(max(abs(i - a), abs(j - b)) >= patch for a, b in taken):
            taken.append((i, j))
            shown[:, i : i + patch, j : j + patch] = 0
            drops.append(probability(net, image, c) - probability(net, shown, c))
    return drops


@torch.no_grad()
def test_as_quantus_where_windows_fall_on_the_grid():
    """Three patches do not touch. The mean is over k = 1 to L in Quantus, over k = 0 to L here."""
    net, x, S = affine(), images(1), torch.zeros(1, 16, 16, dtype=torch.float64)
    for value, (i, j) in zip((0.7, 1.0, 0.4), ((0, 0), (4, 8), (12, 4))):
        S[0, i : i + 4, j : j + 4] = value
    drops = windows_one_by_one(net, x[0], 1, S[0], patch=4, regions=3)
    assert len(drops) == 3 and min(map(abs, drops)) > 1e-4
    got = AOPC.fn(net, x, 1, S, patch=4, regions=3)
    assert got.item() == pytest.approx(sum(drops) / 4)
    curve = patched(net, x, torch.tensor([1]), S, patch=4, regions=3)
    p = curve.probability[0]
    assert (p[0] - p[1:]).tolist() == pytest.approx(drops)


def test_by_hand():
    curve = Curve(torch.zeros(3), torch.tensor([[0.9, 0.6, 0.3], [0.2, 0.2, 0.5]]))
    assert aopc(curve).tolist() == pytest.approx([0.3, -0.1])


def test_closed_form_on_brightness():
    """Each patch takes a sixteenth of a white image's brightness, in any order."""
    white = torch.ones(2, 3, 16, 16, dtype=torch.float64)
    got = AOPC.fn(brightness(gain=4.0, shift=1.0), white, 0, maps(2), patch=4, regions=8)
    p = [1 / (1 + math.exp(1 - 4 * (1 - k / 16))) for k in range(9)]
    assert got.tolist() == pytest.approx([sum(p[0] - q for q in p) / 9] * 2)
    against = AOPC.fn(brightness(gain=-4.0), white, 0, maps(2), patch=4, regions=8)
    assert (against < -0.01).all()  # this class prefers black


def test_the_right_patches_come_first():
    x = torch.zeros(2, 3, 16, 16, dtype=torch.float64)
    x[..., :4, :] = 1
    S = torch.stack([x[0, 0], 1 - x[0, 0]])
    right, wrong = AOPC.fn(brightness(), x, 0, S, patch=4, regions=4).tolist()
    assert right > 0.02 and wrong == 0
    assert AOPC.higher_is_better


def test_only_the_order_of_the_patches_counts():
    net, x, S = affine(), images(), maps()
    want = AOPC.fn(net, x, TARGET, S, patch=4)
    assert torch.equal(AOPC.fn(net, x, TARGET, 0.3 + S / 2, patch=4), want)
    within = S.unflatten(1, (4, 4)).unflatten(3, (4, 4)).flip(2, 4).flatten(3).flatten(1, 2)
    assert not torch.equal(within, S)
    assert torch.equal(AOPC.fn(net, x, TARGET, within, patch=4), want)


def test_ranks_of_patches_by_hand():
    S = torch.zeros(1, 3, 5)
    S[0, 0, 0], S[0, 2, 4], S[0, 1, 2] = 0.2, 0.9, 0.5  # top left, bottom right, top middle
    rank = patch_ranks(S, 2)
    assert rank.tolist() == [[[2, 2, 1, 1, 3], [2, 2, 1, 1, 3], [4, 4, 5, 5, 0]]]


def test_equal_patches_in_raster_order():
    rank = patch_ranks(torch.ones(1, 64, 64), 4)
    assert torch.equal(rank[0, ::4, ::4].flatten(), torch.arange(256))


def test_a_patch_of_the_last_row_weighs_its_own_pixels_only():
    S = torch.full((1, 5, 4), 0.5)
    S[0, 4] = 0.9  # four pixels of 0.9 against sixteen of 0.5
    assert patch_ranks(S, 4)[0, :, 0].tolist() == [0, 0, 0, 0, 1]


def test_an_image_of_few_patches_has_them_all_replaced():
    net, x = affine(), images()
    curve = patched(net, x, TARGET, maps(), patch=10, regions=10)
    assert curve.fraction.tolist() == [0, 0.25, 0.5, 0.75, 1]
    black = [probability(net, torch.zeros(3, 16, 16).double(), c) for c in TARGET]
    assert curve.probability[:, -1].tolist() == pytest.approx(black)


def test_the_papers_setting_is_the_default():
    assert AOPC.options["patch"] == 14 and AOPC.options["regions"] == 10
    curve = patched(affine(), images(1, (28, 84)), torch.tensor([0]), maps(1, (28, 84)))
    assert curve.fraction.tolist() == pytest.approx([k / 12 for k in range(11)])


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_chunks_change_nothing(chunk):
    net, x, S = affine(), images(), maps()
    want = AOPC.fn(net, x, TARGET, S, patch=4, replacement="uniform")
    got = AOPC.fn(net, x, TARGET, S, patch=4, replacement="uniform", chunk=chunk)
    assert torch.allclose(got, want, atol=1e-12)


def test_all_steps_of_all_images_share_passes():
    net, seen = affine(), []
    net.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    AOPC.fn(net, images(), TARGET, maps(), patch=4)
    assert seen == [4 * 11]


def test_random_colours_belong_to_the_image_and_the_seed():
    net, x, S = affine(), images(), maps()

    def value(index, **options):
        return AOPC.fn(net, x[index], TARGET[index], S[index],
                       patch=4, replacement="uniform", **options)  # fmt: skip

    want, order = value(torch.arange(4)), torch.tensor([3, 1, 0, 2])
    assert torch.equal(value(torch.arange(4)), want)
    assert torch.allclose(value(order), want[order], atol=1e-12)
    assert torch.allclose(value(torch.tensor([2])), want[2:3], atol=1e-12)
    assert (value(torch.arange(4), seed=1) - want).abs().min() > 1e-6
    assert (AOPC.fn(net, x, TARGET, S, patch=4) - want).abs().min() > 1e-6
    colours = painted_over(net, x, "uniform", seed=0)
    assert (colours[0] - colours[1]).abs().mean() == pytest.approx(1 / 3, abs=0.02)


def test_random_colours_are_uniform():
    """On average, random colours leave half of the brightness that black removes."""
    net, white = brightness(gain=4.0, shift=1.0), torch.ones(1, 3, 160, 160, dtype=torch.float64)
    options = {"patch": 40, "regions": 16, "replacement": "uniform"}
    curve = patched(net, white, torch.tensor([0]), maps(1, (160, 160)), **options)
    p = [1 / (1 + math.exp(1 - 4 * (1 - k / 32))) for k in range(17)]
    assert curve.probability[0].tolist() == pytest.approx(p, abs=5e-3)


@pytest.mark.parametrize("option", ["patch", "regions", "chunk"])
def test_counts_are_at_least_one(option):
    with pytest.raises(ValueError, match=f"{option} is at least 1, got 0"):
        AOPC.fn(affine(), images(), 0, maps(), **{option: 0})


def test_an_unknown_replacement_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="replacement 'grey'; valid: black, mean, uniform"):
        AOPC.fn(affine(), images(), 0, maps(), replacement="grey")
