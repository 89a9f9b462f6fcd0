"""Grad-CAM++: positive gradients, each position by its ratio of derivatives."""

import pytest
import torch
from pytorch_grad_cam import GradCAMPlusPlus
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from lib.methods.grad_cam_plus_plus import grad_cam_plus_plus

from ..networks import NETWORKS, Affine, NonLinear, affine, images, normalised, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def test_closed_form_behind_average_pooling():
    """With g = w_k / hw everywhere, alpha = 1 / (2 + g sum A), and only positive weights count."""
    net, x = affine(), images()
    A, w = net.features(x), net.model.classifier.weight[TARGET]
    positive = w.relu()
    weights = positive / (2 + positive / 64 * A.sum((2, 3)))
    want = torch.einsum("bk,bkhw->bhw", weights, A)
    assert torch.allclose(grad_cam_plus_plus(net, x, TARGET), want, atol=1e-12)


@pytest.mark.parametrize("network", ["affine", "non_linear", "untraceable"])
def test_textbook(network):
    """Position by position, as equations (10) and (19) are printed."""
    net, x = NETWORKS[network](), images(2)
    for i in range(2):
        c = TARGET[i : i + 1]
        A = net.features(x[i : i + 1]).detach().requires_grad_()
        g = torch.autograd.grad(net.head(A)[0, c.item()], A)[0][0]
        A = A.detach()[0]
        want = torch.zeros_like(A[0])
        for k in range(len(A)):
            w = 0.0
            for a, b in torch.cartesian_prod(torch.arange(8), torch.arange(8)).tolist():
                d = g[k, a, b]
                if d > 0:
                    w += d**2 / (2 * d**2 + d**3 * A[k].sum()) * d
            want += w * A[k]
        assert torch.allclose(grad_cam_plus_plus(net, x[i : i + 1], c)[0], want, atol=1e-10)


def test_the_weights_are_positive():
    """The weights are positive, so behind a ReLU the map is too."""
    assert (grad_cam_plus_plus(affine(), images(), TARGET) >= 0).all()


def test_no_gradient_gives_zeros_not_nan():
    model = seeded(NonLinear())
    with torch.no_grad():
        model.classifier.weight.zero_()
    assert (grad_cam_plus_plus(wrap(model), images(), TARGET) == 0).all()


@pytest.mark.parametrize("model", [Affine, NonLinear])
def test_as_pytorch_grad_cam(model):
    """pytorch-grad-cam adds 1e-6 to the denominator, which is negligible for large gradients."""
    model, x = seeded(model()), images()
    with torch.no_grad():
        model.classifier.weight *= 1e5
    net = wrap(model)
    with GradCAMPlusPlus(model, [model.act]) as peer:
        peer(normalised(net, x), [ClassifierOutputTarget(c) for c in TARGET.tolist()])
        seen = peer.activations_and_grads
        A, g = seen.activations[0].numpy(), seen.gradients[0].numpy()
        want = torch.from_numpy(peer.get_cam_image(None, model.act, None, A, g))
    assert torch.allclose(grad_cam_plus_plus(net, x, TARGET), want, rtol=1e-7)
