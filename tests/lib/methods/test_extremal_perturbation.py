"""ExtremalPerturbation: smooth masks of a given area, optimised for each image."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lib import nets
from lib.errors import UnknownName
from lib.methods.extremal_perturbation import (
    DAMPING,
    GROWTH,
    REWARDS,
    TIE,
    WEIGHT,
    Pyramid,
    SmoothMasks,
    area_error,
    extremal_perturbation,
)
from lib.selectors import SELECTORS

from ..networks import NETWORKS, affine, images, maps, non_linear

TARGET = torch.tensor([0, 1, 2, 3])
FEW = {"areas": (0.1, 0.3), "iterations": 8, "learning_rate": 0.1, "step": 2}


# ------------------------------------------------------------------------------------ as printed


def blurred(image, sigma):
    """The Gaussian blur of an image (1, 3, H, W), as one wide convolution over its own pixels."""
    if sigma == 0:
        return image
    reach = max(image.shape[2:])
    ray = torch.exp(-(torch.arange(-reach, reach + 1, dtype=image.dtype) ** 2) / (2 * sigma**2))
    kernel = torch.outer(ray, ray)[None, None]
    total = F.conv2d(torch.ones_like(image[:, :1]), kernel, padding=reach)
    return F.conv2d(image.transpose(0, 1), kernel, padding=reach).transpose(0, 1) / total


def levels_of(image, levels, widest):
    """The image at each level, from no blur to the widest."""
    return [blurred(image, widest * level / (levels - 1)) for level in range(levels)]


def perturbed(stack, m):
    """The perturbed image: at each pixel, the blur level that the mask gives."""
    out = 0
    for level, image in enumerate(stack):
        near = (1 - ((1 - m) * (len(stack) - 1) - level).abs()).clamp_min(0)
        out = out + near * image
    return out


def smooth(grid, size, sigma, T):
    """The mask: at each node the smooth maximum of the nodes within reach; the border is repeated."""
    h, w = grid.shape
    reach = math.ceil(5 * sigma)
    y, x = (torch.arange(-reach, n + reach, dtype=grid.dtype) for n in (h, w))
    around = grid[y.clamp(0, h - 1).long()][:, x.clamp(0, w - 1).long()].flatten()
    nodes = torch.cartesian_prod(y, x)
    here = torch.cartesian_prod(y[reach:-reach], x[reach:-reach])[:, None]
    distance = (here - nodes).norm(dim=-1)  # (nodes, nodes with their padding)
    within = (here - nodes).abs().amax(-1) <= reach
    f = torch.exp(-((distance / sigma - 1).clamp_min(0) ** 2) / 4) * around
    e = torch.exp(f / T) * within
    m = ((f * e).sum(1) / e.sum(1)).view(1, 1, h, w)
    return F.interpolate(m, size, mode="bilinear", align_corners=False)[0, 0]


def sorted_error(m, a):
    """The error of the sorted mask against zeros, then ones; equal pixels share template values."""
    m = m.flatten()
    n, count = len(m), round(a * len(m))
    order = m.argsort()
    r = torch.empty_like(m)
    r[order] = torch.cat([m.new_zeros(n - count), m.new_ones(count)])
    tied = (m - m[order[n - count]]).abs() <= TIE
    r[tied] = r[tied].mean()
    return (m - r).square().mean()


def textbook(
    net, image, c, a, reward="preserve", selector="logit", iterations=8, learning_rate=0.01, shrink=0,
    step=2, sigma=1.0, temperature=0.05, blur=None, levels=8,
):  # fmt: skip
    """The mask of one image for one area."""
    size = image.shape[2:]
    widest = 20 / 224 * min(size) if blur is None else blur
    stack = levels_of(image, levels, widest)
    grid = torch.ones([-(-n // step) for n in size], dtype=image.dtype)
    mean = square = 0
    for t in range(iterations):
        grid.requires_grad_()
        m = smooth(grid, size, sigma, temperature)
        keep = SELECTORS[selector](net(perturbed(stack, m)), c)[0]
        rest = SELECTORS[selector](net(perturbed(stack, 1 - m)), c)[0]
        value = {"preserve": keep, "delete": -rest, "hybrid": keep - rest}[reward]
        now = a ** min(1, (t + 1) / (shrink * iterations)) if shrink else a
        value = value - WEIGHT * GROWTH ** (t / iterations) * sorted_error(m, now)
        g = torch.autograd.grad(value, grid)[0]
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        first, second = mean / (1 - 0.9 ** (t + 1)), square / (1 - 0.999 ** (t + 1))
        step_taken = learning_rate * first / (second.sqrt() + DAMPING)
        grid = (grid.detach() + step_taken).clamp(0, 1)
    return smooth(grid, size, sigma, temperature)


def means(net, x, target, areas, **options):
    """The textbook's masks, averaged over areas."""
    return torch.stack([
        sum(textbook(net, x[i : i + 1], target[i : i + 1], a, **options) for a in areas) / len(areas)
        for i in range(len(x))
    ])  # fmt: skip


