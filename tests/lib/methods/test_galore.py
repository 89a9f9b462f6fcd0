"""GALORE against its definition, written out, and the evidence that it must mark."""

import math

import pytest
import torch

from lib.errors import UnknownName
from lib.saliency import explain, raw_map

from ..networks import CLASSES, affine, brightness, images, non_linear

TARGET = torch.tensor([0, 1, 2, 3])


def attribution(net, image, score):
    """[sum_k A_k dscore/dA_k]_+ of one image, from derivatives through the whole head."""
    A = net.features(image[None]).detach().requires_grad_()
    score(net.head(A)[0]).backward()
    return (A * A.grad).sum(1)[0].relu().detach()


CONFIDENCES = {
    "softmax": lambda y: y.softmax(0).max(),
    "certainty": lambda y: 1 + sum(p * p.log() for p in y.softmax(0)) / math.log(len(y)),
}


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("network", [affine, non_linear])
def test_it_is_the_product_of_three_attributions(network, confidence):
    net, x, rival = network(), images(), {0: 4, 1: 0, 2: 3, 3: 1}
    raw = raw_map("galore", net, x, TARGET, rival=rival, confidence=confidence)
    for i, a in enumerate(TARGET.tolist()):
        of_a, of_c = (attribution(net, x[i], lambda y: y[c]) for c in (a, rival[a]))
        sure = attribution(net, x[i], CONFIDENCES[confidence])
        assert torch.allclose(raw[i], of_a * (of_c.max() - of_c) * sure)


def test_without_a_rival_it_is_the_most_probable_other_class():
    net, x = non_linear(), images()
    y = net(x)
    rival = y.scatter(1, TARGET[:, None], -torch.inf).argmax(1)
    want = raw_map("galore", net, x, TARGET, rival=rival)
    assert torch.equal(raw_map("galore", net, x, TARGET), want)


def test_it_is_not_negative_and_nothing_where_the_class_has_no_evidence():
    net, x = brightness(), images()
    assert (raw_map("galore", net, x, 0) >= 0).all()
    assert not raw_map("galore", net, x, 1, rival=0).any()  # class 1 has a logit of zero


@pytest.mark.parametrize("option, value", [("confidence", "easiness"), ("selector", "logits")])
def test_unknown_choices_list_those_there_are(option, value):
    with pytest.raises(UnknownName, match=f"unknown {option} '{value}'"):
        explain("galore", affine(), images(), TARGET, **{option: value})


@pytest.mark.parametrize("rival, problem", [
    (2, "class 2 is its own rival"), (CLASSES, f"rival class {CLASSES} is out of range")
])  # fmt: skip
def test_bad_rivals_are_refused(rival, problem):
    with pytest.raises(ValueError, match=problem):
        explain("galore", affine(), images(), TARGET, rival=rival)
