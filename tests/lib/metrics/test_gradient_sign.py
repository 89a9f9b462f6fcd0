"""Steps along the sign of an explanation."""

import pytest
import torch
from torch import nn

from lib import nets
from lib.errors import UnknownName
from lib.metrics.gradient_sign import gradient_sign
from lib.selectors import CONTRASTS

from ..networks import CLASSES, MEAN, SIZE, STD, affine, images, non_linear, seeded

TARGET = torch.tensor([0, 1, 2, 3])
every = pytest.mark.parametrize("contrast", CONTRASTS)


class Linear(nn.Module):
    """A network with logits linear in the pixels: 1x1 convolution, mean, linear layer."""

    def __init__(self):
        super().__init__()
        self.act = nn.Conv2d(3, 4, 1)
        self.classifier = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.classifier(self.act(x).mean((2, 3)))


def linear():
    return nets.wrap(seeded(Linear()), "act", mean=MEAN, std=STD, input_size=SIZE)


def textbook(net, x, t, contrast, epsilon, steps):
    """The value of one image, from the definition."""
    start, way = x.clone(), []
    for _ in range(steps + 1):
        x = x.clone().requires_grad_()
        y = net(x[None])[0]
        way.append(y.softmax(0)[t].item())
        others = torch.tensor([s for s in range(len(y)) if s != t])
        a = {
            "none": torch.zeros(len(others)).double(),
            "mean": torch.full((len(others),), 1 / len(others)).double(),
            "max": (y[others] == y[others].max()).double(),
            "weighted": y[others].detach().softmax(0),
        }[contrast]
        (y[t] - (a * y[others]).sum()).backward()
        x = x.detach() + epsilon / steps * x.grad.sign()
        x = torch.minimum(torch.maximum(x, start - abs(epsilon)), start + abs(epsilon)).clamp(0, 1)
    return way


@every
@pytest.mark.parametrize("epsilon", [0.03, -0.03])
def test_as_the_textbook(contrast, epsilon):
    net, x = non_linear(), images()
    path = gradient_sign(net, x, TARGET, contrast=contrast, epsilon=epsilon, steps=4)
    for i, t in enumerate(TARGET.tolist()):
        want = textbook(net, x[i], t, contrast, epsilon, 4)
        assert path.p[i].tolist() == pytest.approx(want, abs=1e-9)
    assert torch.allclose(path.epsilon, torch.linspace(0, epsilon, 5).double())


@every
def test_a_linear_network_moves_straight(contrast):
    """Each colour moves by epsilon in the sign of its weight, unless it would leave [0, 1]."""
    net, x, t = linear(), 0.25 + 0.5 * images(1), torch.tensor([2])
    model = net.model
    of_colours = model.classifier.weight @ model.act.weight[:, :, 0, 0] / net.std.view(1, 3)
    a = 0 if contrast == "none" else CONTRASTS[contrast](net(x), t)[0]
    w = of_colours[2] - (a @ of_colours if contrast != "none" else 0)
    assert w.abs().min() > 1e-3
    path = gradient_sign(net, x, t, contrast=contrast, epsilon=1e-4, steps=5)
    assert torch.allclose(path.image, x + 1e-4 * w.sign().view(1, 3, 1, 1), atol=1e-12)
    gained = path.y[0] - path.y[0, 0]
    assert torch.allclose(gained, path.epsilon * (of_colours[2] * w.sign()).sum(), atol=1e-10)


@every
@pytest.mark.parametrize("epsilon", [0.1, -0.1])
def test_it_stays_within_epsilon_and_in_the_image(contrast, epsilon):
    x = images()
    assert (x == 0).any() and (x == 1).any(), "the test needs both ends"
    path = gradient_sign(affine(), x, TARGET, contrast=contrast, epsilon=epsilon, steps=7)
    assert (path.image - x).abs().max() <= 0.1 + 1e-12
    assert path.image.min() >= 0 and path.image.max() <= 1
    assert not torch.allclose(path.image, x)


@every
def test_an_image_does_not_depend_on_its_neighbours(contrast):
    net, x = non_linear(), images()
    options = {"contrast": contrast, "epsilon": 0.05, "steps": 3}
    together = gradient_sign(net, x, TARGET, **options)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = gradient_sign(net, x[order], TARGET[order], **options)
    assert torch.allclose(shuffled.p, together.p[order], atol=1e-10)
    for i in range(4):
        alone = gradient_sign(net, x[i : i + 1], TARGET[i : i + 1], **options)
        assert torch.allclose(alone.y, together.y[i : i + 1], atol=1e-10)
        assert torch.allclose(alone.image, together.image[i : i + 1], atol=1e-10)


def test_the_way_starts_at_the_image_and_says_what_the_network_says():
    net, x = non_linear(), images()
    path = gradient_sign(net, x, TARGET, epsilon=0.1, steps=4)
    for n, at in ((0, x), (-1, path.image)):
        y = net(at)
        assert torch.allclose(path.y[:, n], y.gather(1, TARGET[:, None])[:, 0])
        assert torch.allclose(path.p[:, n], y.softmax(1).gather(1, TARGET[:, None])[:, 0])
        assert torch.equal(path.correct[:, n], y.argmax(1) == TARGET)


def test_small_steps_raise_what_they_follow():
    net, x = non_linear(), images()
    up, down = (gradient_sign(net, x, TARGET, epsilon=e, steps=1) for e in (1e-4, -1e-4))
    assert (up.y[:, 1] > up.y[:, 0]).all() and (down.y[:, 1] < down.y[:, 0]).all()
    up = gradient_sign(net, x, TARGET, contrast="weighted", epsilon=1e-4, steps=1)
    assert (up.p[:, 1] > up.p[:, 0]).all()


def test_nothing_is_left_behind():
    net, x = affine(), images().requires_grad_()
    before = x.detach().clone()
    with torch.no_grad():
        path = gradient_sign(net, x, TARGET, steps=2)
    assert torch.equal(x, before) and x.grad is None and not path.image.requires_grad
    assert all(p.grad is None for p in net.parameters())


def test_bad_input_is_refused():
    net, x = affine(), images()
    with pytest.raises(UnknownName, match="unknown contrast 'least'; valid: none, mean"):
        gradient_sign(net, x, TARGET, contrast="least")
    with pytest.raises(ValueError, match="steps is at least 1, got 0"):
        gradient_sign(net, x, TARGET, steps=0)
    with pytest.raises(ValueError, match=r"images are in \[0, 1\]"):
        gradient_sign(net, 255 * x, TARGET)
    with pytest.raises(ValueError, match="class 9 is out of range"):
        gradient_sign(net, x, 9)
