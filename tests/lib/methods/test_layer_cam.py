"""Layer-CAM: activation times positive gradient."""

import pytest
import torch
from pytorch_grad_cam import LayerCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torchcam.methods import LayerCAM as TorchcamLayerCAM

from lib.methods.hires_cam import hires_cam
from lib.methods.layer_cam import layer_cam

from ..networks import NETWORKS, Affine, NonLinear, affine, images, normalised, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def test_closed_form_behind_average_pooling():
    """Only the channels with positive weights are in the map."""
    net, x = affine(), images()
    w = net.model.classifier.weight[TARGET].relu() / 64
    want = torch.einsum("bk,bkhw->bhw", w, net.features(x))
    assert torch.allclose(layer_cam(net, x, TARGET), want, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_textbook(network):
    net, x = NETWORKS[network](), images()
    for i, c in enumerate(TARGET.tolist()):
        A = net.features(x[i : i + 1]).detach().requires_grad_()
        g = torch.autograd.grad(net.head(A)[0, c], A)[0][0]
        want = sum(g[k].clamp(min=0) * A[0, k] for k in range(len(g)))
        assert torch.allclose(layer_cam(net, x[i : i + 1], TARGET[i : i + 1])[0], want, atol=1e-12)


def test_where_all_gradients_are_positive_it_is_hires_cam():
    model = seeded(Affine())
    with torch.no_grad():
        model.classifier.weight.abs_()
    net, x = wrap(model), images()
    assert torch.allclose(layer_cam(net, x, TARGET), hires_cam(net, x, TARGET), atol=1e-12)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_pytorch_grad_cam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with LayerCAM(model, [model.act]) as peer:
        peer(normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()])
        seen = peer.activations_and_grads
        A, g = seen.activations[0].numpy(), seen.gradients[0].numpy()
        want = torch.from_numpy(peer.get_cam_image(None, model.act, None, A, g, False))
    assert torch.allclose(layer_cam(net, x, TARGET), want, atol=1e-10)


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_torchcam(model):
    model, x = seeded(model()), images()
    net = wrap(model)
    with TorchcamLayerCAM(model, "act") as peer:
        want = peer(TARGET.tolist(), model(normalised(net, x)), normalized=False)[0]
    assert torch.allclose(layer_cam(net, x, TARGET), want.detach(), atol=1e-10)
