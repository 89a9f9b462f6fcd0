"""MaxBoxAccV2: the boxes of all components, with the protocol's pixel coordinates."""

import numpy as np
import pytest
import torch
from skimage.measure import label, regionprops

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.box_accuracy import components, overlaps_of_all

from ..networks import affine, maps
from .test_box_accuracy import smooth

V2 = METRICS["max_box_acc_v2"]


def textbook_overlap(S, boxes, threshold):
    """The best IoU for one map at one of 255 thresholds, one component and one pixel at a time."""
    grey = (np.asarray(S, dtype=np.float64) * 255).astype(np.uint8)
    height, width = grey.shape
    found = []
    for part in regionprops(label(grey > threshold, connectivity=2)):
        y0, x0, y1, x1 = part.bbox
        found.append((x0, y0, min(x1, width - 1), min(y1, height - 1)))
    best = 0.0
    for x0, y0, x1, y1 in found or [(0, 0, 0, 0)]:
        for box in boxes:
            a0, b0, a1, b1 = map(int, box)
            shared = max(0, min(x1, a1) - max(x0, a0) + 1) * max(0, min(y1, b1) - max(y0, b0) + 1)
            areas = (x1 - x0 + 1) * (y1 - y0 + 1) + (a1 - a0 + 1) * (b1 - b0 + 1)
            best = max(best, shared / (areas - shared))
    return best


@pytest.mark.parametrize("make", [maps, smooth])
@pytest.mark.parametrize("size", [(1, 9), (9, 1), (13, 11)])
def test_the_textbook(make, size):
    S = make(4, size)
    boxes = [torch.tensor([[0.0, 0, 1, 1], [0.3, 0.2, size[1], size[0]]])] * 3
    boxes.append(torch.tensor([[0.1, 0.1, 0.9, 0.9]]))  # in whole pixels, the empty box
    got = overlaps_of_all(None, None, None, S, boxes=boxes)
    want = [[textbook_overlap(M, b.tolist(), k) for k in range(255)] for M, b in zip(S, boxes)]
    assert np.allclose(got, want, rtol=0, atol=1e-12)


def test_components_are_those_of_a_labelling():
    generator = np.random.default_rng(0)
    for shape in ((1, 1), (2, 3), (8, 8), (17, 5)):
        levels = generator.integers(0, 5, shape)
        at, pixels, boxes = components(levels, 4)
        slow = [
            (k, part.area, part.bbox[1], part.bbox[0], part.bbox[3], part.bbox[2])
            for k in range(4)
            for part in regionprops(label(levels > k, connectivity=2))
        ]
        assert [*zip(at, pixels, *boxes.T)] == slow  # in raster order too
        assert (
            components(levels * 9, 4).pixels == components(np.minimum(levels * 9, 4), 4).pixels
        ).all()


def test_any_component_may_hit_not_only_the_largest():
    S = torch.zeros(1, 32, 32)
    S[0, 2:10, 2:10] = 1
    S[0, 12:31, 12:31] = 1
    small = [torch.tensor([[2.0, 2, 10, 10]])]
    assert V2.fn(affine(), image(32), 0, S, boxes=small).item() == 1
    assert METRICS["box_accuracy"].fn(affine(), image(32), 0, S, boxes=small).item() == 0


def test_of_several_objects_one_is_enough():
    S = torch.zeros(1, 32, 32)
    S[0, 2:10, 2:10] = 1
    two = [torch.tensor([[20.0, 20, 30, 30], [2, 2, 10, 10]])]
    assert V2.fn(affine(), image(32), 0, S, boxes=two).item() == 1


def test_one_threshold_for_the_data_set_or_one_for_each_image():
    S = torch.full((2, 32, 32), 0.1)
    S[0, 4:12, 4:12], S[1, 4:12, 4:12] = 0.2, 1.0  # found above 0.1, and
    S[1, :, 14:] = 0.8  # on the second above 0.8 alone
    box = [torch.tensor([[4.0, 4, 12, 12]])] * 2
    S[1, 2:4] = S[1, 12:14] = 0.8
    S[1, :, :4] = S[1, :, 12:] = 0.8
    pooled, each = (accuracy(S, box, best) for best in ("data set", "image"))
    assert each == 1 and pooled == pytest.approx(0.5)


def accuracy(S, boxes, best):
    accumulator = V2.accumulator(best=best)
    accumulator.update(S, boxes)
    return accumulator.compute()


def test_each_delta_has_its_threshold():
    values = V2.value(torch.tensor([[0.4, 0.0, 0.2], [0.1, 0.6, 0.2], [0.1, 0.0, 0.8]]))
    assert values.mean().item() == pytest.approx((1 + 1 + 1) / 9)


def test_bad_input_is_refused():
    with pytest.raises(UnknownName, match="unknown best threshold 'any'; valid: data set, image"):
        accuracy(maps(1), [torch.tensor([[0.0, 0, 2, 2]])], "any")
    with pytest.raises(ValueError, match="boxes: 1 for 2 images"):
        accuracy(maps(2), [torch.tensor([[0.0, 0, 2, 2]])], "image")


def image(side):
    return torch.zeros(1, 3, side, side)
