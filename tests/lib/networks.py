"""Small networks with seeded weights, in double precision, and images of noise for them.

    affine       conv, batch norm, ReLU | average pooling, linear
    signed       conv, batch norm, tanh | average pooling, linear
    non_linear   conv, batch norm, ReLU | max pooling, linear, ReLU, linear
    residual     conv, batch norm, ReLU | conv plus a shortcut, ReLU, average pooling, linear
    untraceable  as affine, with control flow that cannot be traced

    transformer  a ViT of two blocks, 8 x 8 patches and a class token, for images of any size
    distilled    a DeiT with a distillation token
    registers    a ViT with three register tokens
    untraceable_transformer  as transformer, with control flow that cannot be traced

    latent       a CALM on the features of affine
    untraceable_latent  as latent, with control flow that cannot be traced

The bar marks the target layer: the network is cut there. Transformers are cut before the attention
of their last block. Each call makes a new model, so a test may change it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from timm.models.deit import VisionTransformerDistilled
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lib import nets
from lib.data import Dataset, Sample
from lib.nets.calm import CALM

SIZE, CHANNELS, CLASSES = 16, 6, 5
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


class Affine(nn.Module):
    """conv, batch norm, activation, global average pooling, linear."""

    def __init__(
        self, activation: type[nn.Module] = nn.ReLU, channels: int = CHANNELS, stride: int = 2
    ):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = activation()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        return self.classifier(self.pool(x).flatten(1))


class NonLinear(nn.Module):
    """conv, batch norm, ReLU, max pooling, linear, ReLU, linear: a VGG of one convolution."""

    def __init__(self, channels: int = CHANNELS):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, 2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(channels * (SIZE // 4) ** 2, 12)
        self.hidden_act = nn.ReLU()
        self.classifier = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.norm(self.conv(x))))
        return self.classifier(self.hidden_act(self.hidden(x.flatten(1))))


class Residual(Affine):
    """A network where a shortcut crosses the cut, so that the head needs more than the activation."""

    def __init__(self, channels: int = CHANNELS):
        super().__init__(channels=channels)
        self.branch = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        stem = self.norm(self.conv(x))
        A = self.branch(self.act(stem)) + stem
        return self.classifier(self.pool(A.relu()).flatten(1))


class Untraceable(Affine):
    """As `Affine`, but with control flow that cannot be traced; it refuses large batches midway."""

    LARGE = 200

    def forward(self, x: Tensor) -> Tensor:
        A = self.act(self.norm(self.conv(x)))
        if len(A) >= self.LARGE:
            raise RuntimeError(f"a batch of {len(A)} is too large")
        return self.classifier(self.pool(A).flatten(1))


class Gate(nn.Module):
    """Squeeze and excitation: each channel times a sigmoid of a linear layer of the channel means."""

    def __init__(self, channels: int):
        super().__init__()
        self.squeeze = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.squeeze(x.mean((2, 3))).sigmoid()[..., None, None]


class UntraceableTransformer(VisionTransformer):
    """A vision transformer with control flow that cannot be traced."""

    LARGE = 200

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        if len(x) >= self.LARGE:
            raise RuntimeError(f"a batch of {len(x)} is too large")
        return super().forward_head(x, pre_logits)


HEADS = {  # layers from maps (B, CHANNELS, 8, 8) up to the classifier
    "hidden": lambda: [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(CHANNELS * 16, 12), nn.ReLU()],
    "deep": lambda: [nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(),
                     nn.Linear(CHANNELS * 9, 12), nn.ReLU(inplace=True), nn.Dropout(),
                     nn.Linear(12, 12), nn.ReLU(inplace=True)],
    "one_by_one": lambda: [nn.Conv2d(CHANNELS, 12, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU6(inplace=True),
                           nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    "three_by_three": lambda: [nn.Conv2d(CHANNELS, 12, 3, 2, 1), nn.SiLU(), nn.Conv2d(12, 12, 3), nn.GELU(),
                               nn.AvgPool2d(2), nn.Flatten()],
    "pool_then_relu": lambda: [nn.Conv2d(CHANNELS, 12, 3), nn.MaxPool2d(2), nn.ReLU(),
                               nn.AdaptiveMaxPool2d(1), nn.Flatten()],
    "normalised": lambda: [nn.BatchNorm2d(CHANNELS), nn.Conv2d(CHANNELS, 12, 1, 2), nn.Hardswish(),
                           nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    "gated": lambda: [Gate(CHANNELS), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                      nn.Linear(CHANNELS, 12), nn.Tanh()],
}  # fmt: skip


class Headed(Affine):
    """conv, batch norm, ReLU | one of `HEADS`, linear."""

    def __init__(self, head: str, channels: int = CHANNELS):
        super().__init__(channels=channels)
        self.middle = nn.Sequential(*HEADS[head]())
        self.pool = None
        width = self.middle(torch.zeros(2, channels, 8, 8)).shape[1]
        self.classifier = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.middle(self.act(self.norm(self.conv(x)))))


def seeded(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model in double precision and eval mode, with weights large enough for decided logits."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.weight.normal_(
                    std=(2 / module.weight[0].numel()) ** 0.5, generator=generator
                )
                if module.bias is not None:
                    module.bias.normal_(std=0.1, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.3, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                module.weight.uniform_(0.5, 2, generator=generator)
                module.bias.normal_(std=0.3, generator=generator)
        model.classifier.weight *= 3
    return model


def tokens(kind: type[VisionTransformer] = VisionTransformer, seed: int = 0, **options):
    """A bare vision transformer whose attention and probabilities are far from uniform."""
    small = dict(img_size=SIZE, patch_size=2, embed_dim=12, depth=2, num_heads=3)
    model = kind(num_classes=CLASSES, **small | options)
    generator = torch.Generator().manual_seed(seed)
    model = model.double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1.0 if parameter.ndim < 2 or "embed" in name else parameter[0].numel() ** -0.5
            parameter.normal_(std=2 * scale, generator=generator)
            if "norm" in name:  # otherwise equal weights would leave a map of rounding errors
                parameter.mul_(0.1).add_(1.0 if name.endswith("weight") else 0.0)
    return model


def with_dead_channels(model: Affine, dead: int = 3) -> Affine:
    """The same function, with added channels that are always zero and have large weights."""
    channels = model.conv.out_channels
    wide = Affine(channels=channels + dead).double().eval()
    alive = torch.arange(channels) + (torch.arange(channels) >= 2) * dead
    with torch.no_grad():
        wide.conv.weight.zero_()
        wide.norm.bias.fill_(-1)
        wide.classifier.weight.fill_(7)
        wide.conv.weight[alive] = model.conv.weight
        for name in ("weight", "bias", "running_mean", "running_var"):
            getattr(wide.norm, name)[alive] = getattr(model.norm, name)
        wide.classifier.weight[:, alive] = model.classifier.weight
        wide.classifier.bias.copy_(model.classifier.bias)
    return wide


def wrap(model: nn.Module, **options) -> nets.Classifier:
    """The model, cut at its activation, with normalisation of its input."""
    options = {"mean": MEAN, "std": STD, "input_size": SIZE} | options
    return nets.wrap(model, "act", **options)


def affine(**options) -> nets.Classifier:
    return wrap(seeded(Affine(**options)))


def signed() -> nets.Classifier:
    return wrap(seeded(Affine(nn.Tanh)))


def non_linear() -> nets.Classifier:
    return wrap(seeded(NonLinear()))


def residual() -> nets.Classifier:
    return wrap(seeded(Residual()))


def untraceable() -> nets.Classifier:
    return wrap(seeded(Untraceable()))


def headed(head: str) -> nets.Classifier:
    return wrap(seeded(Headed(head)))


def wrap_tokens(model: VisionTransformer) -> nets.Classifier:
    return nets.wrap(model, mean=MEAN, std=STD, input_size=SIZE)


def transformer() -> nets.Classifier:
    return wrap_tokens(tokens(dynamic_img_size=True))


def distilled() -> nets.Classifier:
    return wrap_tokens(tokens(VisionTransformerDistilled))


class Features(nn.Sequential):
    """The features of the affine network."""

    def __init__(self):
        model = Affine()
        super().__init__(model.conv, model.norm, model.act)


class UntraceableFeatures(Features):
    """As `Features`, but with control flow that cannot be traced."""

    LARGE = 200

    def forward(self, x: Tensor) -> Tensor:
        if len(x) >= self.LARGE:
            raise RuntimeError(f"a batch of {len(x)} is too large")
        return super().forward(x)


def latent(features: type[nn.Module] = Features) -> nets.Classifier:
    model = CALM(features(), CHANNELS, CLASSES)
    model.classifier = model.g  # `seeded` scales its weights
    model = seeded(model)
    del model.classifier
    return nets.wrap(model, mean=MEAN, std=STD, input_size=SIZE)


def untraceable_latent() -> nets.Classifier:
    return latent(UntraceableFeatures)


def registers() -> nets.Classifier:
    return wrap_tokens(tokens(reg_tokens=3))


def untraceable_transformer() -> nets.Classifier:
    return wrap_tokens(tokens(UntraceableTransformer, dynamic_img_size=True))


NETWORKS = {f.__name__: f for f in (affine, signed, non_linear, residual, untraceable)}


@dataclass(frozen=True)
class Family:
    """Networks on which a method runs.

    Attributes:
        networks: all networks, by name.
        plain: the network for tests on one network only; it takes images of any size.
        untraceable: the same function; it cannot be traced and refuses large batches midway.
    """

    networks: dict[str, Callable[[], nets.Classifier]]
    plain: Callable[[], nets.Classifier]
    untraceable: Callable[[], nets.Classifier]


CONVOLUTIONS = Family(NETWORKS, affine, untraceable)
TRANSFORMERS = Family(
    {f.__name__: f for f in (transformer, distilled, registers, untraceable_transformer)},
    transformer,
    untraceable_transformer,
)


LATENT = Family({f.__name__: f for f in (latent, untraceable_latent)}, latent, untraceable_latent)


def family(needs: frozenset[str]) -> Family:
    """The networks for a method with those needs."""
    if "latent position" in needs:
        return LATENT
    return TRANSFORMERS if "attention" in needs else CONVOLUTIONS


def images(n: int = 4, size: tuple[int, int] = (SIZE, SIZE), seed: int = 1) -> Tensor:
    """Smooth noise in [0, 1], (n, 3, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 6, 6, generator=generator, dtype=torch.float64)
    return nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)


