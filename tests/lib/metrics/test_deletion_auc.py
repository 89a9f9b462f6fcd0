"""Deletion AUC: the image without its most salient pixels."""

import pytest
import torch

from lib.metrics import METRICS

from ..networks import affine, brightness, images, maps

AUC = METRICS["deletion_auc"]


def test_it_is_insertion_in_the_reverse_order():
    """Deletion from the top gives, in reverse, the curve of insertion from the bottom."""
    net, x, S = affine(), images(), maps()
    insertion = METRICS["insertion_auc"].fn(net, x, 2, 1 - S, steps=32)
    assert torch.allclose(AUC.fn(net, x, 2, S, steps=32), insertion, atol=1e-12)


def test_it_is_deletion_at_the_same_steps():
    net, x, S = affine(), images(), maps()
    want = METRICS["deletion"].fn(net, x, 2, S, step=8)
    assert torch.allclose(AUC.fn(net, x, 2, S, steps=32), want, atol=1e-12)


def test_the_right_order_deletes_fastest():
    x = torch.zeros(2, 3, 16, 16)
    x[..., :8] = 1
    right, wrong = AUC.fn(brightness(), x, 0, torch.stack([x[0, 0], 1 - x[0, 0]])).tolist()
    assert right < wrong - 0.05 and not AUC.higher_is_better


def test_the_steps_are_forty():
    assert AUC.options["steps"] == 40
    assert AUC.target == "predicted" and AUC.unit == ""


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_change_nothing(chunk):
    net, x, S = affine(), images(), maps()
    want = AUC.fn(net, x, 1, S)
    assert torch.allclose(AUC.fn(net, x, 1, S, chunk=chunk), want, atol=1e-12)
