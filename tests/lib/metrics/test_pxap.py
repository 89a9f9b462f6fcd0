"""PxAP: pixel-wise precision and recall of a whole data set."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.pxap import histograms, pxap

from ..networks import affine, images, maps

PXAP = METRICS["pxap"]


def masks(n, size=(16, 16), seed=5, share=0.3):
    generator = torch.Generator().manual_seed(seed)
    return list(torch.rand(n, *size, generator=generator) < share)


def textbook(S, mask, ignore, thresholds):
    """PxAP from two histograms of all pixels: a sum of rectangles from the largest value down."""
    edges = np.append(np.arange(thresholds) / thresholds, [1.0, 2.0])
    on, off = np.zeros(thresholds + 1), np.zeros(thresholds + 1)
    for scores, positive, left_out in zip(np.asarray(S, np.float64), mask, ignore):
        positive, left_out = positive.numpy(), left_out.numpy() & ~positive.numpy()
        on += np.histogram(scores[positive], edges)[0]
        off += np.histogram(scores[~positive & ~left_out], edges)[0]
    area, recall, tp, fp = 0.0, 0.0, 0.0, 0.0
    for k in reversed(range(thresholds + 1)):
        tp, fp = tp + on[k], fp + off[k]
        if tp + fp:
            area += tp / (tp + fp) * (tp / on.sum() - recall)
        recall = tp / on.sum()
    return area


@pytest.mark.parametrize("thresholds", [1, 7, 100, 1000])
def test_the_textbook(thresholds):
    S, mask, ignore = maps(5), masks(5), masks(5, seed=6)
    S[0], S[1, :8] = 0, 1  # values at both ends, which have their own bins
    S[2] = (S[2] * 10).round() / 10  # at the edges of bins
    accumulator = PXAP.accumulator(thresholds=thresholds)
    for i in range(5):
        accumulator.update(S[i : i + 1], mask=mask[i : i + 1], ignore=ignore[i : i + 1])
    assert accumulator.compute() == pytest.approx(textbook(S, mask, ignore, thresholds), abs=1e-12)


def test_it_is_the_average_precision_of_all_pixels():
    S, mask = (maps(4) * 1000).floor() / 1000, masks(4)
    known = average_precision_score(torch.stack(mask).flatten(), S.flatten())
    got = PXAP.fn(affine(), images(), 0, S, mask=mask).mean().item()
    assert got == pytest.approx(known, abs=1e-12)


def test_values_are_what_the_weight_of_an_image_changes():
    """Each value agrees with a finite difference: PxAP with a little more weight on one image."""
    counts = histograms(None, None, None, maps(4), mask=masks(4, share=0.2), thresholds=50)
    value, weight = pxap(counts).mean(), 1e-6
    for i, one in enumerate(pxap(counts)):
        heavier = counts.clone()
        heavier[i] *= 1 + weight
        slope = (pxap(heavier).mean() - value) / weight
        assert one.item() == pytest.approx((value + 4 * slope).item(), abs=1e-4)


def test_perfect_maps_and_those_that_say_nothing():
    mask = masks(3)
    assert PXAP.fn(affine(), images(3), 0, torch.stack(mask).float(), mask=mask).tolist() == [1] * 3
    flat = PXAP.fn(affine(), images(3), 0, torch.zeros(3, 16, 16), mask=mask).mean()
    assert flat.item() == pytest.approx(torch.stack(mask).float().mean().item())


def test_images_are_pooled_and_an_image_without_the_object_counts_against():
    S = maps(2)
    mask = [S[0] > 0.5, torch.zeros(16, 16, dtype=torch.bool)]
    alone = PXAP.fn(affine(), images(1), 0, S[:1], mask=mask[:1]).mean()
    both = PXAP.fn(affine(), images(2), 0, S, mask=mask).mean()
    assert alone == 1 and 0.3 < both < 0.9


def test_what_is_ignored_has_no_say_but_on_the_object():
    S, mask, ignore = maps(2), masks(2), masks(2, seed=9, share=0.5)
    want = PXAP.fn(affine(), images(2), 0, S, mask=mask, ignore=ignore)
    other = S.clone()
    for one, on, out in zip(other, mask, ignore):
        one[out & ~on] = 1 - one[out & ~on]
    assert torch.equal(PXAP.fn(affine(), images(2), 0, other, mask=mask, ignore=ignore), want)
    everything = [torch.ones(16, 16, dtype=torch.bool)] * 2
    assert PXAP.fn(affine(), images(2), 0, S, mask=mask, ignore=everything).tolist() == [1, 1]


def test_values_in_any_precision_lie_in_the_same_bins():
    S = (torch.arange(256).view(1, 16, 16) / 255).double()
    exact = histograms(None, None, None, S, mask=masks(1), thresholds=254)
    rounded = histograms(None, None, None, S.float(), mask=masks(1), thresholds=254)
    assert torch.equal(exact, rounded) and exact.sum() == 256


def test_cues_are_found_by_the_size_of_a_signed_map():
    cue = METRICS["cue_pxap"]
    M, mask = 2 * maps(3) - 1, masks(3)
    got = cue.fn(affine(), images(3), 0, M, mask=mask)
    assert torch.equal(got, PXAP.fn(affine(), images(3), 0, M.abs(), mask=mask, spacing="log"))
    assert torch.equal(got, cue.fn(affine(), images(3), 0, -M, mask=mask))


def test_thresholds_that_are_even_in_the_logarithm():
    S = torch.tensor([[0.0, 1e-9, 2e-7, 3e-5, 0.02, 1.0]])[None]
    mask = [torch.tensor([[False, True, False, True, False, True]])]
    counts = histograms(None, None, None, S, mask=mask, thresholds=8, spacing="log")[0]
    assert counts[0].tolist() == [1, 1, 0, 0, 0, 0, 1, 0, 0]  # edges: 0, 1e-7, 1e-6, ...
    assert counts[1].tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 1]
    fine = PXAP.fn(affine(), images(3), 0, maps(3) ** 40, mask=masks(3), spacing="log").mean()
    order = PXAP.fn(affine(), images(3), 0, maps(3), mask=masks(3)).mean()
    assert fine.item() == pytest.approx(order.item(), abs=0.02)


def test_bad_input_is_refused():
    with pytest.raises(UnknownName, match="unknown spacing 'ln'; valid: even, log"):
        PXAP.accumulator(spacing="ln").update(maps(1), mask=masks(1))
    with pytest.raises(ValueError, match="mask: 1 for 2 images"):
        PXAP.accumulator().update(maps(2), mask=masks(1))
    with pytest.raises(ValueError, match=r"mask of image 1 of the batch is \(H, W\) = \(16, 16\)"):
        PXAP.accumulator().update(maps(2), mask=[*masks(1), *masks(1, (8, 8))])
    with pytest.raises(ValueError, match=r"ignore of image 0 .* got \(8, 8\)"):
        PXAP.accumulator().update(maps(1), mask=masks(1), ignore=masks(1, (8, 8)))
    with pytest.raises(ValueError, match="thresholds is at least 1, got 0"):
        PXAP.accumulator(thresholds=0).update(maps(1), mask=masks(1))
    empty = PXAP.accumulator()
    empty.update(maps(1), mask=masks(1, share=0))
    with pytest.raises(ValueError, match="no image has a pixel of the object: give masks"):
        empty.compute()
    with pytest.raises(ValueError, match=r"pxap needs mask: pass mask=\[...\]"):
        PXAP.accumulator().update(maps(1))
