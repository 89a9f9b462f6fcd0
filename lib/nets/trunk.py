"""A network up to its target layer, as a module that can be trained."""

import copy

from torch import Tensor, nn

from ..errors import UnknownName
from .classifier import Classifier
from .graph_cut import features_graph
from .target_layer import path_of, pick_call


class Trunk(nn.Module):
    """The features of a classifier as a separate network, with its own trainable weights.

    It maps images (B, 3, H, W), scaled for the network, to A (B, K, h, w). If the network can be
    traced, it has only the steps up to the layer; otherwise the whole network runs and the layer's
    output is taken. Tracing is done in eval mode, so dropout that is not a module is left out in
    training too.

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
    """A network whose output is that of one call of one of its modules."""

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
