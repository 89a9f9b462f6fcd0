"""Networks that are trained once and kept."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import nn

from lib import nets
from lib.errors import UnknownName
from lib.nets import RECIPES
from testbeds import recipe as trained
from testbeds.recipe import quick
from testbeds.training import Phase

from . import tiny


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path / "networks")


def equal(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


def test_it_is_trained_once_and_says_so(capsys):
    first = nets.recipe("tiny").train()
    printed = capsys.readouterr()
    assert "training tiny: 4 epoch(s) on 54 samples of tiny, on cpu" in printed.err
    assert f"{first.accuracy:.1%} of 36 test samples right" in printed.err and not printed.out
    second = nets.recipe("tiny").train()
    assert capsys.readouterr().err == ""
    assert equal(first.state_dict, second.state_dict) and first[2:] == second[2:]


def test_the_accuracy_is_that_of_the_classifier_on_the_test_images():
    net, data = nets.load("tiny"), tiny.data.load("tiny", split="test")
    right = net(torch.stack([s.image for s in data])).argmax(1) == torch.tensor(data.targets)
    assert right.float().mean().item() == pytest.approx(nets.recipe("tiny").train().accuracy)


def test_two_at_once_train_once(capsys):
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda name: nets.recipe(name).train(), ["tiny", "tiny"])
    assert (
        equal(one.state_dict, two.state_dict)
        and capsys.readouterr().err.count("training tiny") == 1
    )


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"epochs": 5}, {"limit": 30}, {"before": (Phase(1, 0.01),)}],
    ids=str,
)
def test_another_recipe_is_another_network(change, monkeypatch, capsys):
    nets.recipe("tiny").train()
    monkeypatch.setattr(tiny, "PLAIN", replace(tiny.PLAIN, **change))
    nets.recipe("tiny").train()
    assert capsys.readouterr().err.count("training tiny") == 2


def test_changed_code_is_another_network(monkeypatch, capsys):
    nets.recipe("tiny").train()
    monkeypatch.setattr(trained, "code_key", lambda *modules, **options: "changed")
    nets.recipe("tiny").train()
    assert capsys.readouterr().err.count("training tiny") == 2


def test_another_folder_of_data_is_another_network(capsys, tmp_path):
    for root in (None, tmp_path, str(tmp_path)):
        nets.recipe("tiny").train(root=root)
    assert capsys.readouterr().err.count("training tiny") == 2


def test_a_network_is_loaded_as_it_was_trained_on_a_folder(capsys, tmp_path):
    found = nets.recipe("tiny").train(root=tmp_path)
    net = nets.load("tiny", root=tmp_path)
    assert equal(net.model.state_dict(), found.state_dict)
    assert capsys.readouterr().err.count("training tiny") == 1


def test_a_network_knows_the_names_of_its_classes():
    classes = nets.recipe("tiny").classes()
    assert nets.load("tiny").classes == classes == ("red", "green", "blue")


def test_a_damaged_file_is_trained_again_and_reported():
    first = nets.recipe("tiny").train()
    [file] = trained.FOLDER.glob("*.pt")
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.warns(UserWarning, match=f"{file.name} is damaged"):
        again = nets.recipe("tiny").train()
    assert equal(first.state_dict, again.state_dict)


def test_too_low_an_accuracy_is_an_error_and_leaves_nothing(monkeypatch):
    recipe = replace(tiny.PLAIN, epochs=1, learning_rate=1e-9, warmup=0.5)
    monkeypatch.setattr(tiny, "PLAIN", recipe)
    with pytest.raises(
        ValueError, match=r"tiny reached a test accuracy of \d+.\d% .* asks for 90%"
    ):
        nets.recipe("tiny").train()
    assert not list(trained.FOLDER.glob("*.pt"))


def test_random_weights_and_a_file_train_nothing(capsys, tmp_path):
    one, two = (nets.load("tiny", weights="random").fingerprint for _ in range(2))
    torch.save(nets.recipe("tiny").train().state_dict, tmp_path / "state.pth")
    three = nets.load("tiny").fingerprint
    assert one == two != three == nets.load("tiny", weights=tmp_path / "state.pth").fingerprint
    assert capsys.readouterr().err.count("training tiny") == 1
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth does not fit 'tiny'"):
        nets.load("tiny", weights=tmp_path / "other.pth")
    with pytest.raises(FileNotFoundError, match=r"'tiny': no file '.*nowhere.pth'"):
        nets.load("tiny", weights=tmp_path / "nowhere.pth")


def test_the_kept_file_is_a_state_dict_too():
    nets.recipe("tiny").train()
    [file] = trained.FOLDER.glob("*.pt")
    assert nets.load("tiny", weights=file).fingerprint == nets.load("tiny").fingerprint


def test_a_loaded_network_is_cut_before_its_last_pooling():
    net = nets.load("tiny")
    x = torch.rand(2, 3, tiny.SIZE, tiny.SIZE)
    assert net.features(x).shape == (2, 8, tiny.SIZE, tiny.SIZE) and net.features(x).min() >= 0
    assert not net.affine_head and (net.name, net.input_size) == ("tiny", tiny.SIZE)
    assert net.mean.flatten().tolist() == [0.5] * 3


def test_unknown_names_list_the_networks_of_this_project():
    with pytest.raises(UnknownName, match=r"'scenes_vg' .did you mean 'scenes_vgg'.*torchvision:"):
        nets.load("scenes_vg")
    with pytest.raises(
        UnknownName, match=r"network of this project 'alexnet'.*valid: .*scenes_vgg"
    ):
        nets.recipe("alexnet")


# The recipes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_the_manifest_names_each_recipe_by_its_own_name(name):
    recipe = nets.recipe(name)
    assert name == recipe.name and recipe.dataset in tiny.data.DATASETS


def drawn(name: str) -> bool:
    return "generator" in tiny.data.DATASETS[nets.recipe(name).dataset]["source"]


@pytest.mark.parametrize("name", [n for n in RECIPES if drawn(n) and not n.endswith("_quick")])
def test_every_drawn_recipe_has_a_quick_one(name):
    recipe, twin = nets.recipe(name), nets.recipe(f"{name}_quick")
    assert twin == quick(recipe, images=twin.limit)
    least = 0.75 if recipe.build.__module__.startswith("testbeds.wsol") else 0.85
    assert recipe.permuted or name.endswith("_calm_live") or recipe.floor >= least


def test_scenes_vgg_is_cut_at_its_last_relu():
    net = nets.load("scenes_vgg", weights="random")
    A = net.features(torch.rand(1, 3, 64, 64))
    assert A.shape == (1, 128, 8, 8) and A.min() == 0 and net.num_classes == 10
    passive = nn.Dropout | nn.Flatten | nn.BatchNorm1d
    kinds = [type(m) for m in net.model.classifier if not isinstance(m, passive)]
    assert kinds == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
