"""Images whose second most probable class has a chance."""

import pytest
import torch

from book.contested import contested
from book.experiments import Experiment


@pytest.fixture(scope="module")
def birds():
    return Experiment("birds_alexnet", "birds", images=24).open(weights="random")


def test_contested_images_have_a_second_class_above_the_threshold(birds):
    net, images = birds
    p = net(torch.stack([sample.image for sample in images])).softmax(1).topk(2)
    threshold = between(p.values[:, 1])
    found = contested(net, images, threshold=threshold)
    chosen = (p.values[:, 1] > threshold).nonzero().flatten().tolist()
    assert 0 < len(chosen) < 24 and found.data.ids == images.subset(chosen).ids
    assert [list(two) for two in zip(found.first, found.second)] == p.indices[chosen].tolist()


def test_contested_images_do_not_depend_on_the_batch(birds):
    net, images = birds
    threshold = between(net(torch.stack([s.image for s in images])).softmax(1).topk(2).values[:, 1])
    one, two = (contested(net, images, threshold=threshold, batch_size=b) for b in (5, 24))
    assert (one.data.ids, one.first, one.second) == (two.data.ids, two.first, two.second)


def between(p) -> float:
    """A threshold in the middle of these probabilities, and none of them."""
    return p.sort().values[len(p) // 2 - 1 :][:2].mean().item()


def test_none_is_contested_above_one_half(birds):
    assert contested(*birds, threshold=0.5) == (birds[1].subset([]), (), ())
