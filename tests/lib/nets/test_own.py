"""A network of somebody's own, by the function that makes it."""

import os
import pickle
import sys

import pytest
import torch

from lib import nets
from lib.classes import imagenet_descriptions
from lib.errors import UnknownName
from lib.nets.own import is_own, short

NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act = nn.Conv2d(3, 4, 3, 2), nn.ReLU()
        self.inner, self.last = nn.Conv2d(4, 4, 3), nn.ReLU()
        self.classifier = nn.Linear(4, classes)

    def forward(self, x):
        return self.classifier(self.last(self.inner(self.act(self.conv(x)))).mean((2, 3)))

SCALE = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], "input_size": 16}
"""
BUILD = (
    NET
    + """
def build():
    return Net(), SCALE | {"classes": ["a", "b", "c"]}
"""
)


@pytest.fixture
def stand(tmp_path, monkeypatch):
    """`stand(mine="...")` writes mine.py where the user stands; nothing stays imported."""
    path, modules = list(sys.path), set(sys.modules)
    monkeypatch.setenv("PWD", str(tmp_path))

    def write(**files: str):
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        return tmp_path

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.mark.parametrize(
    "name, called",
    [("mine_own:build", "mine_own:build"), ("mine_own.py:build", "mine_own:build"),
     ("{}/mine_own.py:build", "mine_own:build")],
)  # fmt: skip
def test_a_module_or_file_where_the_user_stands(stand, name, called):
    folder = stand(mine_own=BUILD)
    net = nets.load(name.format(folder))
    assert (net.name, net.num_classes, net.classes) == (called, 3, ("a", "b", "c"))
    assert (net.layer, net.input_size) == ("last", 16)
    assert net.mean.flatten().tolist() == pytest.approx([0.5, 0.4, 0.3])
    assert net.std.flatten().tolist() == pytest.approx([0.2, 0.25, 0.3])
    assert pickle.loads(pickle.dumps(net)).fingerprint == net.fingerprint


def test_layer_dtype_and_normalisation_are_the_callers(stand):
    stand(mine_own=BUILD)
    net = nets.load("mine_own:build", layer="act", dtype=torch.float64, normalize=False)
    assert (net.layer, net.dtype) == ("act", torch.float64)
    x = torch.rand(2, 3, 16, 16)
    assert torch.allclose(net(x), net.model(x.double()))


def test_a_file_imports_what_lies_beside_it_and_is_read_anew(stand):
    folder = stand(
        layers_of_mine=NET, mine_own="from layers_of_mine import *\n" + BUILD[len(NET) :]
    )
    assert nets.load(f"{folder}/mine_own.py:build").num_classes == 3
    stand(mine_own=BUILD.replace("Net(), SCALE", "Net(4), SCALE").replace('"c"]', '"c", "d"]'))
    assert nets.load(f"{folder}/mine_own.py:build").num_classes == 4


def test_another_text_of_the_same_length_and_second_is_another_network(stand, monkeypatch):
    """Python's cache of compiled files would give the old one."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    prints = []
    for pooling in ("mean", "amax"):
        folder = stand(mine_own=BUILD.replace("mean((", f"{pooling}(("))
        os.utime(folder / "mine_own.py", (10**9, 10**9))
        prints.append(nets.load(f"{folder}/mine_own.py:build").fingerprint)
    assert prints[0] != prints[1]


def test_a_file_may_be_called_as_a_module_is(stand):
    folder = stand(timm=BUILD)
    import timm

    assert nets.load(f"{folder}/timm.py:build").name == "timm:build"
    assert sys.modules["timm"] is timm


def test_an_installed_module(stand):
    stand()
    assert nets.load("tests.lib.nets.test_own:ready").name == "tests.lib.nets.test_own:ready"


def ready() -> nets.Classifier:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 3), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2),
    )  # fmt: skip
    scale = {"mean": (0.5,) * 3, "std": (0.2,) * 3}
    return nets.wrap(model, "1", **scale, input_size=20, name="ready", classes=("x", "y"))


def test_a_classifier_keeps_its_cut_unless_another_is_asked_for(stand):
    stand()
    want, name = ready(), "tests.lib.nets.test_own:ready"
    net = nets.load(name)
    assert (net.layer, net.classes, net.input_size) == ("1", ("x", "y"), 20)
    assert net.fingerprint == want.fingerprint and net.name == name
    other = nets.load(name, layer="3")
    x = torch.rand(2, 3, 20, 20)
    assert other.layer == "3" and torch.allclose(other(x), want(x), atol=1e-6)
    assert torch.allclose(nets.load(name, normalize=False)(x), want.model(x), atol=1e-6)


