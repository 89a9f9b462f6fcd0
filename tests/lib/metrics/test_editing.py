"""The map cut to the object's box, or raised to a power, before it masks the image."""

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.boxes import unions
from lib.metrics.editing import edited

from ..networks import affine, images, maps

BOXES = [torch.tensor([[2.0, 3, 12, 14]]), torch.tensor([[0.0, 0, 8, 8], [4, 4, 16, 10]])]


def test_regions_by_hand():
    S, B = maps(2), unions(BOXES, maps(2))
    zero, one = torch.zeros_like(S), torch.ones_like(S)
    assert torch.equal(edited(S, BOXES, region="inside"), torch.where(B, S, zero))
    assert torch.equal(edited(S, BOXES, region="outside"), torch.where(B, zero, S))
    assert torch.equal(edited(S, BOXES, region="box"), torch.where(B, one, zero))
    assert torch.equal(edited(S, BOXES, region="complement"), torch.where(B, zero, one))
    assert edited(S, BOXES) is S and edited(S) is S


def test_inside_and_outside_make_the_map():
    S = maps(2)
    parts = [edited(S, BOXES, region=region) for region in ("inside", "outside")]
    assert torch.equal(sum(parts), S)


def test_a_power_keeps_the_order_and_the_ends():
    S = torch.tensor([[[0.0, 0.25], [0.5, 1.0]]])
    assert edited(S, exponent=2).tolist() == [[[0, 0.0625], [0.25, 1]]]
    assert torch.allclose(edited(edited(S, exponent=0.5), exponent=2), S)
    assert edited(S, exponent=1.0) is S


@pytest.mark.parametrize("metric", ["average_drop", "average_gain", "average_increase"])
def test_the_confidence_takes_the_edited_map(metric):
    net, x, S, fn = affine(), images(2), maps(2), METRICS[metric].fn
    for region in ("inside", "outside", "box", "complement"):
        want = fn(net, x, 1, edited(S, BOXES, region=region))
        assert torch.equal(fn(net, x, 1, S, boxes=BOXES, region=region), want)
    assert torch.equal(fn(net, x, 1, S, exponent=3.0), fn(net, x, 1, S**3))


def test_boxes_that_are_not_asked_for_change_nothing():
    net, x, S, fn = affine(), images(2), maps(2), METRICS["average_drop"].fn
    assert METRICS["average_drop"].given == {"boxes": False}
    unused = [torch.zeros(0, 4)] * 2
    assert torch.equal(fn(net, x, 1, S, boxes=unused), fn(net, x, 1, S))


def test_bad_options_are_refused():
    S = maps(2)
    with pytest.raises(UnknownName, match="unknown region 'edge'; valid: image, inside, outside"):
        edited(S, BOXES, region="edge")
    with pytest.raises(ValueError, match="region 'box' needs boxes: pass a tensor"):
        edited(S, region="box")
    with pytest.raises(ValueError, match="exponent is positive, got 0"):
        edited(S, exponent=0)
