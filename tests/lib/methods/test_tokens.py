"""Methods that weigh channels, on the tokens of vision transformers."""

import pytest
import torch

from lib.methods import METHODS
from lib.saliency import explain, raw_map

from ..networks import TRANSFORMERS, images

TARGET = torch.tensor([0, 1, 2, 3])
CAMS = {
    "grad_cam": {}, "grad_cam_plus_plus": {}, "xgrad_cam": {}, "layer_cam": {}, "hires_cam": {},
    "score_cam": {}, "opti_cam": {"iterations": 5}, "linear_approximation": {},
}  # fmt: skip

cam_and_network = pytest.mark.parametrize(
    "method, network", [(m, n) for m in CAMS for n in TRANSFORMERS.networks]
)


def tokens_and_gradient(net, image, c):
    """The first LayerNorm of the last block and its gradient, both (K, h, w), computed by hand."""
    model = net.model
    *first, last = model.blocks
    t = model._pos_embed(model.patch_embed((image[None] - net.mean) / net.std))
    for block in first:
        t = block(t)
    t = t.detach()
    A = last.norm1(t).detach().requires_grad_()
    middle = t + last.attn(A)
    y = model.forward_head(model.norm(middle + last.mlp(last.norm2(middle))))
    (g,) = torch.autograd.grad(y[0, c], A)
    n = model.num_prefix_tokens
    return [s[0, n:].detach().T.unflatten(1, (8, 8)) for s in (A, g)]


FORMULAS = {
    "grad_cam": lambda A, g: g.mean() * A,
    "xgrad_cam": lambda A, g: (A * g).sum() / A.abs().sum() * A,
    "layer_cam": lambda A, g: g.clamp(min=0) * A,
    "hires_cam": lambda A, g: g * A,
    "linear_approximation": lambda A, g: g * A,
}  # of one channel (h, w)


@pytest.mark.parametrize("network", TRANSFORMERS.networks)
@pytest.mark.parametrize("method", FORMULAS)
def test_textbook(method, network):
    """The map of one image, one channel at a time; prefix tokens have no weight."""
    net, x = TRANSFORMERS.networks[network](), images()
    S = raw_map(method, net, x, TARGET)
    for i, c in enumerate(TARGET.tolist()):
        A, g = tokens_and_gradient(net, x[i], c)
        assert A.min() < 0 < A.max()
        want = sum(FORMULAS[method](A[k], g[k]) for k in range(len(A)))
        assert torch.allclose(S[i], want, atol=1e-10)


@cam_and_network
def test_maps_are_those_of_each_image_alone(method, network):
    net, x = TRANSFORMERS.networks[network](), images()
    S = explain(method, net, x, TARGET, **CAMS[method])
    assert S.shape == (4, 16, 16) and S.max() == pytest.approx(1)
    alone = [explain(method, net, x[i : i + 1], TARGET[i], **CAMS[method]) for i in range(4)]
    assert torch.allclose(torch.cat(alone), S, atol=1e-8)
    assert METHODS[method].needs <= {"gradients"}
