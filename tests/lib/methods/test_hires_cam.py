"""HiRes-CAM: activation times gradient."""

import pytest
import torch
from captum.attr import LayerGradientXActivation
from pytorch_grad_cam import HiResCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from lib.methods.grad_cam import grad_cam
from lib.methods.hires_cam import hires_cam

from ..networks import Affine, NonLinear, affine, images, normalised, seeded, signed, wrap

TARGET = torch.tensor([0, 1, 2, 3])


@pytest.mark.parametrize("network", [affine, signed])
def test_behind_average_pooling_it_is_grad_cam(network):
    net, x = network(), images()
    assert torch.allclose(hires_cam(net, x, TARGET), grad_cam(net, x, TARGET), atol=1e-12)


@pytest.mark.parametrize("network", [affine, signed])
def test_behind_an_affine_head_it_sums_to_the_logit(network):
    """Completeness: sum S = y_c - y_c(0)."""
    net, x = network(), images()
    y = net(x).gather(1, TARGET[:, None])[:, 0]
    y0 = net.head(torch.zeros_like(net.features(x))).gather(1, TARGET[:, None])[:, 0]
    assert torch.allclose(hires_cam(net, x, TARGET).sum((1, 2)), y - y0, atol=1e-10)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_captum(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    want = LayerGradientXActivation(model, model.act).attribute(normalised(net, x), target=TARGET)
    assert torch.allclose(hires_cam(net, x, TARGET), want.detach().sum(1), atol=1e-10)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_pytorch_grad_cam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with HiResCAM(model, [model.act]) as peer:
        peer(normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()])
        seen = peer.activations_and_grads
        A, g = seen.activations[0].numpy(), seen.gradients[0].numpy()
        want = torch.from_numpy(peer.get_cam_image(None, model.act, None, A, g, False))
    assert torch.allclose(hires_cam(net, x, TARGET), want, atol=1e-10)
