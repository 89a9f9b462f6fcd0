"""Selectors: the score that an explanation explains."""

import math

import pytest
import torch

from lib.errors import UnknownName
from lib.selectors import (
    CONTRASTS,
    SELECTORS,
    contrast_score,
    log_probability,
    logit,
    margin,
    probability,
    select,
)  # fmt: skip

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


# -------------------------------------------------------------------------------------- contrasts

NAMES = [name for name in CONTRASTS if name != "none"]


@pytest.mark.parametrize(
    "name, want",
    [
        ("none", [3.0, -1.0]),
        ("mean", [3 - 0.5 * (1 + 2), -1 - 0.5 * (0 + 2)]),
        ("max", [3 - 2, -1 - 2]),
        ("weighted", [3 - (1 + 2 * math.e) / (1 + math.e), -1 - 2 * math.e**2 / (1 + math.e**2)]),
    ],
)
def test_contrasts_by_hand(name, want):
    y = torch.tensor([[1.0, 3.0, 2.0], [0.0, 2.0, -1.0]], dtype=torch.float64)
    assert contrast_score(name)(y, torch.tensor([1, 2])).tolist() == pytest.approx(want)


@pytest.mark.parametrize("name", NAMES)
def test_the_others_weigh_one_and_the_class_itself_nothing(name):
    y = torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    c = torch.tensor([0, 1, 2, 3, 4, 0])
    a = CONTRASTS[name](y, c)
    assert (a >= 0).all() and torch.allclose(a.sum(1), torch.ones(6).double())
    assert (a.gather(1, c[:, None]) == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_constants(name):
    """The gradient by the logits is 1 for the class and minus the weights for the others."""
    y = Y.clone().requires_grad_()
    (g,) = torch.autograd.grad(contrast_score(name)(y, C).sum(), y)
    one_hot = torch.nn.functional.one_hot(C, 3)
    assert torch.allclose(g, one_hot - CONTRASTS[name](Y, C))


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_added_to_all_logits_moves_no_contrast(name):
    assert torch.allclose(contrast_score(name)(Y + 3, C), contrast_score(name)(Y, C))


def test_the_gradient_of_the_probability_is_the_weighted_contrasts():
    y = Y.clone().requires_grad_()
    (of_p,) = torch.autograd.grad(probability(y, C).sum(), y)
    (of_contrast,) = torch.autograd.grad(contrast_score("weighted")(y, C).sum(), y)
    p = probability(Y, C)[:, None]
    assert torch.allclose(of_p, p * (1 - p) * of_contrast)


def test_the_max_contrast_is_the_margin():
    assert torch.equal(contrast_score("max")(Y, C), margin(Y, C))


def test_large_logits_do_not_overflow():
    y = torch.tensor([[1000.0, -1000.0, 999.0]])
    for name in NAMES:
        assert contrast_score(name)(y, torch.tensor([0])).isfinite().all()


def test_select_gives_the_contrast_of_the_logit_only():
    assert select("logit") is logit and select("logit", "none") is logit
    assert torch.equal(select("logit", "max")(Y, C), margin(Y, C))
    for name in set(SELECTORS) - {"logit"}:
        with pytest.raises(ValueError, match=f"contrast 'mean' is between logits, .*'{name}'"):
            select(name, "mean")
    with pytest.raises(UnknownName, match="unknown contrast 'least'; valid: none, mean, max"):
        select("logit", "least")
