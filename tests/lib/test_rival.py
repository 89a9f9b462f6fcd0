"""Rivals: the class that each image is told from."""

import pytest
import torch

from lib.rival import rivals_of

TARGET = torch.tensor([4, 3, 3])


@pytest.mark.parametrize("rival", [{3: 8, 4: 9}, torch.tensor([9, 8, 8])])
def test_each_image_has_the_rival_of_its_class(rival):
    assert rivals_of(rival, TARGET).tolist() == [9, 8, 8]


def test_one_class_serves_all_images():
    assert rivals_of(7, TARGET).tolist() == [7, 7, 7]
    assert rivals_of(torch.tensor(7), TARGET).tolist() == [7, 7, 7]


@pytest.mark.parametrize("rival, problem", [
    ({4: 9}, r"class 3 has no rival: add it to the mapping \{4: 9\}"),
    ({3: 3, 4: 9}, "class 3 is its own rival"),
    (4, "class 4 is its own rival"),
    (2.0, "whole numbers, got torch.float32"),
    (torch.tensor([1, 2]), r"one class an image, \(3,\), got \(2,\)"),
])  # fmt: skip
def test_bad_rivals_are_refused(rival, problem):
    with pytest.raises(ValueError, match=problem):
        rivals_of(rival, TARGET)


@pytest.mark.parametrize("rival", [-1, 10])
def test_a_rival_is_one_of_the_classes(rival):
    with pytest.raises(ValueError, match=f"rival class {rival} is out of range.* 0 to 9"):
        rivals_of(rival, TARGET, 10)
