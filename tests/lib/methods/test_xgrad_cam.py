"""XGrad-CAM: gradients averaged with the activations as weights."""

import pytest
import torch
from pytorch_grad_cam import XGradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import XGradCAM as TorchcamXGradCAM

from lib.methods.grad_cam import grad_cam
from lib.methods.xgrad_cam import xgrad_cam

from ..networks import (
    NETWORKS,
    Affine,
    NonLinear,
    affine,
    images,
    normalised,
    seeded,
    signed,
    with_dead_channels,
    wrap,
)  # fmt: skip

TARGET = torch.tensor([0, 1, 2, 3])


def test_behind_average_pooling_it_is_grad_cam():
    net, x = affine(), images()
    assert torch.allclose(xgrad_cam(net, x, TARGET), grad_cam(net, x, TARGET), atol=1e-12)


def test_elsewhere_it_is_not():
    net, x = NETWORKS["non_linear"](), images()
    assert not torch.allclose(xgrad_cam(net, x, TARGET), grad_cam(net, x, TARGET), atol=1e-2)


@pytest.mark.parametrize("network", NETWORKS)
def test_textbook(network):
    net, x = NETWORKS[network](), images()
    for i, c in enumerate(TARGET.tolist()):
        A = net.features(x[i : i + 1]).detach().requires_grad_()
        g = torch.autograd.grad(net.head(A)[0, c], A)[0][0]
        A = A.detach()[0]
        want = sum((A[k] * g[k]).sum() / A[k].abs().sum() * A[k] for k in range(len(A)))
        assert torch.allclose(xgrad_cam(net, x[i : i + 1], TARGET[i : i + 1])[0], want, atol=1e-10)


def test_a_signed_layer_divides_by_the_absolute_sum():
    """A weight then never exceeds the largest gradient, even if the activations cancel."""
    net, x = signed(), images()
    w = net.model.classifier.weight[TARGET] / 64
    A = net.features(x)
    want = torch.einsum("bk,bkhw->bhw", w * A.sum((2, 3)) / A.abs().sum((2, 3)), A)
    assert torch.allclose(xgrad_cam(net, x, TARGET), want, atol=1e-12)


def test_a_dead_channel_gives_no_nan():
    assert xgrad_cam(wrap(with_dead_channels(seeded(Affine()))), images(), TARGET).isfinite().all()


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_pytorch_grad_cam(model):
    """pytorch-grad-cam adds 1e-7 to the denominator."""
    model, x = seeded(model()), images()
    net = wrap(model)
    with XGradCAM(model, [model.act]) as peer:
        peer(normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()])
        seen = peer.activations_and_grads
        A, g = seen.activations[0].numpy(), seen.gradients[0].numpy()
        want = torch.from_numpy(peer.get_cam_image(None, model.act, None, A, g))
    assert torch.allclose(xgrad_cam(net, x, TARGET), want, atol=1e-6)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_torchcam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with TorchcamXGradCAM(model, "act") as peer:
        want = peer(TARGET.tolist(), model(normalised(net, x)), normalized=False)[0]
    assert torch.allclose(xgrad_cam(net, x, TARGET).relu(), want.detach(), atol=1e-6)
