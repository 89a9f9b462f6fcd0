"""Opti-CAM: channel weights optimised for each image."""

import copy
import math

import pytest
import torch
from torch.nn import functional as F

from lib.errors import UnknownName
from lib.methods.opti_cam import OBJECTIVES, opti_cam, optimise
from lib.saliency import NORMALISATIONS, explain
from lib.selectors import SELECTORS

from ..networks import (
    NETWORKS,
    Affine,
    NonLinear,
    affine,
    images,
    non_linear,
    normalised,
    seeded,
    wrap,
)

TARGET = torch.tensor([0, 1, 2, 3])


def normalise(A, how):
    if how == "range":
        return (A - A.min()) / (A.max() - A.min())
    return A / A.max() if how == "max" else torch.sigmoid(A)


def score(net, selector, x, c):
    y = net.model(normalised(net, x))
    others = torch.cat([y[0, :c], y[0, c + 1 :]])
    return {
        "logit": y[0, c],
        "probability": y.softmax(1)[0, c],
        "log_probability": y.log_softmax(1)[0, c],
        "margin": y[0, c] - others.max(),
    }[selector]


def textbook(
    net, x, target, objective="mask", normalisation="range", selector="logit", iterations=30,
    learning_rate=0.1, schedule="constant", tolerance=1e-10, masking="pixels", relu=False,
):  # fmt: skip
    """Opti-CAM as the paper describes it: for each image its own Adam, through the whole network."""
    S, taken = [], []
    for i, c in enumerate(target.tolist()):
        image = x[i : i + 1]
        A = net.features(image)[0].detach()
        A = A.clamp_min(0) if relu else A
        background = torch.zeros_like(net.mean) if masking == "pixels" else net.mean
        u = torch.full((len(A),), 0.5, dtype=x.dtype, requires_grad=True)
        adam, losses = torch.optim.Adam([u], lr=learning_rate), []
        for t in range(iterations):
            if schedule == "cosine":
                adam.param_groups[0]["lr"] = (
                    learning_rate * math.cos(math.pi * t / iterations / 2) ** 2
                )
            M = (u.softmax(0)[:, None, None] * A).sum(0)[None, None]
            up = F.interpolate(M, x.shape[2:], mode="bilinear", align_corners=False)
            s = normalise(up, normalisation)
            y = score(net, selector, image, c)
            inside = score(net, selector, background + (image - background) * s, c)
            outside = score(net, selector, background + (image - background) * (1 - s), c)
            loss = -{
                "mask": inside,
                "diff": -abs(y - inside),
                "iomask": inside - outside,
                "iodiff": -abs(y - inside) + abs(y - outside),
            }[objective]
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item())
            if t and abs(losses[-1] - losses[-2]) < tolerance:
                break
        S.append((u.detach().softmax(0)[:, None, None] * A).sum(0))
        taken.append(len(losses))
    return torch.stack(S), taken


@pytest.mark.parametrize("network", NETWORKS)
def test_as_one_image_at_a_time(network):
    net, x = NETWORKS[network](), images()
    want, _ = textbook(net, x, TARGET)
    assert torch.allclose(opti_cam(net, x, TARGET, iterations=30), want, atol=1e-7)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objectives(objective):
    net, x = non_linear(), images(2)
    options = dict(objective=objective, iterations=12)
    want, _ = textbook(net, x, TARGET[:2], **options)
    assert torch.allclose(opti_cam(net, x, TARGET[:2], **options), want, atol=1e-7)


@pytest.mark.parametrize(
    "option",
    [
        {"normalisation": "max"},
        {"normalisation": "sigmoid"},
        *({"selector": name} for name in SELECTORS),
        {"schedule": "cosine"},
        {"masking": "normalized"},
        {"learning_rate": 0.3},
    ],
    ids=str,
)
def test_options(option):
    net, x = affine(), images(2)
    want, _ = textbook(net, x, TARGET[:2], **option, iterations=12)
    assert torch.allclose(opti_cam(net, x, TARGET[:2], **option, iterations=12), want, atol=1e-7)


