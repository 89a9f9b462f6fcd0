"""Grad-CAM: mean gradients as weights."""

import pytest
import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import GradCAM as TorchcamGradCAM

from lib.methods.cam import cam
from lib.methods.grad_cam import grad_cam

from ..networks import NETWORKS, Affine, NonLinear, affine, images, normalised, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def test_closed_form_behind_average_pooling():
    """The gradient is w_k / hw everywhere."""
    net, x = affine(), images()
    A, w = net.features(x), net.model.classifier.weight[TARGET]
    want = torch.einsum("bk,bkhw->bhw", w, A) / A[0, 0].numel()
    assert torch.allclose(grad_cam(net, x, TARGET), want, atol=1e-12)
    assert torch.allclose(
        grad_cam(net, x, TARGET) * A[0, 0].numel(), cam(net, x, TARGET), atol=1e-10
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_textbook(network):
    """One image, one channel at a time."""
    net, x = NETWORKS[network](), images()
    for i, c in enumerate(TARGET.tolist()):
        A = net.features(x[i : i + 1]).detach().requires_grad_()
        (g,) = torch.autograd.grad(net.head(A)[0, c], A)
        want = sum(g[0, k].mean() * A[0, k] for k in range(A.shape[1]))
        assert torch.allclose(grad_cam(net, x[i : i + 1], TARGET[i : i + 1])[0], want, atol=1e-12)


def test_the_score_of_a_constant_has_no_map():
    """If all classes have the same weights, p is constant, and its gradient is zero."""
    model = seeded(Affine())
    with torch.no_grad():
        model.classifier.weight.copy_(
            model.classifier.weight[:1].expand_as(model.classifier.weight)
        )
    net = wrap(model)
    assert grad_cam(net, images(), TARGET, selector="probability").abs().max() < 1e-12
    assert grad_cam(net, images(), TARGET).abs().max() > 1e-3


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_captum(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    want = LayerGradCam(model, model.act).attribute(normalised(net, x), target=TARGET)[:, 0]
    assert torch.allclose(grad_cam(net, x, TARGET), want.detach(), atol=1e-10)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_pytorch_grad_cam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with GradCAM(model, [model.act]) as peer:
        peer(normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()])
        seen = peer.activations_and_grads
        A, g = seen.activations[0].numpy(), seen.gradients[0].numpy()
        want = torch.from_numpy(peer.get_cam_image(None, model.act, None, A, g))
    assert torch.allclose(grad_cam(net, x, TARGET), want, atol=1e-10)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_torchcam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with TorchcamGradCAM(model, "act") as peer:
        want = peer(TARGET.tolist(), model(normalised(net, x)), normalized=False)[0]
    assert torch.allclose(grad_cam(net, x, TARGET).relu(), want.detach(), atol=1e-10)
