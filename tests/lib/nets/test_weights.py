"""Names, weights and their files."""

import pytest
import torch

from lib import data, manifests, nets
from lib.classes import imagenet_descriptions
from lib.errors import UnknownName
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
    "both": lambda state: {"state_dict": {f"module.{key}": value for key, value in state.items()}},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_state_dicts_of_training_scripts_load(state, wrapping, tmp_path):
    torch.save(WRAPPINGS[wrapping](state), tmp_path / "w.pth")
    loaded = load_weights(build(TINY), TINY, tmp_path / "w.pth").state_dict()
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_the_file_decides_the_number_of_classes(tmp_path):
    torch.save(build(TINY, num_classes=7).state_dict(), tmp_path / "w.pth")
    net = nets.load(TINY, weights=str(tmp_path / "w.pth"))
    assert net.num_classes == 7


def test_another_networks_weights_do_not_fit(tmp_path):
    torch.save(build(SMALL).state_dict(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"(?s)w.pth does not fit 'test_resnet'.*Missing key"):
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


def test_a_file_that_is_no_checkpoint_or_would_run_code(tmp_path):
    (tmp_path / "text.pth").write_text("not a checkpoint")
    torch.save(print, tmp_path / "code.pth")
    for name in ("text.pth", "code.pth"):
        with pytest.raises(
            ValueError, match=f"{name}: not a state dict that loads with weights_only=True"
        ):
            nets.load(TINY, weights=tmp_path / name)


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
