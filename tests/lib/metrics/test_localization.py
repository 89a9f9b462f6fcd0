"""The official metric and the localisation error: the map's box against the object's."""

import pytest
import torch

from lib.metrics import METRICS
from lib.metrics.boxes import predicted_boxes
from lib.metrics.localization import localized

from ..networks import affine, images, maps

OM, LE = METRICS["official_metric"], METRICS["localization_error"]
SQUARE = torch.tensor([[2.0, 3, 12, 14]])


def block(*box: int, size: int = 16) -> torch.Tensor:
    """A map that is 1 inside the box and 0 outside."""
    x0, y0, x1, y1 = box
    S = torch.zeros(1, size, size)
    S[:, y0:y1, x0:x1] = 1
    return S


def test_the_right_box_has_no_error_and_half_of_it_a_half():
    net, x = affine(), images(1)
    right, wrong = net(x).argmax(1), (net(x).argmax(1) + 1) % 5
    for box, error in [((2, 3, 12, 14), 0), ((2, 3, 7, 14), 0.5), ((13, 0, 16, 2), 1)]:
        assert LE.fn(net, x, right, block(*box), boxes=[SQUARE]).item() == pytest.approx(error)
        assert LE.fn(net, x, wrong, block(*box), boxes=[SQUARE]).item() == pytest.approx(error)
        assert OM.fn(net, x, right, block(*box), boxes=[SQUARE]).item() == pytest.approx(error)
        assert OM.fn(net, x, wrong, block(*box), boxes=[SQUARE]).item() == 1


def test_of_several_boxes_the_best_counts():
    net, x, S = affine(), images(1), block(2, 3, 12, 14)
    several = torch.cat([torch.tensor([[0.0, 0, 4, 4]]), SQUARE, torch.tensor([[5.0, 5, 7, 7]])])
    assert LE.fn(net, x, 0, S, boxes=[several]).item() == pytest.approx(0)


def test_fake_cam_marks_the_whole_image():
    """The error is the image's share outside of the box: 54.0 in all of tables A7 and A8."""
    net, x, S = affine(), images(1), torch.ones(1, 16, 16)
    S[:, 0, 0] = 0
    assert LE.fn(net, x, 0, S, boxes=[SQUARE]).item() == pytest.approx(1 - 110 / 256)


def test_textbook():
    net, x, S = affine(), images(), maps()
    target = torch.tensor([0, 1, 2, 3])
    got = localized(net, x, target, S, boxes=[SQUARE] * 4)
    pixels = torch.zeros(16, 16, dtype=torch.bool)
    pixels[3:14, 2:12] = True
    for i, (x0, y0, x1, y1) in enumerate(predicted_boxes(S).int().tolist()):
        mine = torch.zeros(16, 16, dtype=torch.bool)
        mine[y0:y1, x0:x1] = True
        assert got.overlap[i] == pytest.approx((mine & pixels).sum() / (mine | pixels).sum())
        assert got.correct[i] == (net(x[i : i + 1]).argmax() == target[i])


def test_the_two_share_a_measurement_and_need_boxes():
    assert OM.measure is LE.measure and OM.given == {"boxes": True, "logits": False}
    with pytest.raises(ValueError, match=r"official_metric needs boxes: pass boxes=\[...\]"):
        OM.fn(affine(), images(), 0, maps())
    with pytest.raises(ValueError, match="image 0 of the batch has no box"):
        LE.fn(affine(), images(1), 0, maps(1), boxes=[torch.zeros(0, 4)])
