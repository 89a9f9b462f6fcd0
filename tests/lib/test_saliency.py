"""From raw map to saliency map, and from saliency map to masked image."""

import numpy as np
import pytest
import torch
from PIL import Image

from lib.errors import UnknownName
from lib.methods import METHODS
from lib.saliency import (
    NORMALISATIONS,
    explain,
    finish,
    mask,
    normalise,
    predict,
    raw_map,
    upsample,
)

from .networks import CLASSES, affine, images, maps, non_linear, normalised

# --------------------------------------------------------------------------------------- upsample


def test_upsampling_by_hand():
    """Pixel centres are aligned: from two to four pixels, weights are quarters."""
    M = torch.tensor([[[0.0, 1.0]]])
    assert upsample(M, (1, 4)).tolist() == [[[0, 0.25, 0.75, 1]]]


def test_upsampling_as_numpy_interpolates():
    M = torch.randn(5, 7, dtype=torch.float64)

    def resize(rows, n):
        centres = (np.arange(n) + 0.5) * rows.shape[1] / n - 0.5
        return np.stack([np.interp(centres, np.arange(rows.shape[1]), row) for row in rows])

    want = resize(resize(M.numpy(), 30).T, 24).T
    assert np.allclose(upsample(M[None], (24, 30))[0], want)


def test_upsampling_keeps_leading_dimensions():
    M = torch.rand(2, 3, 4, 5)
    assert upsample(M, (8, 9)).shape == (2, 3, 8, 9)
    assert torch.equal(upsample(M, (8, 9))[1, 2], upsample(M[1, 2], (8, 9)))
    assert torch.equal(upsample(M, (4, 5)), M)


# -------------------------------------------------------------------------------------- normalise


@pytest.mark.parametrize(
    "how, want", [("range", [0, 0.25, 1]), ("max", [0, 0, 1]), ("sigmoid", [0.26894, 0.5, 0.95257])]
)
def test_normalisations_by_hand(how, want):
    assert normalise(torch.tensor([[-1.0, 0.0, 3.0]]), how)[0].tolist() == pytest.approx(
        want, abs=1e-5
    )


def test_max_is_a_ratio_where_the_map_is_positive():
    M = maps()
    assert torch.allclose(normalise(M, "max"), M / M.amax((1, 2), keepdim=True))


def test_range_ignores_scale_and_offset():
    M = maps()
    assert torch.allclose(normalise(7 * M - 3), normalise(M))


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_each_map_on_its_own(how):
    M = maps() * torch.tensor([1.0, 10.0, 100.0, 0.1]).view(-1, 1, 1)
    assert torch.equal(normalise(M, how), torch.stack([normalise(m, how) for m in M]))


@pytest.mark.parametrize("value", [0.0, 3.0, -2.0, 1e-30])
def test_a_flat_map_is_zeros_with_zero_gradient(value):
    M = torch.full((2, 4, 4), value, requires_grad=True)
    S = normalise(M)
    S.sum().backward()
    assert (S == 0).all() and (M.grad == 0).all()


def test_max_of_a_map_that_is_not_positive_is_zeros():
    assert (normalise(-maps() - 1, "max") == 0).all()


def test_a_flat_map_leaves_its_neighbours():
    M = maps()
    M[1] = 0.3
    S = normalise(M)
    assert (S[1] == 0).all()
    assert S[[0, 2, 3]].amax((1, 2)).tolist() == [1, 1, 1] and S.isfinite().all()


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_gradients_of_normalisations(how):
    M = maps(2, (3, 3)).requires_grad_()
    inside = torch.linspace(0.1, 0.9, 9).view(3, 3).double()  # not at the clamp's corners
    assert torch.autograd.gradcheck(lambda M: normalise(M, how)[..., 1, 1] * inside[1, 1], M)


def test_signed_by_hand():
    M = torch.tensor([[[-4.0, 0.0, 1.0]], [[0.0, 2.0, 1.0]], [[-1.0, -2.0, -2.0]]])
    want = [[[-1, 0, 0.25]], [[0, 1, 0.5]], [[-0.5, -1, -1]]]
    assert normalise(M, "signed").tolist() == want


@pytest.mark.parametrize("value, want", [(0.0, 0), (3.0, 1), (-2.0, -1), (1e-30, 1)])
def test_signed_maps_keep_zero_and_sign_where_they_are_flat(value, want):
    assert (normalise(torch.full((2, 4, 4), value), "signed") == want).all()


