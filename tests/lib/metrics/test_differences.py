"""Where signed maps lie on birds whose species differ in known parts."""

import pytest
import torch

from lib import data
from lib.metrics.differences import (
    difference_rank,
    difference_share,
    difference_sign,
    shared_coverage,
)
from testbeds.birds import PARTS, differing, differing_parts

M = torch.tensor([[[2.0, -1.0], [1.0, 1.0]]])
D = torch.tensor([[[True, True], [False, False]]])
O = torch.tensor([[[True, True], [True, False]]])


def test_what_differs_are_the_seen_parts_of_it():
    for bird in data.load("birds", limit=24):
        mask = differing(bird, "plain finch", "bearded finch")
        seen = [bird.parts[part].mask for part in ("crown", "throat") if part in bird.parts]
        assert mask.dtype == torch.bool and mask.shape == bird.image.shape[1:]
        assert mask.sum() == sum(part.sum() for part in seen)  # parts do not overlap
        assert not differing(bird, "plain finch", "plain finch").any()
    assert set(differing_parts("plain finch", "bearded finch")) == {"crown", "throat"} < set(PARTS)


def test_closed_forms():
    assert difference_share(M, D).tolist() == [0.5]
    assert difference_sign(M, D).tolist() == pytest.approx([1 / 3])
    assert difference_rank(M, D, O).tolist() == [0.5]  # 2 > 1 > -1
    assert difference_rank(-M, D, O & (M != 2)).tolist() == [1.0]
    assert shared_coverage(M, M, O).tolist() == pytest.approx([2 / 3])
    assert shared_coverage(M, -M, O).tolist() == [0]
    assert shared_coverage(M, torch.ones_like(M), O).tolist() == pytest.approx([2 / 3])


def test_scale_does_not_count_and_ties_count_half():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(5, 9, 9, generator=generator)
    what = torch.rand(5, 9, 9, generator=generator) < 0.2
    whole = what | (torch.rand(5, 9, 9, generator=generator) < 0.5)
    for measure in (difference_share, difference_sign):
        assert torch.allclose(measure(maps, what), measure(7 * maps, what))
    rank = difference_rank(maps, what, whole)
    assert torch.allclose(rank, difference_rank(maps.exp(), what, whole))
    assert torch.allclose(rank + difference_rank(-maps, what, whole), torch.ones(5).double())
    assert difference_rank(torch.zeros_like(maps), what, whole).tolist() == [0.5] * 5


def test_the_opposite_map_says_the_opposite():
    assert torch.equal(difference_sign(-M, D), -difference_sign(M, D))


def test_each_image_stands_alone():
    maps, what = torch.cat([M, -M]), torch.cat([D, ~D])
    assert torch.equal(difference_share(maps, what)[1:], difference_share(-M, ~D))


def test_undefined_values_are_missing():
    nothing = torch.zeros_like(M)
    assert difference_share(-M.abs(), D).isnan().all()
    assert difference_sign(nothing, D).isnan().all()
    assert difference_rank(M, nothing.bool(), O).isnan().all()
