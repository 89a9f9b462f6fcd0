"""The rescale rule of DeepLIFT: secants in place of gradients, for each kind of step."""

import pytest
import torch
from torch.nn import functional as F

from lib.methods.deeplift import Reference, Rescale


def slopes(step, t, t0):
    """The value of a step, and its slopes under the rule."""
    t, t0 = torch.tensor(t, dtype=torch.float64), torch.tensor(t0, dtype=torch.float64)
    with Reference() as reference:
        step(t0)
    t.requires_grad_()
    with Rescale(reference):
        value = step(t)
    (slope,) = torch.autograd.grad(value.sum(), t)
    return value.detach(), slope


@pytest.mark.parametrize(
    "step",
    [F.relu, torch.relu, torch.Tensor.relu, lambda t: F.relu(t.clone(), inplace=True),
     lambda t: t.clone().relu_(), lambda t: torch.clamp(t, min=0), lambda t: t.clamp_min(0)],
)  # fmt: skip
def test_a_rectifier_however_it_is_written(step):
    value, slope = slopes(step, [3.0, 3.0, -1.0, -1.0], [-1.0, 1.0, 3.0, -2.0])
    assert value.tolist() == [3, 3, 0, 0]
    assert slope.tolist() == [0.75, 1.0, 0.75, 0.0]


@pytest.mark.parametrize(
    "function", [F.silu, F.gelu, torch.sigmoid, torch.tanh, F.softplus, F.mish]
)
def test_where_input_and_reference_meet_it_is_the_derivative(function):
    t = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    (want,) = torch.autograd.grad(function(t).sum(), t)
    for gap in (0.0, 1e-12, 1e-9, 1e-6):
        assert slopes(function, [0.7 + gap], [0.7])[1].item() == pytest.approx(
            want.item(), abs=1e-5
        )


def test_the_larger_maximum_takes_the_difference():
    """The input's maximum takes it if it is larger, else the reference's: slopes stay in [0, 1]."""

    def step(t):
        return F.max_pool2d(t.view(1, 1, 1, 2), (1, 2))

    value, slope = slopes(step, [1.9, 3.1], [1.0, 3.0])
    assert value.item() == 3.1 and slope.tolist() == pytest.approx([0, 1])
    value, slope = slopes(step, [4.0, 3.1], [1.0, 3.0])
    assert value.item() == 4.0 and slope.tolist() == pytest.approx([1 / 3, 0])
    value, slope = slopes(step, [1.0, 0.0], [0.0, 3.0])  # the largest of the reference is gone
    assert value.item() == 1.0 and slope.tolist() == pytest.approx([0, 2 / 3])
    value, slope = slopes(step, [2.0, 1.0], [2.0, 1.0])
    assert value.item() == 2.0 and slope.tolist() == [1, 0]


def test_overlapping_pools_share_a_maximum():
    def step(t):
        return F.max_pool2d(t.view(1, 1, 1, 3), (1, 2), stride=1)

    value, slope = slopes(step, [0.0, 5.0, 1.0], [0.0, 0.0, 0.0])
    assert value.flatten().tolist() == [5, 5] and slope.tolist() == [0, 2, 0]


def test_factors_share_a_product():
    """a b - a0 b0 = (a - a0)(b + b0)/2 + (b - b0)(a + a0)/2."""
    _, slope = slopes(lambda t: t[:1] * t[1:], [3.0, 5.0], [1.0, 2.0])
    assert slope.tolist() == [3.5, 2.0]


def test_constants_in_a_product_are_constants():
    scale = torch.tensor([2.0, -1.0], dtype=torch.float64)
    assert slopes(lambda t: t * scale, [3.0, 5.0], [1.0, 2.0])[1].tolist() == [2, -1]
    assert slopes(lambda t: 4 * t, [3.0, 5.0], [1.0, 2.0])[1].tolist() == [4, 4]


class InPlace(torch.nn.Module):
    """A network that overwrites z in place and then reads it again."""

    def forward(self, t):
        z = 2 * t
        F.relu(z, inplace=True)
        z *= torch.cat([z[1:], z[:1]])
        return z


def test_what_a_step_overwrites_is_overwritten():
    t, t0 = [3.0, 5.0], [-1.0, 2.0]
    value, slope = slopes(InPlace(), t, t0)
    assert value.tolist() == [60, 60]
    want = 120 - 0  # F(t) - F(t0); at t0 one factor is zero
    assert sum(m * (a - b) for m, a, b in zip(slope.tolist(), t, t0)) == pytest.approx(want)


def test_one_reference_serves_a_batch():
    t = torch.tensor([[1.0], [-3.0]], requires_grad=True)
    with Reference() as reference:
        F.relu(torch.tensor([[-1.0]]))
    with Rescale(reference):
        (slope,) = torch.autograd.grad(F.relu(t).sum(), t)
    assert slope.tolist() == [[0.5], [0.0]]
