"""The rule LRP-0, for each kind of step."""

import pytest
import torch
from torch.nn import functional as F

from lib.methods.lrp import LRP0


def slopes(step, t):
    t = torch.tensor(t, dtype=torch.float64, requires_grad=True)
    with LRP0():
        value = step(t)
    return torch.autograd.grad(value.sum(), t)[0].flatten().tolist()


def test_the_slope_is_that_of_the_ray_through_the_value():
    assert slopes(F.relu6, [9.0, 3.0, -2.0, 0.0]) == pytest.approx([2 / 3, 1, 0, 0])


def test_all_goes_to_the_maximum():
    assert slopes(lambda t: F.max_pool2d(t.view(1, 1, 1, 2), (1, 2)), [-3.0, -1.0]) == [0, 1]


def test_factors_share_a_product_and_a_constant_takes_nothing():
    assert slopes(lambda t: t[:1] * t[1:], [3.0, 5.0]) == [2.5, 1.5]
    scale = torch.tensor([2.0, -1.0], dtype=torch.float64)
    for step in (lambda t: t * scale, lambda t: scale * t, lambda t: t / (1 / scale)):
        assert slopes(step, [3.0, 5.0]) == [2, -1]


@pytest.mark.parametrize(
    "step",
    [
        lambda t: t.reshape(2, 2).T.flatten()[1:], lambda t: torch.cat([t, 3 - t]), lambda t: 2 * t - 1,
        lambda t: F.linear(t, torch.ones(2, 4).double()), lambda t: t.view(1, 1, 2, 2).mean((2, 3)),
        lambda t: t @ torch.ones(4).double(), lambda t: F.avg_pool2d(t.view(1, 1, 2, 2), 2),
    ],
)  # fmt: skip
def test_affine_steps_keep_their_slopes(step):
    t = torch.rand(4, dtype=torch.float64, requires_grad=True)
    (want,) = torch.autograd.grad(step(t).sum(), t)
    assert slopes(step, t.tolist()) == want.tolist()


@pytest.mark.parametrize(
    "step, name",
    [
        (lambda t: t.softmax(0), "softmax"), (lambda t: t @ t, "matmul"), (lambda t: 1 / t, "r(true)?div"),
        (lambda t: t / t.sum(), "(true)?div"), (lambda t: F.layer_norm(t, (4,)), "layer_norm"),
        (lambda t: t**3, "pow"),
    ],
)  # fmt: skip
def test_a_step_without_a_rule_is_named_with_the_remedy(step, name):
    with pytest.raises(
        ValueError,
        match=f"no rule for the step '{name}'.*: take .*, such as shap_cam or grad_cam; or ",
    ):
        slopes(step, [1.0, 2.0, 3.0, 4.0])


def test_a_step_without_a_rule_that_nothing_flows_through_is_none_of_its_business():
    constant = torch.ones(4).double()
    assert slopes(lambda t: t * constant.softmax(0), [1.0, 2.0, 3.0, 4.0]) == [0.25] * 4