@pytest.mark.parametrize("network", ["non_linear", "residual"])
def test_as_one_image_and_one_area_at_a_time(network):
    net, x = NETWORKS[network](), images(2)
    want = means(net, x, TARGET[:2], FEW["areas"], learning_rate=FEW["learning_rate"])
    assert want.std() > 0.02, "a test of the optimisation needs masks that have a shape"
    assert torch.allclose(extremal_perturbation(net, x, TARGET[:2], **FEW), want, atol=1e-8)


@pytest.mark.parametrize(
    "option",
    [
        *({"reward": name} for name in REWARDS[1:]),
        *({"selector": name} for name in list(SELECTORS)[1:]),
        {"learning_rate": 0.03},
        {"shrink": 0.75},
        {"step": 3},
        {"sigma": 0.7},
        {"temperature": 0.2},
        {"blur": 5.0},
        {"levels": 3},
    ],
    ids=str,
)
def test_options(option):
    net, x = non_linear(), images(1)
    usual = {"iterations": 6, "learning_rate": 0.1, "step": 2}
    options = usual | option
    want = means(net, x, TARGET[:1], (0.2,), **options)
    found = extremal_perturbation(net, x, TARGET[:1], areas=(0.2,), **options)
    assert torch.allclose(found, want, atol=1e-8)
    plain = extremal_perturbation(net, x, TARGET[:1], areas=(0.2,), **usual)
    assert not torch.allclose(found, plain, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_change_nothing(chunk):
    net, x = non_linear(), images()
    want = extremal_perturbation(net, x, TARGET, **FEW)
    assert torch.allclose(
        extremal_perturbation(net, x, TARGET, **FEW, chunk=chunk), want, atol=1e-9
    )


def test_areas_are_averaged():
    net, x = non_linear(), images(2)
    one, other = (
        extremal_perturbation(net, x, TARGET[:2], **FEW | {"areas": (a,)}) for a in FEW["areas"]
    )
    both = extremal_perturbation(net, x, TARGET[:2], **FEW)
    assert torch.allclose(both, (one + other) / 2, atol=1e-9)


# ------------------------------------------------------------------------------ what it finds


class Detail(nn.Module):
    """A network whose first logit measures the amount of fine structure in the image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1, padding_mode="replicate", bias=False)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1, 2, bias=False)
        laplace = torch.tensor([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]])
        with torch.no_grad():
            self.conv.weight.copy_(laplace.expand(1, 3, 3, 3))
            self.classifier.weight.copy_(torch.tensor([[20.0], [0.0]]))

    def forward(self, x):
        return self.classifier(self.pool(self.act(self.conv(x))).flatten(1))


def with_structure_in_a_corner():
    """Grey images (2, 3, 32, 32) with noise in the upper left or the lower right quarter."""
    generator = torch.Generator().manual_seed(0)
    x = torch.full((2, 3, 32, 32), 0.5)
    noise = torch.rand(2, 1, 16, 16, generator=generator)
    x[0, :, :16, :16], x[1, :, 16:, 16:] = noise[0], noise[1]
    return x


@pytest.mark.parametrize("reward", REWARDS)
def test_the_mask_lies_where_the_evidence_is_and_has_its_area(reward):
    net, x = nets.wrap(Detail(), "act", input_size=32), with_structure_in_a_corner()
    target = torch.zeros(2, dtype=torch.long)
    options = {"areas": (0.2,), "iterations": 60, "learning_rate": 0.05, "reward": reward}
    m = extremal_perturbation(net, x, target, **options)
    inside = torch.stack([m[0, :16, :16].mean(), m[1, 16:, 16:].mean()])
    assert (inside > 0.5 * m.sum((1, 2)) / 256).all() and (inside > 0.4).all()
    assert ((m > 0.5).double().mean((1, 2)) - 0.2).abs().max() < 0.06
    assert m.min() >= 0 and m.max() <= 1


def test_no_iteration_leaves_the_whole_image():
    m = extremal_perturbation(affine(), images(2), TARGET[:2], iterations=0)
    assert m.min() > 0.95


# ------------------------------------------------------------------------------------- masks


def family(size=(20, 26), step=2, sigma=1.0, temperature=0.05):
    return SmoothMasks(images(1, size), step, sigma, temperature)


def test_grids_cover_the_image():
    assert family().grid == (10, 13) and family((7, 5), step=2).grid == (4, 3)
    assert SmoothMasks(torch.zeros(1, 3, 224, 224), None, 1.0, 0.05).grid == (32, 32)
    assert family((16, 24), step=None).grid == (16, 24)


def test_masks_stay_within_their_grids():
    smooth = family()
    m = smooth(torch.rand(3, *smooth.grid, dtype=torch.float64))
    assert m.shape == (3, 20, 26) and m.min() >= 0 and m.max() <= 1
    assert smooth(torch.zeros(1, *smooth.grid).double()).abs().max() == 0


def test_a_flat_grid_is_a_flat_mask():
    m = family()(torch.full((1, 10, 13), 0.8, dtype=torch.float64))
    assert m.max() - m.min() < 1e-12 and 0.75 < m.mean() < 0.8


def test_a_cold_smooth_maximum_is_the_maximum():
    smooth = family(step=1, temperature=1e-4)
    grid = torch.zeros(1, *smooth.grid, dtype=torch.float64)
    grid[0, 10, 6], grid[0, 4, 20] = 1, 0.5
    m = smooth(grid)[0]
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(26.0), indexing="ij")

    def bump(i, j):
        distance = ((y - i) ** 2 + (x - j) ** 2).double().sqrt()
        near = ((y - i).abs() <= 5) & ((x - j).abs() <= 5)
        return torch.exp(-((distance - 1).clamp_min(0) ** 2) / 4) * near

    assert torch.allclose(m, torch.maximum(bump(10, 6), 0.5 * bump(4, 20)), atol=1e-3)
    assert m[10, 6] == m[10, 7] == pytest.approx(1)  # at the flat top


def test_a_hot_smooth_maximum_is_the_mean():
    smooth = family(step=1, temperature=1e6)
    grid = torch.rand(1, *smooth.grid, dtype=torch.float64)
    wider = F.pad(grid[None], [5] * 4, mode="replicate")
    want = F.conv2d(wider, smooth.kernel.view(1, 1, 11, 11))[0] / 121
    assert torch.allclose(smooth(grid), want, atol=1e-5)


@pytest.mark.parametrize("a", [0.01, 0.3, 0.9])
def test_the_area_error_is_that_of_the_sorted_mask(a):
    m = maps(3)
    template = torch.cat([torch.zeros(256 - round(a * 256)), torch.ones(round(a * 256))])
    want = (m.flatten(1).sort(1).values - template).square().mean(1)
    assert torch.allclose(area_error(m, torch.full((3,), a)), want, atol=1e-12)


def test_a_mask_of_its_area_has_no_error_and_others_have():
    m = torch.zeros(3, 10, 10)
    m[:, :3] = 1
    assert area_error(m, torch.tensor([0.3, 0.2, 0.5])).tolist() == pytest.approx([0, 0.1, 0.2])


def test_a_flat_mask_is_drawn_evenly():
    m = torch.full((1, 10, 10), 0.7, dtype=torch.float64)
    m.requires_grad_()
    error = area_error(m, torch.tensor([0.2]))
    assert error.item() == pytest.approx(0.8 * 0.49 + 0.2 * 0.09)
    [g] = torch.autograd.grad(error.sum(), m)
    assert torch.allclose(g, torch.full_like(g, 2 * (0.7 - 0.2) / 100))


# ------------------------------------------------------------------------------- perturbation


def test_a_full_mask_changes_nothing_and_an_empty_one_blurs_most():
    x = images(3, (20, 26))
    pyramid, index = Pyramid(x, 8, 4.0), torch.tensor([0, 2])
    ones = torch.ones(2, 20, 26, dtype=torch.float64)
    assert torch.equal(pyramid(index, ones), x[index])
    want = torch.cat([blurred(x[i : i + 1], 4.0) for i in index])
    assert torch.allclose(pyramid(index, 0 * ones), want, atol=1e-12)


def test_perturbation_is_linear_between_levels():
    x, m = images(2, (20, 26)), maps(2, (20, 26))
    want = torch.cat([perturbed(levels_of(x[i : i + 1], 5, 3.0), m[i]) for i in range(2)])
    assert torch.allclose(Pyramid(x, 5, 3.0)(torch.arange(2), m), want, atol=1e-12)


def test_an_image_of_one_colour_cannot_be_perturbed():
    x = torch.full((1, 3, 16, 16), 0.3, dtype=torch.float64)
    assert torch.allclose(Pyramid(x, 8, None)(torch.tensor([0]), maps(1)), x, atol=1e-12)


# -------------------------------------------------------------------------------- bad options


@pytest.mark.parametrize(
    "options, message",
    [
        ({"areas": ()}, r"areas are fractions of the image, between 0 and 1, got \(\)"),
        ({"areas": (0.1, 1.0)}, r"areas are fractions .* got \(0.1, 1.0\)"),
        ({"areas": (0.0,)}, "areas are fractions"),
        ({"iterations": -1}, "iterations is at least 0, got -1"),
        ({"shrink": 1.5}, r"shrink is a share of the iterations, in \[0, 1\], got 1.5"),
        ({"levels": 1}, "levels is at least 2, got 1"),
        ({"step": 0}, "step is at least 1, got 0"),
        ({"chunk": 0}, "chunk is at least 1, got 0"),
        ({"sigma": 0.0}, "sigma and temperature are positive, got 0.0 and 0.05"),
        ({"temperature": -1.0}, "sigma and temperature are positive, got 1.0 and -1.0"),
        ({"blur": 0.0}, "blur is positive, got 0.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        extremal_perturbation(affine(), images(), TARGET, **options)


def test_an_unknown_reward_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="'keep'.*preserve"):
        extremal_perturbation(affine(), images(), TARGET, reward="keep")
