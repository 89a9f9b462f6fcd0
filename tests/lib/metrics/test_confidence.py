"""The target's probability before and after masking, and edits of the map before it masks."""

import math

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.boxes import unions
from lib.metrics.confidence import deleted, edited, preserved, probability

from ..networks import NETWORKS, affine, brightness, images, maps, normalised

TARGET = torch.tensor([0, 1, 2, 3])
BOXES = [torch.tensor([[2.0, 3, 12, 14]]), torch.tensor([[0.0, 0, 8, 8], [4, 4, 16, 10]])]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


@pytest.mark.parametrize("network", NETWORKS)
def test_textbook(network):
    """The values agree with one image at a time on the bare network."""
    net, x, S = NETWORKS[network](), images(), maps()
    with torch.no_grad():
        kept, cut = preserved(net, x, TARGET, S), deleted(net, x, TARGET, S)
        for i, c in enumerate(TARGET.tolist()):

            def p(image, c=c):
                return net.model(normalised(net, image[None])).softmax(1)[0, c]

            assert kept.p[i] == pytest.approx(p(x[i]).item()) == cut.p[i]
            assert kept.o[i] == pytest.approx(p(x[i] * S[i]).item())
            assert cut.o[i] == pytest.approx(p(x[i] * (1 - S[i])).item())


def test_closed_form_on_brightness():
    """A white image under a mask s has the brightness of s."""
    net, white = brightness(gain=4, shift=1), torch.ones(3, 3, 16, 16).double()
    S = torch.tensor([0.0, 0.25, 1.0]).double().view(3, 1, 1).expand(3, 16, 16)
    kept, cut = (f(net, white, torch.zeros(3, dtype=torch.long), S) for f in (preserved, deleted))
    assert kept.p.tolist() == pytest.approx([sigmoid(3)] * 3)
    assert kept.o.tolist() == pytest.approx([sigmoid(4 * s - 1) for s in (0, 0.25, 1)])
    assert cut.o.tolist() == pytest.approx([sigmoid(4 * (1 - s) - 1) for s in (0, 0.25, 1)])


def test_cutting_out_is_keeping_the_complement():
    net, x, S = affine(), images(), maps()
    assert torch.equal(deleted(net, x, TARGET, 1 - S).o, preserved(net, x, TARGET, 1 - (1 - S)).o)


def test_masked_is_black_or_the_channel_mean():
    net, x, S = affine(), images(), torch.zeros(4, 16, 16).double()
    black, mean = torch.zeros_like(x), net.mean.expand_as(x)
    assert torch.allclose(preserved(net, x, TARGET, S).o, probability(net, black, TARGET))
    grey = preserved(net, x, TARGET, S, masking="normalized").o
    assert torch.allclose(grey, probability(net, mean, TARGET))
    assert not torch.allclose(grey, probability(net, black, TARGET), atol=1e-3)


def test_a_sure_network_is_measured_in_double_precision():
    """In single precision 1 - p would be 0 here, and a gain 0 or infinite."""
    net = brightness(gain=25, shift=0).float()
    p = probability(net, torch.ones(1, 3, 16, 16), torch.tensor([0]))
    assert p.dtype == torch.float64
    assert 1 - p.item() == pytest.approx(math.exp(-25), rel=1e-3)


# -------------------------------------------------------------- the map before it masks the image


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
    assert METRICS["average_drop"].given == {"logits": False, "boxes": False}
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
