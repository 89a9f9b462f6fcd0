"""Supersets: the classes that are added up."""

import numpy as np
import pytest
import torch

from lib.superset import members

TARGET = torch.tensor([2, 0])
WANT = torch.tensor([[False, True, True, False], [True, False, False, False]])


@pytest.mark.parametrize(
    "superset",
    [
        {0: {0}, 1: {1, 2}, 2: {1, 2}},
        {2: [2, 1, 2], 0: (0,)},
        [{0}, {1, 2}, {1, 2}],
        ((0,), (), np.array([1, 2])),
        {0: frozenset([0]), 2: range(1, 3)},
    ],
)
def test_each_class_has_its_own(superset):
    assert torch.equal(members(superset, TARGET, 4), WANT)


@pytest.mark.parametrize("superset", [{0, 2, 3}, [0, 2, 3], (3, 2, 0), np.array([0, 2, 3])])
def test_one_for_all(superset):
    assert members(superset, TARGET, 4).tolist() == [[True, False, True, True]] * 2


@pytest.mark.parametrize(
    "superset, message",
    [
        ({0: {0}}, "class 2 has no superset: add it to the mapping"),
        ([{0}, {1}], "class 2 has no superset: the sequence has 2"),
        ({0, 1}, r"superset \[0, 1\] of class 2 does not hold it"),
        ({0, 2, 4}, "superset class 4 is out of range: there are classes 0 to 3"),
        ({-1, 0, 2}, "superset class -1 is out of range"),
        (set(), r"superset \[\] of class 2 does not hold it"),
    ],
)
def test_bad_ones(superset, message):
    with pytest.raises(ValueError, match=message):
        members(superset, TARGET, 4)