def test_gradients_of_the_signed_normalisation():
    M = (maps(2, (3, 3)) - 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda M: normalise(M, "signed"), M)


# ------------------------------------------------------------------------------------------- mask


def test_masked_pixels_are_black():
    net, x, S = affine(), images(), maps()
    assert torch.equal(mask(net, x, S), x * S[:, None])
    assert (mask(net, x, torch.zeros_like(S)) == 0).all()


def test_masking_the_normalised_tensor():
    net, x, S = affine(), images(), maps()
    shown = mask(net, x, S, "normalized")
    assert torch.allclose(normalised(net, shown), normalised(net, x) * S[:, None], atol=1e-12)


@pytest.mark.parametrize("masking", ["pixels", "normalized"])
def test_a_map_of_ones_shows_the_image(masking):
    net, x = affine(), images()
    assert torch.allclose(mask(net, x, torch.ones(4, 16, 16), masking), x)


# ------------------------------------------------------------------------------ explain and finish


def test_explain_is_relu_upsampling_and_min_max():
    net, x = non_linear(), images()
    raw = raw_map("grad_cam", net, x, 1)
    assert (raw < 0).any(), "the test needs negative values"
    big = torch.nn.functional.interpolate(raw.relu()[:, None], (16, 16), mode="bilinear")[:, 0]
    low, high = big.amin((1, 2), keepdim=True), big.amax((1, 2), keepdim=True)
    assert torch.allclose(explain("grad_cam", net, x, 1), (big - low) / (high - low))


