"""Checks of arguments: messages name the problem and the remedy, and valid arguments pass."""

import pytest
import torch

from lib.checks import (
    as_dtype,
    check_choice,
    check_count,
    check_images,
    check_maps,
    check_options,
    check_targets,
)
from lib.errors import UnknownName

X = torch.rand(3, 3, 8, 6)
CPU = torch.device("cpu")


def holding(value, where):
    x = X.clone()
    x[where] = value
    return x


@pytest.mark.parametrize(
    "x", [X, X.double(), X.half(), torch.zeros(1, 3, 1, 1), 1.0005 * torch.ones(1, 3, 4, 4)]
)
def test_images_pass(x):
    check_images(x)


@pytest.mark.parametrize(
    "x, message",
    [
        (X[0], r"\(B, 3, H, W\), got \(3, 8, 6\): add or move a dimension"),
        (X.permute(0, 2, 3, 1), r"got \(3, 8, 6, 3\): add or move a dimension"),
        (X[:, :1], r"got \(3, 1, 8, 6\)"),
        ((X * 255).to(torch.uint8), r"got torch.uint8: divide by 255"),
        (X.long(), r"got torch.int64: divide by 255"),
        (holding(torch.nan, (1, 0, 0, 0)), "image 1 of the batch holds NaN or infinity"),
        (holding(-torch.inf, (2, 2, 7, 5)), "image 2 of the batch holds NaN or infinity"),
        (X * 255, r"in \[0, 1\], got \[.*\]: do not normalise"),
        (holding(-0.5, (0, 0, 0, 0)), r"got \[-0.5, .*\]: do not normalise"),
        (holding(1.01, (0, 0, 0, 0)), r"got \[.*, 1.01\]: do not normalise"),
    ],
)
def test_bad_images_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        check_images(x)


def test_signed_maps_reach_to_minus_one():
    S = 2 * X[:, 0] - 1
    check_maps(S, X, signed=True)
    with pytest.raises(ValueError, match=r"maps are in \[0, 1\], got \[-"):
        check_maps(S, X)
    with pytest.raises(ValueError, match=r"maps are in \[-1, 1\], got .*signed=True"):
        check_maps(2 * S, X, signed=True)


@pytest.mark.parametrize(
    "target",
    [2, torch.tensor(2), [2, 2, 2], torch.tensor([2, 2, 2]), torch.tensor([2, 2, 2]).int()],
)
def test_targets_become_one_class_an_image(target):
    got = check_targets(target, 3, 5, CPU)
    assert got.dtype == torch.long and got.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "target, message",
    [
        (5, "target class 5 is out of range: the network has classes 0 to 4"),
        (-1, "target class -1 is out of range"),
        (torch.tensor([0, 7, 9]), "target class 7 is out of range"),
        (torch.tensor([0, 1]), r"one class an image, \(3,\), got \(2,\)"),
        (torch.zeros(3, 1, dtype=torch.long), r"got \(3, 1\)"),
    ],
)
def test_bad_targets_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        check_targets(target, 3, 5, CPU)


@pytest.mark.parametrize(
    "S", [torch.rand(3, 8, 6), torch.zeros(3, 8, 6), torch.ones(3, 8, 6).double()]
)
def test_maps_pass(S):
    check_maps(S, X)


@pytest.mark.parametrize(
    "S, message",
    [
        (torch.zeros(3, 6, 8), r"\(B, H, W\) = \(3, 8, 6\), got \(3, 6, 8\)"),
        (torch.zeros(3, 1, 8, 6), r"got \(3, 1, 8, 6\): use saliency.explain"),
        (torch.zeros(2, 8, 6), r"got \(2, 8, 6\)"),
        (torch.full((3, 8, 6), torch.nan), "map of image 0 of the batch holds NaN"),
        (torch.full((3, 8, 6), 1.5), r"in \[0, 1\], got \[1.5, 1.5\]: use saliency.explain"),
        (torch.full((3, 8, 6), -0.5), r"in \[0, 1\], got \[-0.5, -0.5\]"),
    ],
)
def test_bad_maps_are_refused(S, message):
    with pytest.raises(ValueError, match=message):
        check_maps(S, X)


def test_options_are_those_declared():
    check_options("method", "score_cam", {"chunk": 3}, {"chunk": None, "masking": "pixels"})
    with pytest.raises(
        UnknownName, match=r"'chunks' \(did you mean 'chunk'\?\); valid: chunk, masking"
    ):
        check_options("method", "score_cam", {"chunks": 3}, {"chunk": None, "masking": "pixels"})
    with pytest.raises(UnknownName, match="option of method cam 'chunk'; valid: none"):
        check_options("method", "cam", {"chunk": 3}, {})


def test_choices_are_those_declared():
    check_choice("blur", "rise", ("rise", "gaussian"))
    with pytest.raises(UnknownName, match="unknown blur 'box'; valid: rise, gaussian"):
        check_choice("blur", "box", ("rise", "gaussian"))


@pytest.mark.parametrize("target", [2.7, True, torch.tensor([0.0, 1.0])])
def test_a_target_that_is_no_whole_number_is_refused(target):
    with pytest.raises(ValueError, match="whole numbers"):
        check_targets(target, 2, 10, torch.device("cpu"))


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="no images"):
        check_images(torch.rand(0, 3, 8, 8))


def test_a_count_has_a_least_value():
    with pytest.raises(ValueError, match="chunk is at least 1, got 0"):
        check_count("chunk", 0)
    check_count("chunk", None)
    check_count("iterations", 0, least=0)


def test_dtypes_by_name():
    assert as_dtype(None) is None
    assert as_dtype("float16") is as_dtype(torch.float16) is torch.float16
    for wrong in ("half16", "int8", torch.int8, 16, "nn"):
        with pytest.raises(ValueError, match=f"dtype is float16, .*got {wrong!r}"):
            as_dtype(wrong)
