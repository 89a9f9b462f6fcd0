"""Cascading randomisation: networks whose layers become random from the classifier down."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from ..checks import check_count
from ..store import key
from .architecture import run_in_order
from .classifier import Classifier

Layer = list[str]  # the paths of the modules that are re-initialised together


def cascade(net: Classifier, steps: int = 5, *, seed: int = 0) -> Iterator[tuple[int, Classifier]]:
    """The network, then copies in which more and more layers are random, from the classifier down.

    This is the cascading randomisation test of Adebayo et al. 2018 (section 3). The first step
    re-initialises only the last layer, the last step all layers, and the others are evenly spaced.
    A layer that has become random does not change again. `layers` defines the layers, and
    `reinitialise` how they are drawn.

    Args:
        net: the network, which is not changed; the copies are cut at the same layer and have its
            name.
        steps: the number of copies; Opti-CAM's appendix G takes 5.
        seed: the seed of the random layers; the caller's random state is not disturbed.

    Yields:
        The number of random layers, and the network; first 0 and `net` itself.

    Raises:
        ValueError: there are more steps than layers.

    Example:
        >>> [n for n, _ in cascade(nets.load("scenes_vgg"))]
        [0, 1, 2, 4, 6, 8]
    """
    check_count("steps", steps)
    order = layers(net)[::-1]
    if steps > len(order):
        raise ValueError(f"{steps} steps take as many layers; {net.name} has {len(order)}")
    between = [1 + i * (len(order) - 1) // (steps - 1) for i in range(steps - 1)]
    yield 0, net
    model, done = copy.deepcopy(net.model).cpu(), 0
    for count in [*between, len(order)]:
        for layer in order[done:count]:
            reinitialise(model, layer, seed)
        done = count
        yield count, net.like(copy.deepcopy(model))


@torch.no_grad()
def layers(net: Classifier) -> list[Layer]:
    """The layers of a network, from the image to the classifier, in the order of their calls.

    A layer is a module with a weight, such as a convolution, together with the following modules
    that have only vectors, such as its normalisation.

    Example:
        >>> layers(nets.load("torchvision:resnet18", weights="random"))[0]
        ['conv1', 'bn1']
    """
    found: list[Layer] = []
    for name in _in_call_order(net):
        module = net.model.get_submodule(name)
        if not (_own(module) or isinstance(module, _NormBase)):
            continue
        if not found or any(p.ndim > 1 for p in _own(module)):
            found.append([])
        found[-1].append(name)
    return found


def reinitialise(model: nn.Module, layer: Layer, seed: int) -> None:
    """Re-initialises the modules of a layer in place; the model is on the CPU.

    Each module is reset by its own `reset_parameters`, which also resets the statistics of a batch
    normalisation to 0 and 1. Convolutions are then drawn as in He et al. 2015, because with torch's
    own initialisation activations shrink in every layer and would vanish in a deep network.
    Parameters of modules without such a function, such as the tokens of a transformer, are
    shuffled.
    """
    for name in layer:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(int(key(seed, name), 16) % 2**63)
            _reset(model.get_submodule(name))


def _reset(module: nn.Module) -> None:
    own = _own(module)
    if not hasattr(module, "reset_parameters") or len(own) < len([*module.parameters()]):
        for p in own:
            p.copy_(p.flatten()[torch.randperm(p.numel())].view_as(p))
        return
    module.reset_parameters()
    if isinstance(module, _ConvNd):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")


def _own(module: nn.Module) -> list[Tensor]:
    """The parameters of a module itself, without those of the modules in it."""
    return list(module.parameters(recurse=False))


def _in_call_order(net: Classifier) -> list[str]:
    """The modules' paths by first call; a module that is never called takes its parent's place."""
    x = net.mean.new_zeros(1, 3, net.input_size, net.input_size)
    _, calls = run_in_order(net.model, x)
    place = {"": 0}
    for name, _ in net.model.named_modules():
        place[name] = calls.get(name, place[name.rpartition(".")[0]])
    return sorted(place, key=place.get)