def test_a_network_of_timms_says_its_scaling_and_classes(stand):
    stand(
        mine_own="""
import timm
def build():
    return timm.create_model("test_resnet")
def seven():
    return timm.create_model("test_resnet", num_classes=7), {"classes": list("abcdefg")}
"""
    )
    net = nets.load("mine_own:build")
    config = net.model.pretrained_cfg
    assert net.input_size == config["input_size"][-1] == 160
    assert net.mean.flatten().tolist() == pytest.approx(config["mean"])
    assert net.classes == imagenet_descriptions()
    seven = nets.load("mine_own:seven")
    assert seven.classes == tuple("abcdefg") and seven.input_size == 160


# ---------------------------------------------------------------------------------------- weights


def test_a_state_dict_is_loaded_into_it(stand):
    folder = stand(mine_own=BUILD)
    net = nets.load("mine_own:build")
    state = {f"module.{key}": value + 1 for key, value in net.model.state_dict().items()}
    torch.save({"state_dict": state}, folder / "w.pth")
    loaded = nets.load("mine_own:build", weights="w.pth").model.state_dict()
    assert all(torch.equal(loaded[key], state[f"module.{key}"]) for key in loaded)
    torch.save({"other": torch.zeros(1)}, folder / "v.pth")
    with pytest.raises(ValueError, match=r"v.pth does not fit 'mine_own:build'"):
        nets.load("mine_own:build", weights="v.pth")


def test_random_weights_are_the_functions_to_give(stand):
    stand(mine_own=BUILD)
    with pytest.raises(ValueError, match="'random' is not for 'mine_own:build', whose function"):
        nets.load("mine_own:build", weights="random")


def test_a_network_that_the_function_keeps_stays_as_it_is(stand):
    stand(mine_own=NET + "net = Net().train()\ndef build():\n    return net, SCALE\n")
    nets.load("mine_own:build")
    kept = sys.modules["mine_own"].net
    assert kept.training and all(p.requires_grad for p in kept.parameters())


# ----------------------------------------------------------------------------------------- errors

HINT = r'return \(model, \{"mean": ..., "std": ..., "input_size": ..., "classes": \[...\]\}\)'
BODIES = {
    "return Net()": f"returned a network without mean and std: {HINT}",
    "return Net(), {'mean': (0, 0, 0)}": f"returned a network without std: {HINT}",
    "return Net(), (0, 0, 0)": rf"returned \(Net, tuple\), not a network: {HINT}",
    "return {'model': Net()}": f"returned an object of type dict, not a network: {HINT}",
    "return None": f"returned an object of type NoneType, not a network: {HINT}",
    "raise RuntimeError('no disk')": "called without arguments, raised RuntimeError: no disk",
    "return Net(), SCALE | {'size': 3}": "unknown option returned by mine_own:build 'size'.*valid: m",
    "return Net(), SCALE | {'classes': ['a']}": "classes of mine_own:build are 3 names",
    "return Net(), SCALE | {'mean': (1, 2)}": "mean is three numbers",
}  # fmt: skip


@pytest.mark.parametrize("body, message", BODIES.items(), ids=str)
def test_what_the_function_returns_instead_is_named(stand, body, message):
    stand(mine_own=f"{NET}\ndef build():\n    {body}\n")
    with pytest.raises(ValueError, match=message) as error:
        nets.load("mine_own:build")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, kind, message",
    [
        ("nowhere_at_all:build", FileNotFoundError, "no module 'nowhere_at_all' is installed or in"),
        ("nowhere.at.all:build", FileNotFoundError, "no module 'nowhere.at.all' is installed or in"),
        ("torchvison:resnet50", FileNotFoundError, "no module 'torchvison'.*torchvision:<name>"),
        ("no/where.py:build", FileNotFoundError, "there is no file /.*no/where.py"),
        ("mine_own:biuld", UnknownName, "unknown function of mine_own 'biuld' .*'build'.*: Net, build"),
        ("mine_own.py:biuld", UnknownName, "unknown function of mine_own.py 'biuld'.*: Net, build"),
        ("mine_own:SCALE", ValueError, "mine_own:SCALE is dict, not a function"),
        ("mine_own:", ValueError, "network 'mine_own:': give module:function, or file.py:function"),
        ("needs:build", ValueError, "needs cannot be imported: it raised ModuleNotFoundError: No mod"),
        ("needs.py:build", ValueError, "needs.py cannot be imported: it raised ModuleNotFoundErr"),
        ("wrong:build", ValueError, "wrong cannot be imported: it raised SyntaxError"),
        ("takes:build", ValueError, "takes:build, called without arguments, raised TypeError"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_or_called_is_named(stand, name, kind, message):
    takes = "def build(size):\n    pass\n"
    stand(mine_own=BUILD, needs="import nowhere_at_all\n", wrong="def build(:\n", takes=takes)
    with pytest.raises(kind, match=message) as error:
        nets.load(name)
    assert "\n" not in str(error.value)
    assert not {"needs", "wrong"} & sys.modules.keys()


def test_which_names_are_of_functions():
    assert is_own("mine:build") and is_own("/a/b.py:build")
    assert not is_own("torchvision:resnet50") and not is_own("resnet50")
    assert short("a/mine.py:build") == "mine:build" and short("a.mine:build") == "a.mine:build"
