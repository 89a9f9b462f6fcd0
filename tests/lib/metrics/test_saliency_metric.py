"""The saliency metric: the size of the map's box and the network's confidence."""

import math

import pytest
import torch
from torch.nn.functional import interpolate

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.boxes import predicted_boxes
from lib.metrics.localization import Sized, saliency_metric

from ..networks import affine, brightness, images, maps

SM = METRICS["saliency_metric"]
TARGET = torch.tensor([0, 1, 2, 3])


def block(x0: int, y0: int, x1: int, y1: int) -> torch.Tensor:
    S = torch.zeros(1, 16, 16)
    S[:, y0:y1, x0:x1] = 1
    return S


def test_by_hand():
    net, x = brightness(), images(1)
    p = net(x).softmax(1)[0, 0].item()
    for box, share in [((2, 3, 12, 14), 110 / 256), ((0, 0, 16, 16), 1), ((5, 5, 7, 7), 0.05)]:
        assert SM.fn(net, x, 0, block(*box)).item() == pytest.approx(math.log(share / p))


@pytest.mark.parametrize("of", ["image", "crop"])
def test_textbook(of):
    net, x, S = affine(), images(), maps() ** 4
    got = SM.fn(net, x, TARGET, S, of=of)
    for i, (x0, y0, x1, y1) in enumerate(predicted_boxes(S).int().tolist()):
        seen = x[i : i + 1]
        if of == "crop":
            seen = interpolate(seen[..., y0:y1, x0:x1], (16, 16), mode="bilinear")
        p = net(seen).softmax(1)[0, TARGET[i]]
        want = math.log(max(0.05, (x1 - x0) * (y1 - y0) / 256)) - math.log(p)
        assert got[i] == pytest.approx(want)


def test_of_the_image_no_map_is_worse_than_one_that_marks_everything():
    net, x = affine(), images()
    whole = SM.fn(net, x, TARGET, torch.ones(4, 16, 16))
    assert (SM.fn(net, x, TARGET, maps() ** 9) <= whole).all()
    assert torch.allclose(SM.fn(net, x, TARGET, torch.ones(4, 16, 16), of="crop"), whole)


def test_of_the_crop_a_box_beside_the_object_is_worse():
    """One corner is bright, and the content of the box decides."""
    net, x = brightness(gain=8, shift=4), torch.zeros(1, 3, 16, 16).double()
    x[..., :8, :8] = 1
    hit, miss = (SM.fn(net, x, 0, block(*b), of="crop") for b in ((0, 0, 8, 8), (8, 8, 16, 16)))
    assert hit < SM.fn(net, x, 0, torch.ones(1, 16, 16), of="crop") < miss


def test_it_needs_no_boxes_and_stays_finite():
    assert SM.given == {"logits": False} and SM.options == {"of": "image"}
    assert saliency_metric(Sized(torch.zeros(1), torch.zeros(1))).isfinite().all()


def test_an_unknown_reading_lists_those_there_are():
    with pytest.raises(UnknownName, match="unknown of 'box'; valid: image, crop"):
        SM.fn(affine(), images(), TARGET, maps(), of="box")
