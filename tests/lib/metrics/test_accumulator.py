"""Metrics of a data set as a whole, batch by batch."""

import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS

from ..networks import maps

BA = METRICS["box_accuracy"]
BOXES = [torch.tensor([[2.0, 3, 12, 14]])] * 4


def test_an_accumulator_keeps_what_it_has_seen_and_no_other_does():
    one, other = BA.accumulator(), BA.accumulator()
    one.update(maps(4), BOXES)
    before = one.values()
    other.update(maps(4, seed=7), BOXES)
    assert torch.equal(one.values(), before) and len(before) == 4
    one.update(maps(4, seed=7), boxes=BOXES)
    assert len(one.values()) == 8


def test_options_reach_the_measurement():
    accuracy = BA.accumulator(thresholds=3)
    accuracy.update(maps(4), BOXES)
    fine = BA.accumulator()
    fine.update(maps(4), BOXES)
    assert accuracy.compute() <= fine.compute() + 1e-12


def test_bad_use_is_refused():
    with pytest.raises(ValueError, match="box_accuracy has seen no map: call update first"):
        BA.accumulator().compute()
    with pytest.raises(ValueError, match=r"box_accuracy needs boxes: pass boxes=\[...\]"):
        BA.accumulator().update(maps(4))
    with pytest.raises(ValueError, match=r"maps are \(B, H, W\), got \(16, 16\)"):
        BA.accumulator().update(maps(1)[0], BOXES)
    with pytest.raises(ValueError, match=r"maps are in \[0, 1\]"):
        BA.accumulator().update(maps(4) * 2, BOXES)
    with pytest.raises(UnknownName, match="option of metric box_accuracy 'steps'"):
        BA.accumulator(steps=3)
    with pytest.raises(UnknownName, match="option of metric box_accuracy 'mask'"):
        BA.accumulator().update(maps(4), BOXES, mask=None)
    with pytest.raises(ValueError, match="average_drop compares no images of a data set: use fn"):
        METRICS["average_drop"].accumulator()


def test_only_accumulators_of_one_metric_merge():
    one, other = BA.accumulator(), BA.accumulator(thresholds=255)  # the default, given by name
    one.update(maps(2), BOXES[:2])
    other.update(maps(2, seed=7), BOXES[:2])
    assert len(one.merge(other).values()) == 4 and len(other.values()) == 2
    with pytest.raises(
        ValueError, match="accumulators of one metric merge: .*255.* and .*3.* are two"
    ):
        one.merge(BA.accumulator(thresholds=3))
    with pytest.raises(ValueError, match="box_accuracy.* and .*max_box_acc_v2"):
        one.merge(METRICS["max_box_acc_v2"].accumulator())
    assert len(one.values()) == 4


def test_signed_maps_are_taken_where_the_metric_takes_them():
    cue = METRICS["cue_pxap"].accumulator()
    cue.update(2 * maps(2) - 1, mask=[maps(1)[0] > 0.5] * 2)
    assert 0 < cue.compute() < 1
