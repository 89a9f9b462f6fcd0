"""Names, weights and their files."""

import pickle

import pytest
import torch

from lib import data, manifests, nets
from lib.classes import imagenet_descriptions
from lib.errors import UnknownName
from lib.nets import weights
from lib.nets.weights import build, load_weights

NAME = "tf_efficientnet_lite0"
SMALL = "torchvision:squeezenet1_1"
TINY = "test_resnet"  # timm's own, of 0.5 M parameters


def test_an_unknown_network_lists_close_names_and_those_with_weights():
    with pytest.raises(
        UnknownName, match=r"unknown network 'resnet_50' .*valid: .*tf_efficientnet_lite0.*resnet50"
    ):
        nets.load("resnet_50")
    with pytest.raises(UnknownName, match=r"<module>:<function>, <file>.py:<function>"):
        nets.load("my_network")
    with pytest.raises(
        UnknownName, match=r"did you mean 'torchvision:resnet50'.*torchvision:alexnet"
    ):
        nets.load("torchvision:resnet_50")


def test_random_weights_are_the_same_at_each_call_and_leave_the_global_seed_alone():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = build(TINY).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    two = build(TINY).state_dict()
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert next(iter(one.values())).std() > 0


def test_missing_weights_say_where_it_looked_and_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setenv("CAMS_DATA", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=rf"(?s){tmp_path}.*python -m lib data fetch torchvision:resnet50"
    ):
        nets.load("torchvision:resnet50")
    with pytest.raises(
        FileNotFoundError,
        match=r"no weights for 'test_resnet'.*data_manifests/weights.*weights='random'",
    ):
        nets.load(TINY)
    with pytest.raises(FileNotFoundError, match=r"no file '.*nowhere.pth'"):
        nets.load(TINY, weights=tmp_path / "nowhere.pth")


@pytest.fixture
def state() -> dict:
    """Weights unlike the random ones."""
    return {
        key: value + 1 if value.is_floating_point() else value
        for key, value in build(TINY).state_dict().items()
    }


WRAPPINGS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model": lambda state: {"model": state, "optimizer": {}},
    "parallel": lambda state: {f"module.{key}": value for key, value in state.items()},
    "compiled": lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    "compiled part": lambda state: {
        key.replace("layer1.", "layer1._orig_mod."): value for key, value in state.items()
    },
    "lightning": lambda state: {
        "state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 3, "callbacks": {}
    },
    "all around": lambda state: {
        "model_state_dict": {f"net._orig_mod.module.{key}": value for key, value in state.items()}
    },
    "net": lambda state: {"net": state, "acc": 93.1},
    "averaged": lambda state: {
        "state_dict": {key: value * 0 for key, value in state.items()}, "state_dict_ema": state
    },
    "torchvision's averaged": lambda state: {
        "model": {key: value * 0 for key, value in state.items()},
        "model_ema": {f"module.{key}": value for key, value in state.items()} | {"n_averaged": torch.ones(())},
    },
    "counted": lambda state: state | {"total_ops": torch.ones(1), "layer1.0.total_params": torch.ones(1)},
    "both": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
}  # fmt: skip


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_state_dicts_of_training_scripts_load(state, wrapping, tmp_path):
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "w.pth")
    loaded = load_weights(build(TINY), TINY, tmp_path / "w.pth").state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_the_file_decides_the_number_of_classes(tmp_path):
    torch.save(build(TINY, num_classes=7).state_dict(), tmp_path / "w.pth")
    net = nets.load(TINY, weights=str(tmp_path / "w.pth"))
    assert net.num_classes == 7


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda k: f"encoder.{k}", "its names begin with 'encoder.': save it without$"),
        (lambda k: k.removeprefix("conv1."), r"1 missing \(conv1.weight\)|its names lack 'conv1.' in"),
        (lambda k: k.replace("fc.", "head."), r"2 missing \(fc.weight, fc.bias\); 2 not the network's \(head.w"),
    ],
)  # fmt: skip
def test_a_prefix_in_the_way_is_named(state, change, message, tmp_path):
    torch.save({change(key): value for key, value in state.items()}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=f"w.pth does not fit 'test_resnet': .*{message}") as error:
        nets.load(TINY, weights=tmp_path / "w.pth")
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


def test_the_networks_own_prefix_is_kept_and_a_missing_one_is_added():
    def named(own, state):
        return weights.named_as(own, dict.fromkeys(state)).keys()

    assert named(["model.a"], ["model.a"]) == {"model.a"}
    assert named(["model.a"], ["a"]) == named(["model.a"], ["module.a"]) == {"model.a"}
    assert named(["a", "model.b"], ["a", "model.b"]) == {"a", "model.b"}
    assert named(["a"], ["model.a", "loss.weight"]) == {"a", "loss.weight"}
    assert named(["a"], ["a", "model.b"]) == {"a", "model.b"}
    assert named(["total_ops"], ["total_ops"]) == {"total_ops"}


def test_another_networks_weights_do_not_fit(tmp_path):
    torch.save(build(SMALL).state_dict(), tmp_path / "w.pth")
    with pytest.raises(
        ValueError, match=r"w.pth does not fit 'test_resnet': 92 missing .conv1.0.weight, "
    ):
        nets.load(TINY, weights=tmp_path / "w.pth")


