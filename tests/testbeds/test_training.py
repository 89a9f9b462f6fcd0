"""Training itself: seeded, traceless, and its options."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from lib import data, nets
from lib.errors import UnknownName
from testbeds import finetuned, training
from testbeds.training import Phase

from .. import fine_grained
from ..tiny_datasets import write_dicom
from . import tiny


@pytest.fixture(autouse=True)
def _tiny(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)


def fit(recipe=tiny.PLAIN, **changes) -> training.Trained:
    train, test = (data.load(recipe.dataset, split=split) for split in ("train", "test"))
    return training.fit(replace(recipe, **changes), train, test, "cpu")


def same(one: training.Trained, two: training.Trained) -> bool:
    return all(torch.equal(one.state_dict[key], two.state_dict[key]) for key in one.state_dict)


def test_it_is_seeded_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = fit()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(7)
    assert same(one, fit()) and not same(one, fit(seed=1))


@pytest.mark.parametrize("recipe", [tiny.PLAIN, tiny.ASKING], ids=lambda recipe: recipe.name)
def test_images_decoded_in_every_epoch_serve_as_well(recipe):
    assert fit(recipe, in_memory=False).accuracy >= recipe.floor


def test_every_option_takes_part():
    base = fit()
    options = [{"shift": 0}, {"flip": False}, {"label_smoothing": 0.1}, {"weight_decay": 0.5}]
    options += [{"warmup": 0.5}, {"mean": (0.1, 0.2, 0.3)}, {"optimizer": "sgd"}]
    assert not any(same(base, fit(**option)) for option in options)


@pytest.mark.parametrize("name", ["scenes_vgg_quick", "mnist_vit_quick"])
def test_a_quick_network_does_not_depend_on_the_number_of_threads(name):
    recipe = replace(nets.recipe(name), limit=100)
    train, test = (
        data.load(recipe.dataset, split=split, limit=100, size=recipe.input_size)
        for split in recipe.splits
    )
    drawn = training.start(recipe, recipe.arguments(train)).state_dict().values()
    assert any((w != w.float()).any() for w in drawn)  # in double precision from the first number
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(training.fit(recipe, train, test, "cpu").state_dict)
    finally:
        torch.set_num_threads(before)
    one, two = found
    assert all(w.dtype != torch.float64 for w in one.values())
    for key, w in one.items():
        torch.testing.assert_close(w, two[key], rtol=0, atol=1e-6 * w.abs().max().item())


def test_permuted_labels_are_the_same_labels_on_other_images():
    train = data.load("tiny", split="train")
    one, two = (training.permuted(train, seed) for seed in (0, 1))
    assert sorted(one.targets) == sorted(train.targets) and one.ids == train.ids
    assert train.targets != one.targets != two.targets
    assert one.targets == training.permuted(train, 0).targets
    assert one[0].target == one.targets[0] and torch.equal(one[0].image, train[0].image)


def test_a_network_learns_nothing_from_permuted_labels():
    assert fit(permuted=True, floor=0).accuracy < 0.7 < tiny.PLAIN.floor


def test_frozen_submodules_stay_as_they_begin():
    found = fit(frozen=("features",), floor=0)
    begin = training.start(tiny.PLAIN, found.arguments).state_dict()
    kept = {key for key in begin if torch.equal(begin[key], found.state_dict[key])}
    assert {key for key in begin if key.startswith("features")} <= kept < begin.keys()


def test_stages_come_first_each_with_its_own_frozen_submodules():
    """Where the last stage learns nothing, what the first froze stays as it began."""
    first = Phase(epochs=2, learning_rate=0.01, frozen=("features",))
    options = {"optimizer": "sgd", "schedule": "constant", "weight_decay": 0.0, "floor": 0}
    found = fit(before=(first,), epochs=1, learning_rate=0.0, **options)
    begin = training.start(tiny.PLAIN, found.arguments).state_dict()
    weights = [name for name in begin if name.endswith(("weight", "bias"))]
    kept = {name for name in weights if torch.equal(begin[name], found.state_dict[name])}
    assert kept == {name for name in weights if name.startswith("features")}
    assert not same(found, fit(before=(first,), epochs=1, learning_rate=0.01, **options))


def test_a_constant_learning_rate_stays():
    recipe = replace(tiny.PLAIN, schedule="constant")
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    schedule = training._schedule(recipe, recipe, optimizer, 5)
    for _ in range(20):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.1
    with pytest.raises(UnknownName, match="unknown schedule 'constat' .did you mean 'constant'"):
        fit(schedule="constat")


def test_a_classifier_of_other_classes_begins_anew():
    import timm

    name = "tf_efficientnet_lite0"
    recipe = replace(
        tiny.PLAIN,
        build=lambda: timm.create_model(name, num_classes=3),
        pretrained=(("", name),),
    )
    found = training.start(recipe, {}).state_dict()
    whole = training.load_weights(training.build(name), name, None).state_dict()
    other = {key for key in found if not torch.equal(found[key], whole[key])}
    assert other == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("name", ["chest_xray_resnet50", "kvasir_vgg16_bn"])
def test_the_recipes_of_fine_tuning_freeze_all_but_the_last_layer_first(name):
    recipe = nets.recipe(name)
    with torch.device("meta"):
        model = recipe.build(classes=4)
    frozen = [p for path in recipe.before[0].frozen for p in model.get_submodule(path).parameters()]
    free = [n for n, p in model.named_parameters() if not any(p is f for f in frozen)]
    assert free in (["fc.weight", "fc.bias"], ["classifier.6.weight", "classifier.6.bias"])
    assert (recipe.epochs, recipe.learning_rate, recipe.optimizer) == (50, 1e-5, "sgd")


def test_pretrained_submodules_begin_with_the_manifests_weights():
    """As EfficientNet-Lite0 whole, and in part, without its classifier."""
    import timm

    whole = training.load_weights(
        training.build("tf_efficientnet_lite0"), "tf_efficientnet_lite0", None
    )
    recipe = replace(
        tiny.PLAIN,
        build=lambda: timm.create_model("tf_efficientnet_lite0", num_classes=0),
        pretrained=(("", "tf_efficientnet_lite0"),),
    )
    part, whole = training.start(recipe, {}).state_dict(), whole.state_dict()
    assert "classifier.weight" not in part and all(
        torch.equal(part[key], whole[key]) for key in part
    )


def test_an_image_is_drawn_once_for_all_its_questions(monkeypatch):
    drawn, sample = [], tiny.Patch.sample
    monkeypatch.setattr(tiny.Patch, "sample", lambda *a: drawn.append(a[0].seed) or sample(*a))
    fit(tiny.ASKING)
    assert sorted(drawn) == list(range(90))


def test_shifted_images_hold_the_same_picture():
    x = torch.zeros(20, 3, 9, 9)
    x[:, :, 4, 4] = 1
    torch.manual_seed(0)
    moved = training._augmented(replace(tiny.PLAIN, shift=2, flip=False), x)
    assert (moved.sum((1, 2, 3)) == 3).all() and moved.shape == x.shape
    rows = moved[:, 0].amax(2).argmax(1)
    assert set(rows.tolist()) == {2, 3, 4, 5, 6}


def test_an_unknown_optimizer_lists_those_that_there_are():
    with pytest.raises(UnknownName, match="unknown optimizer 'adam' .*valid: adamw, sgd"):
        fit(optimizer="adam")


FINE_GRAINED = ["cub", "aircraft", "food101", "flowers102", "stanford_cars"]


def test_the_recipes_of_fine_grained_datasets_differ_in_dataset_and_network_only():
    for dataset in FINE_GRAINED:
        for network in ("alexnet", "vgg16"):
            recipe = nets.recipe(f"{dataset}_{network}")
            assert recipe.dataset == dataset and recipe.pretrained == (
                ("", f"torchvision:{network}"),
            )
            assert (recipe.epochs, recipe.batch_size) == (200, 128)
            assert (recipe.optimizer, recipe.schedule) == ("sgd", "constant")
            assert (recipe.learning_rate, recipe.weight_decay) == (1e-3, 5e-4)
            with torch.device("meta"):
                own = recipe.build(classes=7).state_dict()
                whole = training.build(f"torchvision:{network}").state_dict()
            other = {key for key in own if own[key].shape != whole[key].shape}
            assert other == {"classifier.6.weight", "classifier.6.bias"}
            assert own.keys() == whole.keys()


@pytest.mark.parametrize("dataset", FINE_GRAINED)
def test_fine_tuning_runs_on_the_folder_of_a_fine_grained_dataset(dataset, tmp_path, monkeypatch):
    """The recipe as it is, but for a smaller network without pretrained weights, and its epochs."""
    fine_grained.MAKERS[dataset](tmp_path)
    fine_grained.without_checksums(monkeypatch)
    recipe = nets.recipe(f"{dataset}_alexnet")
    train, test = (
        data.load(dataset, root=tmp_path, split=split, size=tiny.SIZE) for split in recipe.splits
    )
    options = {"build": tiny.network, "pretrained": (), "epochs": 2, "shift": 1, "floor": 0}
    found = training.fit(replace(recipe, **options, in_memory=True), train, test, "cpu")
    assert found.arguments == {"classes": len(train.classes)} and len(train) in (6, 12)
    assert all(tensor.isfinite().all() for tensor in found.state_dict.values())


@pytest.mark.parametrize("name", ["chest_xray_resnet50", "kvasir_resnet50"])
def test_fine_tuning_runs_on_a_folder(name, tmp_path):
    """The recipe as it is, but for a smaller network without pretrained weights, and its epochs."""
    recipe = nets.recipe(name)
    folders = {"chest_xray_resnet50": chest_xray, "kvasir_resnet50": kvasir}
    folders[name](tmp_path)
    train, test = (
        data.load(recipe.dataset, root=tmp_path, split=split, size=tiny.SIZE)
        for split in recipe.splits
    )
    [stage] = recipe.before
    stages = (replace(stage, epochs=1, frozen=("features",)),)
    small = replace(recipe, build=tiny.network, pretrained=(), before=stages, epochs=2, floor=0)
    found = training.fit(small, train, test, "cpu")
    assert found.arguments == {"classes": len(train.classes)}
    assert all(tensor.isfinite().all() for tensor in found.state_dict.values())


def chest_xray(root) -> None:
    for split in ("train", "test"):
        for i, name in enumerate(("NORMAL", "PNEUMONIA")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for j in range(2):
                Image.new("L", (9, 8), 100 * i + j).save(folder / f"{j}.jpeg")


def kvasir(root) -> None:
    for i, name in enumerate(data.kvasir.CLASSES):
        (root / name).mkdir()
        for j in range(8):
            Image.new("RGB", (9, 8), (100, 30 * i, j)).save(root / name / f"{j}.jpg")


@pytest.mark.parametrize("name", ["rsna_inception_v3", "siim_inception_v3"])
def test_an_inception_is_fine_tuned_on_a_folder_of_radiographs(name, tmp_path, monkeypatch):
    """As the recipe says, but for random weights in the place of ImageNet's, small images and one epoch."""
    {"rsna_inception_v3": rsna, "siim_inception_v3": siim}[name](tmp_path)
    asked = []
    monkeypatch.setattr(
        training, "load_weights", lambda model, of, weights: asked.append(of) or model
    )
    recipe = replace(nets.recipe(name), epochs=1, input_size=128, floor=0, in_memory=True)
    monkeypatch.setattr(finetuned, name, recipe)
    net = nets.load(name, root=tmp_path)
    assert asked == ["torchvision:inception_v3"]
    assert (net.num_classes, net.input_size, net.affine_head) == (2, 128, True)
    images = data.load(recipe.dataset, root=tmp_path, split="val", size=128)
    assert net(torch.stack([sample.image for sample in images])).isfinite().all()
    torch.save(net.model.state_dict(), tmp_path / "state.pth")
    again = nets.load(name, weights=tmp_path / "state.pth", root=tmp_path)
    assert (
        again.fingerprint == net.fingerprint
        and again.features(torch.rand(1, 3, 128, 128)).shape[1] == 2048
    )


