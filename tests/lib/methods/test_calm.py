"""CALM's map: the joint probability of class and position."""

import pytest
import torch

from lib import nets
from lib.methods.calm import calm
from lib.saliency import explain

from ..networks import CLASSES, MEAN, SIZE, STD, affine, images, latent, untraceable_latent

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("network", [latent, untraceable_latent])
def test_its_sum_is_the_prediction(network):
    net, x = network(), images()
    raw = calm(net, x, TARGET)
    assert raw.shape == (4, 8, 8) and raw.min() >= 0
    p = net(x).exp()
    torch.testing.assert_close(raw.sum((1, 2)), p[torch.arange(4), TARGET])
    every = sum(calm(net, x, torch.full((4,), c)) for c in range(CLASSES))
    torch.testing.assert_close(
        every, net.model.prior(net.features(x))[:, 0].as_subclass(torch.Tensor)
    )


def test_a_superset_adds_up():
    net, x = latent(), images()
    maps = [calm(net, x, torch.full((4,), c)) for c in range(CLASSES)]
    torch.testing.assert_close(calm(net, x, TARGET, superset=range(CLASSES)), sum(maps))
    own = {0: {0, 4}, 1: {1}, 2: {2, 3}, 3: {2, 3}}
    want = [maps[0][0] + maps[4][0], maps[1][1], maps[2][2] + maps[3][2], maps[2][3] + maps[3][3]]
    torch.testing.assert_close(calm(net, x, TARGET, superset=own), torch.stack(want))
    torch.testing.assert_close(
        calm(net, x, TARGET, superset=[{c} for c in range(5)]), calm(net, x, TARGET)
    )


def test_a_counterfactual_is_a_difference():
    net, x = latent(), images()
    A, B = calm(net, x, TARGET), calm(net, x, torch.full((4,), 4))
    D = calm(net, x, TARGET, counterfactual=4)
    torch.testing.assert_close(D, A - B)
    assert D.min() < 0 < D.max()
    torch.testing.assert_close(
        calm(net, x, TARGET + 1, counterfactual=TARGET),
        -calm(net, x, TARGET, counterfactual=TARGET + 1),
    )
    pairs = {0: 1, 1: 0, 2: 1, 3: 0}
    families = [{0, 2}, {1, 3}, {0, 2}, {1, 3}, {4}]
    D = calm(net, x, TARGET, counterfactual=pairs, superset=families)
    first, second = (calm(net, x, torch.full((4,), c), superset=families[c]) for c in (0, 1))
    sign = torch.tensor([1, -1, 1, -1])[:, None, None]
    torch.testing.assert_close(D, sign * (first - second))
    assert (
        explain("calm", net, x, TARGET, counterfactual=4, signed=True)
        .abs()
        .amax((1, 2))
        .eq(1)
        .all()
    )


def test_it_does_not_depend_on_where_the_network_is_cut():
    net, x = latent(), images()
    earlier = nets.Classifier(net.model, "features.0", mean=MEAN, std=STD, input_size=SIZE)
    torch.testing.assert_close(calm(earlier, x, TARGET), calm(net, x, TARGET))


def test_bad_input():
    net, x = latent(), images()
    with pytest.raises(
        ValueError,
        match="calm needs a network with a latent position, and network has none: train one",
    ):
        calm(affine(), x, TARGET)
    with pytest.raises(ValueError, match="class 1 is its own rival"):
        calm(net, x, TARGET, counterfactual=1)
    with pytest.raises(ValueError, match="rival class 5 is out of range"):
        calm(net, x, TARGET, counterfactual=5)
    with pytest.raises(ValueError, match="class 1 has no superset"):
        calm(net, x, TARGET, superset={0: {0}})
