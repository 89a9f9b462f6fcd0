"""Relative probability of a class against its strongest rival, on a part of the image."""

import math

import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from lib.errors import UnknownName
from lib.metrics import METRICS
from lib.metrics.relative_probability import Logits, equalised, hides, relative_probability
from lib.rival import strongest_rival
from lib.saliency import explain

from ..networks import affine, brightness, images, maps, non_linear

RP = METRICS["relative_probability"]
TARGET = torch.tensor([0, 1, 2, 3])
BLUR = {"kernel": 15, "sigma": 4.0}


def signed_maps(n=4, seed=2):
    return 2 * maps(n, seed=seed) - 1


def textbook(net, x, t, S, keep, replacement, number=None):
    """The value of one image (3, H, W); `number` pixels are replaced, or all without the kept sign."""
    y = net(x[None])[0].tolist()
    s = max((c for c in range(len(y)) if c != t), key=lambda c: y[c])
    blurred = gaussian_blur(x, BLUR["kernel"], BLUR["sigma"])
    places = [(S[i, j].item(), i, j) for i in range(S.shape[0]) for j in range(S.shape[1])]
    if number is None:
        wrong = [p for p in places if not (p[0] > 0 if keep == "positive" else p[0] < 0)]
    else:
        wrong = sorted(places, key=lambda p: p[0] if keep == "positive" else -p[0])[:number]
    edited = x.clone()
    for _, i, j in wrong if keep != "all" else ():
        for c in range(3):
            edited[c, i, j] = {"blur": blurred[c, i, j], "zeros": 0.0, "mean": x[c].mean()}[
                replacement
            ]
    y = net(edited[None])[0].tolist()
    return math.exp(y[t]) / (math.exp(y[t]) + math.exp(y[s]))


def test_by_hand():
    logits = Logits(torch.tensor([math.log(3.0), 0.0]), torch.tensor([0.0, math.log(4.0)]))
    assert relative_probability(logits).tolist() == pytest.approx([0.75, 0.2])


@pytest.mark.parametrize("keep", ["positive", "negative", "all"])
@pytest.mark.parametrize("replacement", ["blur", "zeros", "mean"])
def test_as_the_textbook(keep, replacement):
    net, x, S = non_linear(), images(), signed_maps()
    S[0, 3, 3] = 0  # neither positive nor negative, so always replaced
    got = RP.fn(net, x, TARGET, S, keep=keep, replacement=replacement, **BLUR)
    want = [textbook(net, *one, keep, replacement) for one in zip(x, TARGET.tolist(), S)]
    assert got.tolist() == pytest.approx(want, abs=1e-9)


def test_of_two_classes_it_is_the_probability():
    net, x = brightness(), images()
    p = net(x).softmax(1)[:, 0]
    assert torch.allclose(RP.fn(net, x, 0, signed_maps(), keep="all"), p)
    shown = RP.fn(net, x, 0, signed_maps(), replacement="zeros")
    assert torch.allclose(shown, net(x * (signed_maps() > 0)[:, None]).softmax(1)[:, 0])


def test_of_the_top_two_classes_each_is_the_others_rival():
    net, x, S = affine(), images(), signed_maps()
    first, second = net(x).topk(2).indices.T
    assert torch.equal(strongest_rival(net(x), first), second)
    assert torch.equal(strongest_rival(net(x), second), first)
    both = [RP.fn(net, x, t, S, **BLUR) for t in (first, second)]
    assert torch.allclose(sum(both), torch.ones(4).double())


def test_the_rival_is_that_of_the_whole_image_or_the_one_given():
    net, x, S = non_linear(), images(), signed_maps()
    given = torch.tensor([4, 4, 0, 0])
    got = RP.fn(net, x, TARGET, S, rival=given, keep="all")
    y = net(x)
    want = [torch.sigmoid(y[i, t] - y[i, s]) for i, (t, s) in enumerate(zip(TARGET, given))]
    assert torch.allclose(got, torch.stack(want))