def rsna(root) -> None:
    """Twenty radiographs, half of them with a box."""
    labels, info = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for i in range(20):
        grey = np.full((20, 20), 10 * i, np.uint8)
        write_dicom(root / f"stage_2_train_images/film_{i:02}.dcm", grey)
        labels.append(f"film_{i:02},4.0,4.0,9.0,9.0,1" if i % 2 else f"film_{i:02},,,,,0")
        info.append(f"film_{i:02}," + ("Lung Opacity" if i % 2 else "Normal"))
    (root / "stage_2_train_labels.csv").write_text("\n".join(labels))
    (root / "stage_2_detailed_class_info.csv").write_text("\n".join(info))


def siim(root) -> None:
    """Twenty radiographs, half of them with a mask."""
    rows = ["ImageId, EncodedPixels"]
    for i in range(20):
        grey = np.full((20, 20), 10 * i, np.uint8)
        write_dicom(root / f"dicom-images-train/a/{i}/film_{i:02}.dcm", grey)
        rows.append(f"film_{i:02}, " + ("45 9" if i % 2 else "-1"))
    (root / "train-rle.csv").write_text("\n".join(rows))


def test_the_epoch_of_the_least_validation_loss_stays(monkeypatch):
    """At a learning rate that makes the loss jump about."""
    jumping = replace(tiny.PLAIN, epochs=6, schedule="constant", learning_rate=0.5, floor=0.0)
    train, test = (data.load(jumping.dataset, split=split) for split in ("train", "test"))
    losses, look = [], training.Best.look

    def looked(best):
        before = best.loss
        best.loss = float("inf")
        look(best)
        losses.append(best.loss)
        best.loss = min(before, best.loss)

    found = training.fit(jumping, train, test, "cpu", validation=test)
    model = training.untrained(jumping, found.arguments)
    model.load_state_dict(found.state_dict)
    best = training.Best(jumping, model, test, torch.device("cpu"))
    best.look()
    monkeypatch.setattr(training.Best, "look", looked)
    training.fit(jumping, train, test, "cpu", validation=test)
    assert len(losses) == 6 and losses[-1] > min(losses)
    assert best.loss == pytest.approx(min(losses), rel=1e-4)
    assert not same(found, training.fit(jumping, train, test, "cpu"))


def test_the_rate_falls_to_a_tenth_after_thirty_epochs():
    recipe = replace(tiny.PLAIN, schedule="steps")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
    schedule, rates = training._schedule(recipe, recipe, optimizer, 2), []
    for _ in range(61 * 2):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[:60] == [0.1] * 60 and rates[60:120] == pytest.approx([0.01] * 60)
    assert rates[120] == pytest.approx(0.001)


@pytest.mark.parametrize("schedule", ["constant", "cycle", "steps"])
def test_submodules_may_learn_ten_times_as_fast(schedule):
    recipe = replace(tiny.PLAIN, optimizer="sgd", schedule=schedule, faster=("classifier",))
    model = tiny.network(3)
    optimizer = training._optimizer(recipe, recipe, model)
    steps = training._schedule(recipe, recipe, optimizer, 5)
    slow, fast = optimizer.param_groups
    assert {*fast["params"]} == {*model.classifier.parameters()}
    assert len(slow["params"]) + len(fast["params"]) == len([*model.parameters()])
    for _ in range(8):
        assert fast["lr"] == pytest.approx(10 * slow["lr"])
        optimizer.step()
        steps.step()
    assert not same(fit(optimizer="sgd"), fit(optimizer="sgd", faster=("classifier",), floor=0))
