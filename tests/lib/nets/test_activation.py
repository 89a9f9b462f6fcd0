"""The context of A: it follows, or is asked for, and is never another image's."""

import pytest
import torch
from torch import Tensor, nn

from lib import nets
from lib.nets import context_of
from lib.nets.activation import Activation


@pytest.fixture(scope="module")
def residual() -> nets.Classifier:
    """A small network whose skip connection crosses the cut."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.conv = nn.Conv2d(3, 4, 3, 2), nn.Conv2d(4, 4, 3, padding=1)
            self.act, self.classifier = nn.ReLU(), nn.Linear(4, 3)

        def forward(self, x):
            x = self.stem(x)
            return self.classifier(self.act(self.conv(x) + x).mean((2, 3)))

    torch.manual_seed(0)
    return nets.wrap(Residual().double(), "conv", input_size=9)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(4, 3, 9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "operation",
    [
        lambda A: A.detach(),
        lambda A: A.clone(),
        lambda A: A.detach().requires_grad_(),
        lambda A: 2 * A / 2,
        lambda A: A + torch.zeros_like(A),
        lambda A: torch.where(torch.ones_like(A, dtype=torch.bool), A, 0.0),
        lambda A: A * torch.ones(len(A), 4, 1, 1),
        lambda A: A.contiguous(memory_format=torch.channels_last),
        lambda A: A[:],
    ],
)
def test_context_follows_what_keeps_the_images(residual, images, operation):
    A = operation(residual.features(images))
    assert isinstance(A, Activation)
    torch.testing.assert_close(residual.head(A), residual(images))


@pytest.mark.parametrize(
    "index", [torch.tensor([3, 2, 1, 0]), torch.tensor([0, 0, 2]), slice(1, 3), [2, 0],
              torch.tensor([True, False, False, True])], ids=str,
)  # fmt: skip
def test_context_follows_an_index_by_images(residual, images, index):
    torch.testing.assert_close(
        residual.head(residual.features(images)[index]), residual(images)[index]
    )


@pytest.mark.parametrize(
    "operation",
    [
        lambda A: A.flip(0),
        lambda A: torch.flip(A, (0,)),
        lambda A: A.roll(1, 0),
        lambda A: A.index_select(0, torch.tensor([1, 0, 3, 2])),
        lambda A: A[:, [1, 0, 2, 3]],
        lambda A: torch.cat([A, A]),
        lambda A: A.repeat(2, 1, 1, 1),
    ],
)
def test_where_the_images_may_have_moved_the_context_is_asked_for(residual, images, operation):
    """Never the skip connection of another image, silently."""
    A = operation(residual.features(images))
    with pytest.raises(ValueError, match=r"needs more than A .*context_of"):
        residual.head(A)


def test_context_of_a_plain_tensor_is_none(images):
    assert context_of(images) is None
