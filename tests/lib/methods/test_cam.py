"""CAM: channels weighted by the classifier's own weights."""

import copy

import pytest
import torch

from lib.maps import normalise, upsample
from lib.methods import METHODS
from lib.methods.cam import cam, class_weights
from lib.saliency import explain, finish

from ..networks import NETWORKS, affine, images, non_linear, signed, untraceable, wrap

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


# ---------------------------------------------------------------- CALM supplement, appendix A


def test_max_normalisation_keeps_what_is_positive():
    net, x = affine(), images()
    up = upsample(cam(net, x, TARGET), (16, 16))
    S = explain("cam", net, x, TARGET, normalisation="max")
    assert torch.allclose(S, up.relu() / up.amax((1, 2), keepdim=True))
    low, high = up.amin((1, 2), keepdim=True), up.amax((1, 2), keepdim=True)
    assert torch.allclose(explain("cam", net, x, TARGET), (up - low) / (high - low))


@pytest.mark.parametrize("network", [affine, signed])
def test_class_weights_are_the_classifiers(network):
    net, x = network(), images()
    torch.testing.assert_close(class_weights(net, net.features(x)), net.model.classifier.weight)


def test_a_superset_adds_up_maps_each_by_its_range():
    net, x = affine(), images()
    superset = {0: {0, 4}, 1: {1}, 2: {1, 2, 3}, 3: {3}}
    raw = cam(net, x, TARGET, superset=superset)
    for i, c in enumerate(TARGET.tolist()):
        maps = torch.cat([cam(net, x[i : i + 1], torch.tensor([s])) for s in superset[c]])
        span = maps.flatten(1).amax(1) - maps.flatten(1).amin(1)
        torch.testing.assert_close(raw[i], (maps / span[:, None, None]).sum(0))
        by_hand = sum(normalise(m) for m in maps)
        torch.testing.assert_close(normalise(raw[i]), normalise(by_hand))


def test_a_superset_of_one_class_is_its_map():
    net, x = affine(), images()
    alone = [{c} for c in range(5)]
    S = explain("cam", net, x, TARGET)
    torch.testing.assert_close(explain("cam", net, x, TARGET, superset=alone), S)


def test_a_flat_map_adds_nothing():
    net, x = affine(), images(1)
    weight = net.model.classifier.weight.clone()
    weight[1] = 0
    flat = copy.deepcopy(net.model)
    flat.classifier.weight.data = weight
    net = wrap(flat)
    raw = cam(net, x, TARGET[:1], superset={0, 1})
    torch.testing.assert_close(normalise(raw), normalise(cam(net, x, TARGET[:1])))


def test_bad_supersets():
    net, x = affine(), images()
    with pytest.raises(ValueError, match="adds up maps of logits: leave selector and contrast"):
        cam(net, x, TARGET, superset=range(5), contrast="mean")
    with pytest.raises(ValueError, match="class 1 has no superset"):
        cam(net, x, TARGET, superset={0: {0}})
    with pytest.raises(ValueError, match="unknown normalisation 'min-max'"):
        cam(net, x, TARGET, normalisation="min-max")
