"""A device that is not here is refused in a sentence, before anything is read."""

import pytest
import torch

from lib import nets
from lib.nets import check_device


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu")])
def test_a_device_of_this_machine_passes(device):
    check_device(device)


@pytest.mark.parametrize("device", ["quux", "cuda:97", "meta", "", 3.5])
def test_another_is_refused_and_those_that_are_here_are_named(device):
    with pytest.raises(ValueError, match=r"there is no device '.*' here; take one of: cpu"):
        check_device(device)


def test_no_weights_are_read_for_it(monkeypatch):
    monkeypatch.setattr(nets, "load_weights", lambda *_: pytest.fail("read"))
    with pytest.raises(ValueError, match="there is no device 'quux' here"):
        nets.load("resnet18", weights="random", device="quux")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_is_a_device():
    check_device("cuda")
