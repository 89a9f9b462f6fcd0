"""Losses and training on a device: the CPU's numbers, and no step for which the host waits."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from lib import data
from testbeds import training
from testbeds.architectures import vgg, vit
from testbeds.wsol import recipes

from ..pretended_device import traffic
from . import tiny
from .test_wsol import Y, images, seeded

READS = {"spg": 3 * 4}  # of each mask: whether any place is sure; which, thrice with the gradient


@pytest.fixture(autouse=True)
def _plain_attention():
    """The CPU has an attention kernel of its own; a device that has none takes these steps."""
    with sdpa_kernel(SDPBackend.MATH):
        yield


def cross_entropy(model, x, y):
    return F.cross_entropy(model(x), y)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("name", recipes.NETWORKS)
def test_a_loss_and_its_gradients_are_the_cpus(name, dtype):
    build, loss = recipes.NETWORKS[name]
    model, found = seeded(build).to(dtype).train(), []
    for device in ("cpu", "pretend"):
        torch.manual_seed(1)
        twin, x, y = deepcopy(model).to(device), images().to(device, dtype), Y.to(device)
        with traffic() as waits:
            value = (loss or cross_entropy)(twin, x, y)
            value.backward()
        found.append([value.detach().cpu(), *(p.grad.cpu() for p in used(twin))])
    assert all(map(torch.equal, *found)) and len(found[0]) > 2
    assert len(waits.reads) == READS.get(name, 0), waits.reads


def used(model):
    return [p for p in model.parameters() if p.grad is not None]


def cnn(classes: int) -> nn.Module:
    """Without dropout, whose random numbers are the device's own."""
    return vgg.VGG(classes, blocks=[(8,)], size=tiny.SIZE, hidden=(8,), dropout=0.0)


def transformer(classes: int) -> nn.Module:
    return vit.vit(classes, size=tiny.SIZE, embed_dim=8, depth=1, num_heads=2)


RECIPES = {
    "CNN": replace(tiny.PLAIN, build=cnn),
    "ViT": replace(tiny.PLAIN, build=transformer),
    "sgd": replace(tiny.PLAIN, build=cnn, optimizer="sgd", schedule="steps"),
}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_training_gives_the_cpus_weights_and_no_step_waits(recipe, monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)
    train, test = (data.load(recipe.dataset, split=split) for split in ("train", "test"))
    reads = []
    for epochs in (1, 2):
        short = replace(recipe, epochs=epochs, floor=0.0)
        want = training.fit(short, train, test, "cpu")
        with traffic() as waits:
            got = training.fit(short, train, test, "pretend")
        reads.append(len(waits.reads))  # all of them after the last step
    assert got.accuracy == want.accuracy
    assert all(torch.equal(got.state_dict[name], w) for name, w in want.state_dict.items())
    assert reads[0] == reads[1], waits.reads
