"""Selectors: what score an explanation explains."""

import math

import pytest
import torch

from lib.errors import UnknownName
from lib.selectors import SELECTORS, log_probability, logit, margin, probability, select

Y = torch.tensor([[0.1, 0.2, 0.5], [0.6, 0.1, 0.3]]).double().log()
C = torch.tensor([1, 0])


@pytest.mark.parametrize(
    "selector, want",
    [
        (logit, [math.log(0.2), math.log(0.6)]),
        (probability, [2 / 8, 6 / 10]),
        (log_probability, [math.log(2 / 8), math.log(6 / 10)]),
        (margin, [math.log(2 / 5), math.log(6 / 3)]),
    ],
)
def test_by_hand(selector, want):
    assert selector(Y, C).tolist() == pytest.approx(want)


@pytest.mark.parametrize("name", SELECTORS)
def test_gradients_are_right(name):
    y = Y.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: select(name)(y, C), y)


@pytest.mark.parametrize("name", SELECTORS)
def test_a_constant_added_to_all_logits_moves_the_logit_only(name):
    moved = select(name)(Y + 3, C) - select(name)(Y, C)
    assert torch.allclose(moved, torch.full_like(moved, 3.0 if name == "logit" else 0.0))


def test_the_log_of_a_vanishing_probability_is_finite():
    y = torch.tensor([[0.0, 500.0]])
    assert log_probability(y, torch.tensor([0])).item() == -500


def test_the_margin_is_positive_for_the_predicted_class_only():
    assert (margin(Y, Y.argmax(1)) > 0).all() and (margin(Y, Y.argmin(1)) < 0).all()


def test_logits_stay_as_they_were():
    y = Y.clone()
    for name in SELECTORS:
        select(name)(y, C)
    assert torch.equal(y, Y)


def test_an_unknown_selector_lists_those_there_are():
    with pytest.raises(
        UnknownName, match=r"unknown selector 'logits' \(did you mean 'logit'\?\)"
    ) as error:
        select("logits")
    assert all(name in str(error.value) for name in SELECTORS)
