"""LRP-CAM: relevance propagated layer by layer."""

import pytest
import torch

from lib.methods.gradients import activation_and_gradient
from lib.methods.lrp_cam import lrp_cam

from ..networks import (
    Headed,
    affine,
    headed,
    images,
    non_linear,
    seeded,
    signed,
    transformer,
    wrap,
)  # fmt: skip

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("name", ["hidden", "deep"])
def test_behind_rectifiers_it_is_gradient_times_activation(name):
    net, x = headed(name), images()
    A, g = activation_and_gradient(net, x, TARGET)
    alpha, _ = lrp_cam.coefficients(net, x, TARGET)
    assert torch.allclose(alpha, (A * g).sum((2, 3)), atol=1e-10)


@pytest.mark.parametrize("network", [affine, signed])
def test_behind_an_affine_head_it_is_the_drop(network):
    net, x = network(), images()
    want = net.model.classifier.weight[TARGET] * net.features(x).mean((2, 3))
    assert torch.allclose(lrp_cam.coefficients(net, x, TARGET)[0], want, atol=1e-12)


def test_layer_by_layer():
    """The sums of Bach et al., written out for 1x1 convolution, ReLU6, mean and linear layer."""
    model = seeded(Headed("one_by_one"))
    with torch.no_grad():
        model.middle[1].weight.fill_(9)  # so that some units saturate
    net, x = wrap(model), images()
    conv, norm = model.middle[0], model.middle[1]
    alpha, A = lrp_cam.coefficients(net, x, TARGET)
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    W, b = conv.weight[:, :, 0, 0] * scale[:, None], norm.bias - norm.running_mean * scale
    for i, c in enumerate(TARGET):
        z = torch.einsum("ok,khw->ohw", W, A[i]) + b[:, None, None]
        assert (z > 6).any()
        h = z.clamp(0, 6)
        R = model.classifier.weight[c][:, None, None] * h / h[0].numel()  # the logit, no bias
        share = A[i][None] * W[..., None, None] / z[:, None]  # (O, K, h, w): the share of k in o
        want = (share * R[:, None]).sum((0, 2, 3))
        assert torch.allclose(alpha[i], want, atol=1e-10)


def test_without_biases_relevance_is_conserved():
    model = seeded(Headed("deep"))
    with torch.no_grad():
        for module in model.middle:
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()
        model.classifier.bias.zero_()
    net, x = wrap(model), images()
    y = net(x).gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(lrp_cam.coefficients(net, x, TARGET)[0].sum(1), y, atol=1e-10)


def test_biases_keep_their_share():
    net, x = non_linear(), images()
    y = net(x).gather(1, TARGET[:, None])[:, 0]
    assert not torch.allclose(lrp_cam.coefficients(net, x, TARGET)[0].sum(1), y, atol=1e-3)


def test_a_head_with_a_step_that_it_does_not_know_is_refused():
    """There is no rule for attention, and its plain gradient would not be a relevance."""
    with pytest.raises(ValueError, match="LRP-0 has no rule for the step .*: take .* shap_cam"):
        lrp_cam(transformer(), images(), TARGET)
