"""Score-CAM: the score of the image when it is masked by each channel."""

import pytest
import torch
from torch.nn import functional as F
from torchcam.methods import ScoreCAM

from lib.errors import UnknownName
from lib.methods.score_cam import WEIGHTINGS, score_cam
from lib.saliency import finish

from ..networks import NETWORKS, Affine, affine, images, non_linear, normalised, seeded, wrap

TARGET = torch.tensor([0, 1, 2, 3])


def one_channel_at_a_time(net, x, target, weighting="logit", masking="pixels"):
    """Score-CAM equation by equation, on the whole network, with the baseline."""
    rows = []
    for i, c in enumerate(target.tolist()):
        image, A, u = x[i : i + 1], net.features(x[i : i + 1])[0], {}
        background = net.mean if masking == "normalized" else torch.zeros_like(net.mean)

        def score(shown, c=c):
            y = net.model(normalised(net, shown))[0]
            return y[c] if weighting == "logit" else y.softmax(0)[c]

        baseline = score(background.expand_as(image))
        for k in range(len(A)):
            M = F.interpolate(A[None, None, k], x.shape[2:], mode="bilinear", align_corners=False)
            if M.max() > M.min():
                M = (M - M.min()) / (M.max() - M.min())
                shown = score(background + (image - background) * M)
                u[k] = shown if weighting == "probability" else shown - baseline
        w = torch.stack(list(u.values()))
        w = w if weighting == "probability" else w.softmax(0)
        rows.append(sum(wk * A[k] for wk, k in zip(w, u)))
    return torch.stack(rows)


@pytest.mark.parametrize("masking", ["pixels", "normalized"])
@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("network", ["affine", "signed", "non_linear"])
def test_as_one_channel_at_a_time(network, weighting, masking):
    net, x = NETWORKS[network](), images()
    want = one_channel_at_a_time(net, x, TARGET, weighting, masking)
    assert torch.allclose(
        score_cam(net, x, TARGET, weighting=weighting, masking=masking), want, atol=1e-10
    )


@pytest.mark.parametrize("chunk", [1, 4, 7, 1000])
def test_chunks_change_nothing(chunk):
    net, x = affine(), images()
    assert torch.allclose(
        score_cam(net, x, TARGET, chunk=chunk), score_cam(net, x, TARGET), atol=1e-12
    )


def test_no_pass_is_larger_than_the_chunk():
    """The memory is bounded by the chunk size, not by K."""
    net, x, seen = non_linear(), images(), []
    hook = net.register_forward_pre_hook(lambda module, args: seen.append(len(args[0])))
    score_cam(net, x, TARGET, chunk=5)
    hook.remove()
    assert seen == [5, 5, 5, 5, 4]  # 4 images x 6 channels


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("rounding", [0, 2e-16])
def test_constant_channels_weigh_nothing(weighting, rounding):
    """A channel that is 1 everywhere, up to its last digit, makes no mask. The only channel that
    varies then has all the weight."""
    model = seeded(Affine())
    with torch.no_grad():
        model.norm.weight[1:] = rounding
        model.norm.bias[1:] = 1
    net, x = wrap(model), images()
    A = net.features(x)
    assert ((A[:, 1:] - 1).abs() < 1e-14).all() and (A[:, 1:] != 1).any() == bool(rounding)
    S = score_cam(net, x, TARGET, weighting=weighting)
    if not rounding:
        want = one_channel_at_a_time(net, x, TARGET, weighting)
        assert torch.allclose(S, want, atol=1e-10)
    if weighting != "probability":
        assert torch.allclose(S, A[:, 0], atol=1e-10)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_all_channels_dead_gives_zeros(weighting):
    model = seeded(Affine())
    with torch.no_grad():
        model.norm.weight.zero_()
        model.norm.bias.fill_(-1)
    raw = score_cam(wrap(model), images(), TARGET, weighting=weighting)
    assert (finish("score_cam", raw, (16, 16)) == 0).all()


def test_as_torchcam():
    """torchcam normalises before it upsamples, which is the same if layer and image have one size. It
    includes dead channels in the softmax, which only scales the map."""
    model, x = seeded(Affine(stride=1)), images()
    net = wrap(model, mean=(0, 0, 0), std=(1, 1, 1))
    with ScoreCAM(model, "act") as peer:
        want = peer(TARGET.tolist(), model(x))[0]
    S = finish("score_cam", score_cam(net, x, TARGET), (16, 16))
    assert torch.allclose(S, want.detach(), atol=1e-6)


def test_an_unknown_weighting_lists_the_valid_ones():
    with pytest.raises(
        UnknownName, match="'logits' .*valid: logit, probability, probability_softmax"
    ):
        score_cam(affine(), images(), TARGET, weighting="logits")


def test_channels_with_the_same_mask_share_a_pass(monkeypatch):
    """A multiple of a channel gives the same mask: it needs no further pass but counts in the map."""
    net, x = affine(), images(2)
    target = torch.zeros(2, dtype=torch.long)
    passed = []
    forward = type(net).forward
    monkeypatch.setattr(
        type(net), "forward", lambda self, x: passed.append(len(x)) or forward(self, x)
    )
    score_cam(net, x, target)
    alone = sum(passed)
    A, context = net.cut(x)
    monkeypatch.setattr(net, "cut", lambda x: (torch.cat([A, 4 * A], 1), context))
    passed.clear()
    score_cam(net, x, target)
    assert sum(passed) == alone
