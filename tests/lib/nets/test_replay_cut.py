"""Replaying what cannot be traced: on a copy around the same tensors, with a tape for each call."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn
from torch.nn import functional as F

from lib import nets
from lib.nets.replay_cut import ReplayCut

from .small import SIZE, Net, images, seeded


def test_replaying_keeps_a_forward_of_the_modules_own():
    model = seeded(Net, untraceable=True)
    model.inner.forward = lambda x, inner=model.inner: (
        2 * F.conv2d(x, inner.weight, inner.bias, padding=1)
    )
    net = nets.Classifier(model, "inner", input_size=SIZE)
    want, own = net(images()), model.inner.forward
    assert torch.equal(net.head(net.features(images())), want)
    assert model.inner.forward is own
    torch.testing.assert_close(model(images()), want)


def test_two_threads_share_a_replayed_network():
    net, x = nets.wrap(seeded(Net, untraceable=True), "inner", input_size=SIZE), images(8)
    want = net(x)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: net.head(net.features(x[i : i + 1])), list(range(8)) * 4))
    torch.testing.assert_close(torch.cat(parts), want.repeat(4, 1))


def test_the_network_itself_runs_on_meanwhile():
    """Nothing of it is replaced while another thread replays it."""
    net, x = nets.wrap(seeded(Net, untraceable=True), "inner", input_size=SIZE), images(8)
    want = net.model(x)

    def use(i):
        one = x[i % 8 : i % 8 + 1]
        return net.model(one) if i % 2 else net.head(net.features(one))

    with ThreadPoolExecutor(4) as pool:
        torch.testing.assert_close(torch.cat(list(pool.map(use, range(32)))), want.repeat(4, 1))


class Shared(Net):
    """Its activation runs inside another module too."""

    def __init__(self):
        super().__init__(untraceable=True)
        self.stem = nn.Sequential(nn.Conv2d(3, 3, 1), self.act)

    def forward(self, x):
        return super().forward(self.stem(x))


def test_a_call_inside_another_module_is_that_modules():
    model, x = seeded(Shared), images()
    for layer in ("act#0", "act#1", "inner"):
        net = nets.wrap(model, layer, input_size=SIZE)
        assert isinstance(net._cut, ReplayCut)
        torch.testing.assert_close(net.head(net.features(x)), model(x))


def test_it_follows_the_network_to_another_dtype():
    net, x = nets.wrap(seeded(Net, untraceable=True), "inner", input_size=SIZE), images()
    want = net(x)
    single = net.float().head(net.features(x.float()))
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), want, atol=1e-5, rtol=1e-5)
    assert torch.equal(net.double().head(net.features(x)), net(x))