WITHOUT_RELU = {
    "calm", "cam", "extremal_perturbation", "fake_cam", "galore", "linear_approximation", "opti_cam",
    "raw_attention", "rollout", "tibav",
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_the_relu_is_the_papers(method):
    raw = torch.tensor([[[-2.0, 0.0], [1.0, 2.0]]])
    got = finish(method, raw, (2, 2))[0].flatten().tolist()
    assert got == pytest.approx([0, 0.5, 0.75, 1] if method in WITHOUT_RELU else [0, 0, 0.5, 1])


@pytest.mark.parametrize("method", METHODS)
def test_a_signed_map_has_no_relu_whatever_the_method(method):
    raw = torch.tensor([[[-4.0, 0.0], [1.0, 2.0]]])
    got = finish(method, raw, (2, 2), signed=True)[0].flatten().tolist()
    assert got == pytest.approx([-1, 0, 0.25, 0.5])


def test_a_contrast_has_no_relu():
    raw = torch.tensor([[[-2.0, 0.0], [1.0, 2.0]]])
    for contrast, want in (("none", [0, 0, 0.5, 1]), ("mean", [0, 0.5, 0.75, 1])):
        got = finish("grad_cam", raw, (2, 2), contrast=contrast)[0].flatten().tolist()
        assert got == pytest.approx(want)


def test_a_map_without_evidence_is_zeros():
    assert (finish("grad_cam", -maps(), (16, 16)) == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_raw_map_is_zeros_not_stretched_rounding(dtype):
    """Upsampling a constant map leaves errors in the last digit."""
    raw = torch.linspace(-3, 5, 200, dtype=dtype).view(-1, 1, 1).expand(200, 7, 7)
    M = upsample(raw, (240, 240))
    assert (M.amax((1, 2)) > M.amin((1, 2))).any(), "the test needs rounding errors"
    assert (finish("cam", raw, (240, 240)) == 0).all()


def test_a_faint_map_is_not_flat():
    raw = 1 + 1e-5 * maps().float()
    assert (finish("cam", raw, (16, 16)).amax((1, 2)) == 1).all()


def test_predict_is_the_largest_logit():
    net, x = non_linear(), images()
    y = net(x)
    assert predict(net, x).tolist() == [
        max(range(CLASSES), key=lambda c: row[c]) for row in y.tolist()
    ]


def test_images_may_have_another_precision_than_the_network():
    net, x = affine(), images()
    assert torch.allclose(
        explain("grad_cam", net, x.float(), 1), explain("grad_cam", net, x, 1), atol=1e-5
    )


def test_classes_may_differ_by_image():
    net, x = non_linear(), images()
    target = torch.tensor([3, 0, 2, 4])
    S = explain("grad_cam", net, x, target)
    alone = [explain("grad_cam", net, x[i : i + 1], int(c)) for i, c in enumerate(target)]
    assert torch.allclose(S, torch.cat(alone))
    assert not torch.allclose(S[0], explain("grad_cam", net, x, 0)[0], atol=1e-2)


# -------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "x, target, message",
    [
        (images() * 255, 0, r"in \[0, 1\].*do not normalise"),
        ((images() * 255).to(torch.uint8), 0, "torch.uint8: divide by 255"),
        (images()[0], 0, r"\(B, 3, H, W\), got \(3, 16, 16\)"),
        (
            images() / torch.tensor([1, 1, 0, 1]).view(-1, 1, 1, 1),
            0,
            "image 2 of the batch holds NaN",
        ),
        (images(), CLASSES, f"class {CLASSES} is out of range: .* has classes 0 to {CLASSES - 1}"),
        (images(), torch.tensor([0, 1]), r"one class an image, \(4,\), got \(2,\)"),
    ],
)
def test_bad_input_is_refused(x, target, message):
    with pytest.raises(ValueError, match=message):
        explain("grad_cam", affine(), x, target)


def test_a_map_that_is_not_finite_names_method_image_and_class():
    """Ablation-CAM divides by a logit, which is zero here."""
    net = affine()
    with torch.no_grad():
        net.model.classifier.weight[3] = net.model.classifier.bias[3] = 0
    target = torch.tensor([0, 3, 1, 3])
    with pytest.raises(
        ValueError, match="ablation_cam gave NaN or infinity on image 1 .*, class 3"
    ):
        explain("ablation_cam", net, images(), target)


def test_an_unknown_normalisation_or_masking_lists_those_there_are():
    with pytest.raises(
        UnknownName, match="unknown normalisation 'minmax' .*valid: range, max, sigmoid, signed"
    ):
        normalise(maps(), "minmax")
    with pytest.raises(UnknownName, match="unknown masking 'black'; valid: pixels, normalized"):
        mask(affine(), images(), maps(), "black")


@pytest.mark.parametrize(
    "made", [lambda t: t.numpy(), lambda t: t.tolist(), list], ids=["array", "lists", "list"]
)
def test_numbers_mean_the_same_in_whatever_they_come(made):
    net, x, target = affine(), images(), torch.tensor([3, 0, 2, 4])
    want = explain("grad_cam", net, x, target)
    assert torch.equal(explain("grad_cam", net, made(x), made(target)), want)


@pytest.mark.parametrize(
    "x, target, message",
    [
        ("dog.jpg", 0, "images are numbers, .*got 'dog.jpg': data.load reads files"),
        (None, 0, "images are numbers, .*got None"),
        (Image.new("RGB", (4, 4)), 0, "images are numbers, .*got Image"),
        (images(), "cat", "class indices, are numbers, .*got 'cat': give one class an image"),
        (images(), [0, None, 1, 2], "class indices, are numbers, .*got list"),
        (images(), {}, "class indices, are numbers, .*got dict"),
    ],
)
def test_what_is_no_number_is_refused_in_a_sentence(x, target, message):
    with pytest.raises(ValueError, match=message):
        explain("grad_cam", affine(), x, target)


def test_a_bare_network_is_told_how_to_be_wrapped():
    with pytest.raises(
        ValueError, match=r"a Classifier, got Affine: nets.wrap\(model, ...\) makes"
    ):
        explain("grad_cam", affine().model, images(), 0)


@pytest.mark.parametrize(
    "method, option, what",
    [
        ("opti_cam", {"iterations": 2.5}, "a whole number, got 2.5"),
        ("opti_cam", {"iterations": True}, "a whole number, got True"),
        ("opti_cam", {"learning_rate": "1e-1"}, "a number, got '1e-1'"),
        ("opti_cam", {"objective": None}, "a name, got None"),
        ("lime", {"seed": None}, "a whole number, got None"),
        ("opti_cam", {"chunk": 2.5}, "a whole number or None, got 2.5"),
    ],
)
def test_options_are_of_the_kind_that_is_declared(method, option, what):
    with pytest.raises(ValueError, match=f"{next(iter(option))} .*is {what}$"):
        explain(method, affine(), images(), 0, **option)
