"""One logit as two classes."""

import pytest
import torch
from torch import nn

from lib import metrics, nets, saliency

SIZE = 32


def one_logit(flat: bool) -> nn.Module:
    torch.manual_seed(0)
    end = [nn.Flatten(0)] if flat else []
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1), *end
    )  # fmt: skip


@pytest.mark.parametrize("flat", [False, True])
def test_their_softmax_is_the_sigmoid(flat):
    model, x = one_logit(flat), torch.rand(2, 3, SIZE, SIZE)
    net = nets.wrap(nets.TwoClasses(model), input_size=SIZE, classes=["no", "yes"])
    assert (net.layer, net.num_classes, net.affine_head) == ("model.1", 2, True)
    p = model(x).detach().flatten().sigmoid()
    torch.testing.assert_close(net(x).softmax(1), torch.stack([1 - p, p], 1))
    A = net.features(x).detach().requires_grad_()
    g = [torch.autograd.grad(net.head(A)[:, c].sum(), A)[0] for c in (0, 1)]
    assert torch.equal(g[0], -g[1]) and g[1].any()


def test_maps_and_metrics_are_those_of_a_classifier():
    x, target = torch.rand(2, 3, SIZE, SIZE), torch.tensor([1, 0])
    net = nets.wrap(nets.TwoClasses(one_logit(False)), input_size=SIZE)
    S = saliency.explain("opti_cam", net, x, target, iterations=3, selector="probability")
    assert (S.amax((1, 2)) == 1).all()
    drop, gain = (
        metrics.METRICS[m].fn(net, x, target, S) for m in ("average_drop", "average_gain")
    )
    assert (drop + gain > 0).all()
