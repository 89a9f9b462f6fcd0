"""Layouts other than maps (B, K, h, w), on small networks."""

import pytest
import torch
from torch import Tensor, nn

from lib import nets
from lib.nets.activation import context_of
from lib.nets.grid import Grid, grid_of_tokens
from lib.nets.weights import build

from .small import SIZE, ChannelsLast, Tokens, images, output_of, seeded


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize("size", [(16, 16), (16, 24), (24, 8)])
def test_tokens_become_a_grid(prefix, size):
    model, x = seeded(Tokens, prefix=prefix), images(size=size)
    net = nets.wrap(model, "norm", input_size=32)
    A, (h, w) = net.features(x), (size[0] // 4, size[1] // 4)
    assert A.shape == (2, 6, h, w)
    tokens = output_of(model, "norm", x)[:, prefix:]  # (B, N, 6), raster order
    torch.testing.assert_close(torch.Tensor(A[:, :, 1, 1].detach()).double(), tokens[:, w + 1])
    torch.testing.assert_close(net.head(A), model(x))
    torch.testing.assert_close(net.head(A.detach().clone() * 1, context_of(A)), model(x))


def grid_of(model: nn.Module, layer: str = "norm", size: int = SIZE) -> torch.Size:
    return nets.wrap(model, layer, input_size=size).features(images(size=(size, size))).shape


class Fixed(Tokens):
    """Takes images of one size, as with learnt positions; patches are no convolution."""

    def __init__(self, prefix: int, grid: int):
        super().__init__(prefix)
        self.patch, self.unfold = (
            nn.Linear(3 * (SIZE // grid) ** 2, 6),
            nn.Unfold(SIZE // grid, stride=SIZE // grid),
        )
        self.position = nn.Parameter(torch.randn(1, grid**2, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(self.unfold(x).transpose(1, 2)) + self.position
        x = self.norm(torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1))
        return self.classifier((x + self.mix(x).tanh()).mean(1) + x[:, 0])


def test_prefix_tokens_are_told_by_the_convolution_that_makes_the_patches():
    """25 tokens are a square, and yet 9 prefix tokens and a grid of 4 x 4."""
    assert grid_of(seeded(Tokens, prefix=9)) == (2, 6, 4, 4)


def test_declared_prefix_tokens_are_believed_of_any_module():
    """9 tokens are a square of 3 x 3, or five prefix tokens and a grid of 2 x 2."""
    model = seeded(Fixed, prefix=5, grid=2)
    with pytest.raises(
        ValueError,
        match=r"\(B, 0 \+ h\*w, K\) with h x w = 3 x 3 or \(B, 5 \+ h\*w, K\) with h x w = 2 x 2: .*num_prefix_tokens",
    ):
        grid_of(model)
    model.num_prefix_tokens = 5
    assert grid_of(model) == (2, 6, 2, 2)
    assert grid_of(nn.Sequential(model, nn.Identity()), "0.norm") == (2, 6, 2, 2)
    assert grid_of(nn.DataParallel(model)) == (2, 6, 2, 2)
    named = seeded(Fixed, prefix=5, grid=2)
    named.cls_token, named.reg_token = (
        nn.Parameter(torch.zeros(1, 1, 6)),
        nn.Parameter(torch.zeros(1, 4, 6)),
    )
    assert grid_of(nn.Sequential(named), "0.norm") == (2, 6, 2, 2)


@pytest.mark.parametrize("name, layer, want", [
    ("mixer_s32_224", "blocks.1.mlp_tokens", (2, 512, 2, 2)),
    ("mixer_s32_224", "blocks.1.norm2", (2, 512, 2, 2)),
])  # fmt: skip
def test_tokens_may_be_the_last_dimension(name, layer, want):
    model = build(name, img_size=64)
    net, x = nets.wrap(model, layer, input_size=64), torch.rand(2, 3, 64, 64)
    assert net.features(x).shape == want
    torch.testing.assert_close(net.head(net.features(x)), model.eval()(x), atol=1e-5, rtol=1e-4)


class Oblong(nn.Module):
    """Maps of 16 channels and 16 x 8 positions, of square images."""

    def __init__(self, fixed: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, (1, 2), padding=1)
        self.classifier = nn.Linear(16 * 16 * 8 if fixed else 16, 3)
        self.fixed = fixed

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).tanh()
        return self.classifier(x.flatten(1) if self.fixed else x.mean((2, 3)))


@pytest.mark.parametrize("fixed", [False, True])
def test_maps_need_not_be_square(fixed):
    model, x = seeded(Oblong, fixed=fixed), images()
    net = nets.wrap(model, "conv", input_size=SIZE)
    torch.testing.assert_close(net.features(x), output_of(model, "conv", x))


class Cube(nn.Module):
    """As many channels as rows and columns, of images of one size; windows attend to themselves, or all
    to all."""

    def __init__(self, last: bool, far: bool = False):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8) if last else nn.BatchNorm2d(8)
        self.position, self.classifier = nn.Parameter(torch.rand(8, 8, 8)), nn.Linear(8, 3)
        self.last, self.far = last, far

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x) + self.position
        x = x + x.mean((2, 3), keepdim=True) if self.far else x
        x = self.norm(x.permute(0, 2, 3, 1) if self.last else x)
        return self.classifier(x.mean((1, 2)) if self.last else x.mean((2, 3)))


@pytest.mark.parametrize("last", [False, True])
def test_a_corner_of_the_image_tells_channels_from_rows(last):
    model, x = seeded(Cube, last=last), images()
    A = output_of(model, "norm", x)
    net = nets.wrap(model, "norm", input_size=SIZE)
    torch.testing.assert_close(net.features(x), A.permute(0, 3, 1, 2) if last else A)


def test_what_nothing_tells_is_refused_with_both_readings():
    readings = (
        r"\(B, K, h, w\) with h x w = 8 x 8 or \(B, h, w, K\) with h x w = 8 x 8: choose another"
    )
    for last in (False, True):
        with pytest.raises(ValueError, match=rf"layer 'norm' gives \(2, 8, 8, 8\), .* {readings}"):
            nets.wrap(seeded(Cube, last=last, far=True), "norm", input_size=SIZE)


def test_swin_at_384_has_as_many_channels_as_rows():
    options = {"img_size": 384, "depths": (1, 1), "num_classes": 3}
    model = build("swin_tiny_patch4_window7_224", **options)
    net = nets.wrap(model, "layers.0", input_size=384)
    x = torch.rand(1, 3, 384, 384)
    torch.testing.assert_close(
        net.features(x)[0], output_of(net.model, "layers.0", x)[0].permute(2, 0, 1)
    )


def test_tokens_that_hold_no_grid_are_refused():
    with pytest.raises(ValueError, match="16 tokens are no grid of an image"):
        Grid("tokens", (4, 4)).split(torch.zeros(2, 16, 6), (16, 40))
    with pytest.raises(ValueError, match="1 tokens are no grid of an image"):
        grid_of_tokens(1, (16, 16), None)


@pytest.mark.parametrize("size", [(16, 16), (16, 24)])
def test_channels_last_become_channels_first(size):
    model, x = seeded(ChannelsLast), images(size=size)
    net = nets.wrap(model, "mix", input_size=SIZE)
    A = net.features(x)
    torch.testing.assert_close(A, output_of(model, "mix", x).permute(0, 3, 1, 2))
    torch.testing.assert_close(net.head(A), model(x))