def test_kept_positive_and_kept_negative_part_the_image():
    S = signed_maps()
    assert (hides(S, "positive") ^ hides(S, "negative")).all()
    assert not hides(S, "all").any() and hides(0 * S, "positive").all()


# -------------------------------------------------------------------------------- equal numbers


@pytest.mark.parametrize("keep", ["positive", "negative"])
def test_equal_numbers_as_the_textbook(keep):
    """The number of replaced pixels is the larger or the smaller of the two maps, as in section G."""
    net, x = non_linear(), images()
    S, T = (signed_maps(seed=s) + shift for s, shift in ((2, 0.3), (3, -0.2)))
    counts = [
        [sum((v <= 0) if keep == "positive" else (v >= 0) for v in M[i].flatten().tolist())
         for i in range(4)]
        for M in (S, T)
    ]  # fmt: skip
    assert counts[0] != counts[1], "the test needs different numbers"
    number = [(max if keep == "positive" else min)(pair) for pair in zip(*counts)]
    for M, equal in zip((S, T), equalised(S, T, keep)):
        got = RP.fn(net, x, TARGET, equal, keep=keep, **BLUR)
        want = [
            textbook(net, x[i], int(TARGET[i]), M[i], keep, "blur", number[i]) for i in range(4)
        ]
        assert got.tolist() == pytest.approx(want, abs=1e-9)
        assert hides(equal, keep).flatten(1).sum(1).tolist() == number


@pytest.mark.parametrize("keep, n", [("positive", 1), ("negative", 4)])
def test_equal_numbers_as_the_authors_code_counts_them(keep, n):
    """Hidden are the smaller number, lowest first, or the larger number, highest first."""
    S = torch.tensor([[[0.3, -0.2, 0.0], [0.4, 0.5, -0.1]]])
    T = torch.tensor([[[-0.1, -0.2, 0.9], [0.0, -0.3, -0.4]]])
    for M, equal in zip((S, T), equalised(S, T, keep, number="authors")):
        order = M.flatten().sort(descending=keep == "negative").values
        assert torch.equal(hides(equal, keep), M < order[n] if keep == "positive" else M > order[n])
        assert hides(equal, keep).sum() == n


@pytest.mark.parametrize("keep", ["positive", "negative"])
def test_a_map_against_itself_hides_what_it_would(keep):
    S = signed_maps()
    S[1] = 0
    for equal in equalised(S, S, keep):
        assert torch.equal(hides(equal, keep), hides(S, keep))


def test_of_equal_pixels_the_first_are_hidden():
    S = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]])
    T = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]])
    assert equalised(S, T, "positive")[0].tolist() == [[[-1, -1], [1, 1]]]
    assert equalised(S, T, "negative")[0].tolist() == [[[1, 1], [-1, -1]]]


# ------------------------------------------------------------------------------------ bad input


def test_maps_keep_their_sign():
    net, x = affine(), images()
    S = explain("grad_cam", net, x, TARGET, contrast="weighted", signed=True)
    assert S.min() < 0 < S.max()
    assert RP.fn(net, x, TARGET, S, **BLUR).isfinite().all()
    with pytest.raises(ValueError, match=r"maps are in \[-1, 1\], got .*explain\(..., signed=True"):
        RP.fn(net, x, TARGET, 2 * S)
    with pytest.raises(ValueError, match=r"maps are in \[0, 1\], got \[-"):
        METRICS["average_drop"].fn(net, x, TARGET, S)


def test_unknown_names_list_those_there_are():
    with pytest.raises(UnknownName, match="unknown keep 'both'; valid: positive, negative, all"):
        RP.fn(affine(), images(), TARGET, signed_maps(), keep="both")
    with pytest.raises(UnknownName, match="unknown keep 'all'.*valid: positive, negative$"):
        equalised(signed_maps(), signed_maps(), "all")
    with pytest.raises(UnknownName, match="unknown number 'code'; valid: text, authors$"):
        equalised(signed_maps(), signed_maps(), "positive", number="code")
