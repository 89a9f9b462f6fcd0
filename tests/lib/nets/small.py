"""Small networks that hold what makes cutting hard: in place, twice, around, not traceable."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIZE = 16


class Net(nn.Module):
    """conv, ReLU, residual conv, pool, linear, in the ways that networks are written."""

    def __init__(self, inplace: bool = False, functional: bool = False, untraceable: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, 2, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace)  # runs twice
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(4, 3)
        self.aside = nn.Conv2d(3, 4, 1)  # runs without influence
        self.unused = nn.Conv2d(3, 4, 1)
        self.functional, self.untraceable = functional, untraceable

    def forward(self, x: Tensor) -> Tensor:
        if self.untraceable and x.sum() < -1e9:
            return x
        self.aside(x)
        x = self.act(self.norm(self.conv(x)))
        skip = self.pool(x)
        skip += 0.5 * F.max_pool2d(x, 2)  # overwrites what the layer gave
        x = self.inner(skip)
        x = F.relu(x, inplace=True) if self.functional else self.act(x)
        return self.classifier((x + skip).mean((2, 3)))


class Tokens(nn.Module):
    """A small transformer without position embeddings: any image size."""

    def __init__(self, prefix: int = 2):
        super().__init__()
        self.patch, self.norm = nn.Conv2d(3, 6, 4, 4), nn.LayerNorm(6)
        self.prefix = nn.Parameter(torch.randn(1, prefix, 6))
        self.mix, self.classifier = nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)  # (B, N, 6)
        x = self.norm(torch.cat([self.prefix.expand(len(x), -1, -1), x], dim=1))
        return self.classifier((x + self.mix(x).tanh()).mean(1) + x[:, 0])


class ChannelsLast(nn.Module):
    """Maps (B, h, w, K) inside."""

    def __init__(self):
        super().__init__()
        self.stem, self.mix, self.classifier = (
            nn.Conv2d(3, 6, 4, 4),
            nn.Linear(6, 5),
            nn.Linear(5, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.mix(self.stem(x).permute(0, 2, 3, 1)).relu().mean((1, 2)))


def seeded(model: type[nn.Module], **options) -> nn.Module:
    torch.manual_seed(0)
    model = model(**options).double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def images(n: int = 2, size: tuple[int, int] = (SIZE, SIZE)) -> Tensor:
    return torch.rand(n, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def output_of(model: nn.Module, layer: str, x: Tensor, call: int = -1) -> Tensor:
    """What the layer gives in a plain pass, at its `call`-th call."""
    outputs = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda m, a, out: outputs.append(out.detach().clone())
    )
    with torch.no_grad():
        model(x)
    hook.remove()
    return outputs[call]