@pytest.mark.parametrize(
    "content",
    [torch.zeros(3), [torch.zeros(3)], {1: torch.zeros(3)}],
    ids=["tensor", "list", "ints"],
)
def test_a_file_without_a_state_dict(content, tmp_path):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"w.pth holds no state dict"):
        nets.load(TINY, weights=tmp_path / "w.pth")


class Poison:
    """Writes a file when it is unpickled."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return open, (str(self.place / "ran"), "w")


def _poisoned(folder) -> list[str]:
    """Checkpoints of both of torch's formats, and bare pickles, with a poison beside good weights."""
    content = {"state_dict": build(TINY).state_dict(), "epoch": Poison(folder)}
    torch.save(content, folder / "new.pth")
    torch.save(content, folder / "old.pth", _use_new_zipfile_serialization=False)
    (folder / "bare.pth").write_bytes(pickle.dumps({"epoch": Poison(folder)}))
    return ["new.pth", "old.pth", "bare.pth"]


def test_a_file_that_is_no_checkpoint_or_would_run_code(tmp_path):
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save(print, tmp_path / "code.pth")
    for name in ("text.pth", "code.pth", *_poisoned(tmp_path)):
        with pytest.raises(
            ValueError, match=f"{name}: not a state dict that loads with weights_only=True"
        ):
            nets.load(TINY, weights=tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name, recognised, among_five",
    [(NAME, (17, 87), (20, 98)), ("torchvision:squeezenet1_1", (13, 74), (20, 94))],
)
def test_the_embedded_networks_recognise_the_photographs(name, recognised, among_five):
    """Of the 20 of one package and the 100 of the other."""
    net = nets.load(name)
    photographs = data.load("imagenet_embedded", size=net.input_size)
    targets = torch.tensor(photographs.targets)[:, None]
    with torch.no_grad():
        x = torch.stack([sample.image for sample in photographs])
        five = torch.cat([net(one).topk(5).indices for one in x.split(20)]) == targets
    first, any_of = five[:, 0].int(), five.any(1).int()
    assert (first[:20].sum(), first[20:].sum()) == recognised
    assert (any_of[:20].sum(), any_of[20:].sum()) == among_five


def test_tensors_in_order_follow_the_file_and_not_its_names():
    entry = manifests.read("weights")[NAME]
    file = list(torch.load(manifests.locate(entry), weights_only=True).values())
    model = load_weights(build(NAME), NAME, None).state_dict()
    assert entry["tensors"] == "in order" and len(model) == len(file)
    assert all(torch.equal(a, b) for a, b in zip(model.values(), file))


def test_preprocessing_is_the_manifests_then_timms_then_imagenets():
    net = nets.load(NAME, weights="random")
    assert net.mean.flatten().tolist() == net.std.flatten().tolist() == [0.5] * 3
    net = nets.load(TINY, weights="random")
    assert net.input_size == build(TINY).default_cfg["input_size"][-1] == 160
    net = nets.load("torchvision:shufflenet_v2_x0_5", weights="random")
    assert (
        net.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
        and net.input_size == 224
    )


@pytest.mark.parametrize("name", [NAME, TINY, SMALL])
def test_the_classes_of_networks_of_imagenet_have_names(name):
    classes = nets.load(name, weights="random").classes
    assert classes == imagenet_descriptions() and classes[0] == "tench, Tinca tinca"


def test_a_thousand_other_classes_are_not_imagenets(tmp_path, monkeypatch):
    """Those of a network of this project, and a choice of the 21 841 of all ImageNet."""
    net = nets.load(TINY, weights="random")
    assert net.model.default_cfg["num_classes"] == 1000
    monkeypatch.setitem(nets.weights.RECIPES, TINY, "somewhere:else")
    assert not nets._of_imagenet(TINY, net)
    monkeypatch.undo()
    assert nets._of_imagenet(TINY, net)
    net.model.default_cfg = net.model.default_cfg | {"num_classes": 21841}
    assert not nets._of_imagenet(TINY, net)
    torch.save(build(TINY, num_classes=7).state_dict(), tmp_path / "w.pth")
    assert nets.load(TINY, weights=tmp_path / "w.pth").classes is None


def test_weights_lie_where_the_user_stands(tmp_path, monkeypatch):
    torch.save(build(TINY, num_classes=7).state_dict(), tmp_path / "w.pth")
    monkeypatch.setenv("PWD", str(tmp_path))
    assert nets.load(TINY, weights="w.pth").num_classes == 7


def test_dtype():
    net = nets.load(TINY, weights="random", dtype=torch.float64)
    assert net.dtype == torch.float64 and net(torch.rand(1, 3, 160, 160)).dtype == torch.float64


def test_without_normalisation_the_network_sees_the_image_itself():
    net = nets.load("tf_efficientnet_lite0", weights="random", normalize=False)
    x = torch.rand(1, 3, 64, 64)
    assert torch.allclose(net(x), net.model(x), atol=1e-5)
    assert not torch.allclose(
        nets.load("tf_efficientnet_lite0", weights="random")(x), net(x), atol=1e-3
    )