@dataclass(frozen=True)
class Noise:
    """A record of smooth noise, in memory."""

    seed: int
    target: int | None
    annotated = frozenset()

    @property
    def id(self) -> str:
        return f"noise_{self.seed}"

    def sample(self, size: tuple[int, int]) -> Sample:
        return Sample(images(1, size, self.seed)[0], self.target, self.id)

    def fingerprint(self) -> str:
        return self.id


def references(n: int = 12, classes: int = CLASSES, seed: int = 100) -> Dataset:
    """A dataset of noise, with each class in turn."""
    records = tuple(Noise(seed + i, i % classes) for i in range(n))
    return Dataset("noise", records, (SIZE, SIZE), tuple(map(str, range(classes))))


def maps(n: int = 4, size: tuple[int, int] = (SIZE, SIZE), seed: int = 2) -> Tensor:
    """Noise in [0, 1], (n, H, W), without ties."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, *size, generator=generator, dtype=torch.float64)


def normalised(net: nets.Classifier, x: Tensor) -> Tensor:
    """The normalised images, as the bare model takes them."""
    return (x - net.mean) / net.std


class Brightness(nn.Module):
    """Two classes with p_0 = sigmoid(gain * mean of the image - shift), for metrics in closed form."""

    def __init__(self, gain: float = 4.0, shift: float = 1.0):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(1, 2)
        self.double().eval()
        with torch.no_grad():
            self.conv.weight.fill_(1 / 3)
            self.conv.bias.zero_()
            self.classifier.weight.copy_(torch.tensor([[gain], [0.0]]))
            self.classifier.bias.copy_(torch.tensor([-shift, 0.0]))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pool(self.act(self.conv(x))).flatten(1))


def brightness(gain: float = 4.0, shift: float = 1.0) -> nets.Classifier:
    return nets.wrap(Brightness(gain, shift), "act", input_size=SIZE)