def seen_through(M, size, how):
    """A map normalised to a mask, pixel by pixel, by eq. (16) to (18)."""
    up = F.interpolate(M[None, None], size, mode="bilinear", align_corners=False)[0, 0].tolist()
    values = [a for row in up for a in row]
    n = {
        "range": lambda a: (a - min(values)) / (max(values) - min(values)),
        "max": lambda a: a / max(values),
        "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    }[how]
    return torch.tensor([[n(a) for a in row] for row in up], dtype=M.dtype)


@pytest.mark.parametrize("how", NORMALISATIONS)
def test_the_finished_map_is_the_mask_that_was_optimised(how):
    """The objective is the score of the image masked by the finished map."""
    net, x = affine(), images(2)
    options = dict(normalisation=how, iterations=12)
    S = explain("opti_cam", net, x, TARGET[:2], **options)
    M = opti_cam(net, x, TARGET[:2], **options)
    want = torch.stack([seen_through(one, x.shape[2:], how) for one in M])
    assert torch.allclose(S, want, atol=1e-12)
    ahead = optimise(net, x, TARGET[:2], normalisation=how, iterations=13).objective[12]
    y = net.model(normalised(net, x * S[:, None]))
    assert torch.allclose(y[range(2), TARGET[:2]], ahead, atol=1e-9)


def test_the_three_normalisations_are_three_masks():
    net, x = affine(), images(2)
    found = {
        how: explain("opti_cam", net, x, TARGET[:2], normalisation=how) for how in NORMALISATIONS
    }
    assert (found["range"].amin((1, 2)) == 0).all() and (found["max"].amin((1, 2)) > 0).all()
    assert (found["sigmoid"] >= 0.5).all() and (found["sigmoid"].amax((1, 2)) < 1).all()


def test_each_image_stops_when_its_own_loss_does():
    net, x = affine(), images(6)
    target = torch.tensor([0, 1, 2, 3, 4, 0])
    want, taken = textbook(net, x, target, iterations=60, tolerance=3e-3)
    found = optimise(net, x, target, iterations=60, tolerance=3e-3)
    assert found.iterations.tolist() == taken
    assert len(set(taken)) > 2 and min(taken) < 60, (
        "a test of stopping needs images that stop apart"
    )
    assert torch.allclose(found.map, want, atol=1e-7)
    for i, n in enumerate(taken):
        assert found.objective[:n, i].isfinite().all() and found.objective[n:, i].isnan().all()


def test_a_run_passes_through_every_shorter_one():
    net, x = affine(), images(6)
    target, stopping = torch.tensor([0, 1, 2, 3, 4, 0]), {"tolerance": 3e-3}
    found = optimise(net, x, target, iterations=60, **stopping)
    assert found.iterations.unique().numel() > 2, "a test needs images that stop apart"
    lengths = [1, 7, 30, 60, 90]
    for t, M in zip(lengths, found.after(lengths), strict=True):
        assert torch.allclose(
            M, opti_cam(net, x, target, iterations=min(t, 60), **stopping), atol=1e-12
        )


def test_the_history_is_the_objective():
    net, x = affine(), images(2)
    found = optimise(net, x, TARGET[:2], iterations=5)
    A = net.features(x)
    for t in range(5):
        w = optimise(net, x, TARGET[:2], iterations=t).w
        for i in range(2):
            M = (w[i][:, None, None] * A[i]).sum(0)[None, None]
            s = normalise(F.interpolate(M, (16, 16), mode="bilinear", align_corners=False), "range")
            want = score(net, "logit", x[i : i + 1] * s, int(TARGET[i]))
            assert found.objective[t, i].item() == pytest.approx(want.item(), abs=1e-8)


def test_the_objective_improves():
    found = optimise(non_linear(), images(), TARGET)
    last = found.objective[found.iterations - 1, torch.arange(4)]
    assert (last > found.objective[0] + 0.1).all()


def test_the_authors_stop_at_a_tenth_when_the_loss_has_risen():
    """The losses of iterations 0, 5, 10, ... of 50 are compared; there is no stop between them."""
    net, x = affine(), images(6)
    target = torch.tensor([0, 1, 2, 3, 4, 0])
    options = dict(iterations=50, learning_rate=3.0)
    full = optimise(net, x, target, **options, tolerance=0).objective
    found = optimise(net, x, target, **options, stopping="authors")
    for i in range(6):
        want = next((t + 1 for t in range(5, 50, 5) if full[t, i] < full[t - 5, i]), 50)
        assert found.iterations[i] == want
        assert torch.equal(found.objective[:want, i], full[:want, i])
    assert len(set(found.iterations.tolist())) > 1, (
        "a test of stopping needs images that stop apart"
    )


def authors(net, x, target, iterations, learning_rate):
    """The loop of the authors' code. At a stop it returns the map that was just tried; after all
    iterations, the map of the last weights."""
    maps, stopped = [], []
    for i, c in enumerate(target.tolist()):
        image, A = x[i : i + 1], net.features(x[i : i + 1])[0].detach()
        u, previous = torch.full((len(A),), 0.5, dtype=x.dtype, requires_grad=True), 1e10
        adam = torch.optim.Adam([u], lr=learning_rate)

        def tried(u, image=image, A=A, c=c):
            M = (u.softmax(0)[:, None, None] * A).sum(0)
            up = F.interpolate(M[None, None], x.shape[2:], mode="bilinear", align_corners=False)
            return M.detach(), net.model(normalised(net, image * normalise(up, "range")))[0, c]

        for step in range(iterations):
            M, y = tried(u)
            adam.zero_grad()
            (-y).backward()
            adam.step()
            if step % (iterations // 10) == 0:
                if -y > previous:
                    break
                previous = -y.item()
        else:
            M, _ = tried(u)
        maps.append(M)
        stopped.append(step + 1)
    return torch.stack(maps), stopped


@pytest.mark.parametrize("iterations", [20, 50])
def test_an_image_that_the_authors_stop_takes_no_further_step(iterations):
    net, x = affine(), images(6)
    target = torch.tensor([0, 1, 2, 3, 4, 0])
    options = dict(iterations=iterations, learning_rate=3.0)
    want, taken = authors(net, x, target, **options)
    found = optimise(net, x, target, **options, stopping="authors")
    assert found.iterations.tolist() == taken
    assert min(taken) < max(taken), "a test of stopping needs images that stop apart"
    assert torch.allclose(found.map, want, atol=1e-9)
    assert torch.equal(found.after([iterations])[0], found.map)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_half_precision_optimises_as_single_does(dtype, scale):
    """This also holds if squared gradients and Adam's epsilon underflow in half precision."""
    model = seeded(Affine(channels=40)).float()
    with torch.no_grad():
        model.classifier.weight *= scale
    x = ((images() * 255).round() / 255).float()
    want = optimise(wrap(model), x, TARGET, iterations=60)
    found = optimise(wrap(copy.deepcopy(model)).to(dtype), x.to(dtype), TARGET, iterations=60)
    assert found.map.isfinite().all() and found.iterations.tolist() == [60] * 4
    gain = want.objective[-1] - want.objective[0]
    coarse = 8 * torch.finfo(dtype).eps * want.objective[0].abs().clamp_min(scale)
    assert (found.objective[-1] - want.objective[-1]).abs().le(0.1 * gain + coarse).all()
    assert opti_cam(wrap(model).to(dtype), x, TARGET, iterations=2).dtype == dtype


def test_the_authors_relu_on_the_channels():
    net, x = NETWORKS["signed"](), images(2)
    assert (net.features(x) < 0).any()
    want, _ = textbook(net, x, TARGET[:2], relu=True, iterations=12)
    found = opti_cam(net, x, TARGET[:2], relu=True, iterations=12)
    assert torch.allclose(found, want, atol=1e-7) and (found >= 0).all()
    assert not torch.allclose(found, opti_cam(net, x, TARGET[:2], iterations=12), atol=1e-2)
    net = affine()  # its channels are not negative
    assert torch.equal(*(opti_cam(net, x, TARGET[:2], relu=r, iterations=3) for r in (False, True)))


@pytest.mark.parametrize("initial", [0.0, 0.5, 3.0])
def test_the_start_is_the_mean_channel(initial):
    net, x = affine(), images()
    found = optimise(net, x, TARGET, iterations=0, initial=initial)
    assert torch.allclose(found.map, net.features(x).mean(1), atol=1e-12)
    assert found.iterations.tolist() == [0, 0, 0, 0] and len(found.objective) == 0


def test_one_channel_leaves_nothing_to_optimise():
    net, x = wrap(seeded(Affine(channels=1))), images()
    found = optimise(net, x, TARGET)
    assert torch.allclose(found.map, net.features(x)[:, 0])
    assert found.iterations.tolist() == [2, 2, 2, 2]  # it stops after two equal losses


def test_the_defaults_are_the_methods():
    net, x = affine(), images()
    assert torch.equal(
        optimise(net, x, TARGET, iterations=3).map, opti_cam(net, x, TARGET, iterations=3)
    )
    with pytest.raises(TypeError, match="unexpected keyword argument 'rate'"):
        optimise(net, x, TARGET, rate=0.1)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_chunks_change_nothing(chunk):
    net, x = non_linear(), images()
    want = opti_cam(net, x, TARGET, iterations=20)
    assert torch.allclose(opti_cam(net, x, TARGET, iterations=20, chunk=chunk), want, atol=1e-9)


def test_all_channels_dead_gives_zeros():
    model = seeded(NonLinear())
    with torch.no_grad():
        model.norm.weight.zero_()
        model.norm.bias.fill_(-1)
    assert (explain("opti_cam", wrap(model), images(), TARGET) == 0).all()


@pytest.mark.parametrize(
    "option", ["objective", "normalisation", "selector", "schedule", "stopping", "masking"]
)
def test_an_unknown_choice_lists_the_valid_ones(option):
    with pytest.raises(UnknownName, match="'other'.*valid: "):
        opti_cam(affine(), images(), TARGET, **{option: "other"})


def test_a_signed_normalisation_makes_no_mask():
    with pytest.raises(UnknownName, match="normalisation 'signed' .*valid: range, max, sigmoid$"):
        opti_cam(affine(), images(), TARGET, normalisation="signed")
