"""CAM: the classifier's own weights."""

import pytest
import torch

from lib.methods import METHODS
from lib.methods.cam import cam
from lib.saliency import explain, finish

from ..networks import NETWORKS, affine, images, non_linear, untraceable

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("network", ["affine", "signed"])
def test_weights_are_the_classifiers(network):
    net, x = NETWORKS[network](), images()
    want = torch.einsum("bk,bkhw->bhw", net.model.classifier.weight[TARGET], net.features(x))
    assert torch.allclose(cam(net, x, TARGET), want, atol=1e-10)


def test_its_mean_and_the_bias_are_the_logit():
    net, x = affine(), images()
    y = net(x).gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(cam(net, x, TARGET).mean((1, 2)) + net.model.classifier.bias[TARGET], y)


def test_it_keeps_its_sign_through_to_the_finish():
    net, x = affine(), images()
    raw = cam(net, x, TARGET)
    assert raw.min() < 0 and not METHODS["cam"].relu
    S = explain("cam", net, x, TARGET)
    assert torch.equal(S, finish("cam", raw, (16, 16)))
    assert not torch.allclose(S, finish("grad_cam", raw, (16, 16)))


def test_behind_a_relu_it_is_grad_cam():
    net, x = affine(), images()
    S = finish("grad_cam", cam(net, x, TARGET), (16, 16))
    assert torch.allclose(S, explain("grad_cam", net, x, TARGET), atol=1e-10)


@pytest.mark.parametrize("network", [non_linear, untraceable])
def test_another_head_has_no_such_weights(network):
    with pytest.raises(
        ValueError, match="global average pooling and one linear layer.*use grad_cam"
    ):
        cam(network(), images(), TARGET)
