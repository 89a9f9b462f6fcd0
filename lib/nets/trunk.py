"""A network up to its target layer, as a module that can be trained on."""

import copy

from torch import Tensor, nn

from ..errors import UnknownName
from .classifier import Classifier
from .graph_cut import features_graph
from .target_layer import path_of, pick_call


class Trunk(nn.Module):
    """The features of a classifier as a network of its own, with weights of its own that learn:
    images (B, 3, H, W), scaled as the network takes them, to A (B, K, h, w).

    Where the network can be traced, only what leads to the layer is there. Else the whole network is,
    and stops at the layer. A traced network is that of eval mode but for its modules: dropout that is
    no module is left out in training too.

    Attributes:
        channels: K.

    Example:
        >>> trunk = Trunk(nets.load("torchvision:resnet18", weights="random"))
        >>> trunk(torch.rand(1, 3, 224, 224)).shape, trunk.channels
        (torch.Size([1, 512, 7, 7]), 512)
    """

    def __init__(self, net: Classifier):
        super().__init__()
        model = copy.deepcopy(net.model)
        try:
            self.model: nn.Module = features_graph(model, net.layer)
        except UnknownName:
            raise
        except Exception:  # tracing runs the network's own code, which may raise anything
            self.model = _Stopped(model, net.layer)
        self.grid = net._grid
        x = net.normalise(net._probe(1))
        self.channels = self(x).shape[1]
        self.requires_grad_(True)

    def forward(self, x: Tensor) -> Tensor:
        return self.grid.split(self.model(x), x.shape[2:])[0]


class _Stopped(nn.Module):
    """A network that stops at a call of one of its modules, whose output it gives."""

    def __init__(self, model: nn.Module, layer: str):
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, x: Tensor) -> Tensor:
        calls: list[Tensor] = []
        hook = self.model.get_submodule(path_of(self.layer)).register_forward_hook(
            lambda _, args, out: calls.append(out)
        )
        try:
            self.model(x)
        finally:
            hook.remove()
        return pick_call(calls, self.layer)
