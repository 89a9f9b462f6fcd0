"""Remove and classify: accuracy without salient pixels over accuracy without random pixels."""

import numpy as np
import pytest
import torch

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.remove_and_classify import erased, remove_and_classify
from lib.seeding import generator

from ..networks import affine, brightness, images, maps, non_linear

RC = METRICS["remove_and_classify"]
FRACTIONS = (0.1, 0.5, 0.9)


def textbook(net, x, t, S, fraction, fill, order=None):
    """Whether one image (3, H, W) is classified correctly without its first pixels in the order."""
    if order is None:
        order = sorted(range(S.numel()), key=lambda p: (-S.flatten()[p].item(), p))
    edited = x.clone().flatten(1)
    for p in order[: round(fraction * S.numel())]:
        edited[:, p] = fill
    return float(net(edited.view_as(x)[None]).argmax() == t)


@pytest.mark.parametrize("masking", ["normalized", "pixels"])
def test_the_textbook(masking):
    net, x, S = non_linear(), images(), maps()
    S[1] = (S[1] * 3).round() / 3  # ties
    target = net(x).argmax(1)
    got = erased(net, x, target, S, fractions=FRACTIONS, draws=2, masking=masking)
    fill = net.mean.flatten() if masking == "normalized" else torch.zeros(3).double()
    for i, (image, t) in enumerate(zip(x, target)):
        drawn = []
        for seed in (0, 1):
            rank = torch.randperm(256, generator=generator(image, seed))
            drawn.append(rank.argsort().tolist())
        for f, fraction in enumerate(FRACTIONS):
            assert got[i, f, 0] == textbook(net, image, t, S[i], fraction, fill)
            random = [textbook(net, image, t, S[i], fraction, fill, order) for order in drawn]
            assert got[i, f, 1] == np.mean(random)


def test_a_ratio_of_sums_by_hand():
    right = torch.tensor([[[1.0, 1], [0, 1]], [[0, 1], [0, 0.5]]])
    values = remove_and_classify(right)
    assert values.mean().item() == pytest.approx((1 / 2 + 0) / 2)
    # With weight 1 + w on the first image, one ratio is (1 + w) / (2 + w), whose slope at w = 0 is
    # 1/4, and the other ratio is 0.
    assert values.tolist() == pytest.approx([0.25 + 2 * 0.25 / 2, 0.25 - 2 * 0.25 / 2])


def test_fractions_that_nothing_survives_are_left_out():
    right = torch.tensor([[[1.0, 1], [0, 0]], [[1, 1], [0, 0]]])
    assert remove_and_classify(right).tolist() == [1, 1]
    assert remove_and_classify(right[:, 1:]).isnan().all()


def test_bright_pixels_decide_and_others_do_not():
    """The logit grows with brightness, and less than a tenth of the pixels has all the excess."""
    net, x = brightness(gain=4.0, shift=0.8), torch.full((4, 3, 16, 16), 0.2).double()
    x[:, :, 4:8, 4:8] = 1
    S = x[:, 0]
    options = {"masking": "pixels", "fractions": (0.1,)}
    assert RC.fn(net, x, 0, S, **options).tolist() == [0] * 4
    assert RC.fn(net, x, 0, 1 - S, **options).tolist() == [1] * 4


def test_random_pixels_follow_the_image_not_its_place():
    net, x, S = affine(), images(), maps()
    together = erased(net, x, torch.zeros(4).long(), S, draws=3)
    for i in range(4):
        alone = erased(net, x[i : i + 1], torch.zeros(1).long(), S[i : i + 1], draws=3)
        assert torch.equal(alone[0], together[i])


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="fractions lie between 0 and 1, got 10"):
        RC.fn(affine(), images(), 0, maps(), fractions=(10,))
    with pytest.raises(ValueError, match="draws is at least 1, got 0"):
        RC.fn(affine(), images(), 0, maps(), draws=0)
    with pytest.raises(UnknownName, match="unknown masking 'mean'; valid: pixels, normalized"):
        RC.fn(affine(), images(), 0, maps(), masking="mean")
