"""The networks for localisation: what each way of training does to images, features and losses."""

from dataclasses import replace

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn
from torch.nn import functional as F

from lib import data, nets
from lib.__main__ import main
from lib.classes import matched
from lib.code import code_key
from lib.saliency import raw_map
from testbeds import recipe as recipe_module
from testbeds import training
from testbeds.wsol import acol, adl, backbone, calm, cutmix, finetuned, has, inca, recipes, spg

from . import tiny

B, C = 4, 5
Y = torch.tensor([0, 1, 2, 4])


def images(seed: int = 0) -> torch.Tensor:
    return torch.randn(B, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def seeded(build) -> nn.Module:
    torch.manual_seed(0)
    return build(C)


# ------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("name", recipes.NETWORKS)
def test_it_gives_logits_and_a_loss_that_reaches_the_backbone(name):
    build, loss = recipes.NETWORKS[name]
    model = seeded(build).train()
    assert model(images()).shape == (B, C)
    loss = loss or (lambda model, x, y: F.cross_entropy(model(x), y))
    loss(model, images(), Y).backward()
    first = next(model.parameters())
    assert first.shape == (16, 3, 3, 3) and first.grad.abs().sum() > 0


@pytest.mark.parametrize("name", recipes.NETWORKS)
def test_it_is_a_classifier_of_the_library(name):
    net = nets.load(f"birds_{name}", weights="random")
    x = torch.rand(2, 3, 64, 64)
    method = "calm" if name.startswith("calm") else "cam"
    side = 8 if name == "calm_coarse" else 16
    assert net.features(x).shape == (2, 64, side, side)
    assert raw_map(method, net, x, 3).shape == (2, side, side)


@pytest.mark.parametrize("name", ["has", "cutmix", "adl", "acol", "spg", "inca"])
def test_in_eval_mode_nothing_is_drawn(name):
    model = seeded(recipes.NETWORKS[name][0]).eval()
    state = torch.get_rng_state()
    assert torch.equal(model(images()), model(images())) and torch.equal(
        torch.get_rng_state(), state
    )


def test_a_recipes_loss_takes_part(monkeypatch, tmp_path):
    tiny.register(monkeypatch, tmp_path)
    train, test = (data.load("tiny", split=split) for split in ("train", "test"))

    def fit(loss):
        return training.fit(replace(tiny.PLAIN, loss=loss, floor=0), train, test, "cpu").state_dict

    plain, hidden, same = fit(None), fit(has.has), fit(_cross_entropy)
    assert all(torch.equal(plain[name], same[name]) for name in plain)
    assert not all(torch.equal(plain[name], hidden[name]) for name in plain)


def _cross_entropy(model, x, y):
    return F.cross_entropy(model(x), y)


def test_a_recipe_is_known_by_its_loss_and_by_the_code_of_both(monkeypatch):
    known = []
    monkeypatch.setattr(
        recipe_module, "code_key", lambda *modules, **_: known.append(modules) or ""
    )
    recipes.birds.has._key(None)
    assert {"testbeds.wsol.has", "testbeds.wsol.backbone", "testbeds.training"} <= {*known[0]}


def test_a_recipe_is_known_by_the_code_of_calm(monkeypatch):
    deciding = {"outside": ("lib",), "but": ("lib.nets.calm",)}
    without = {"outside": ("lib",)}
    assert code_key("testbeds.wsol.calm", **deciding) != code_key("testbeds.wsol.calm", **without)
    assert code_key("testbeds.wsol.has", **deciding) == code_key("testbeds.wsol.has", **without)


def test_a_recipe_is_known_by_its_loss():
    em, ml = recipes.birds.calm_em, recipes.birds.calm_ml
    same = replace(em, name=ml.name)
    assert same._key(None) != ml._key(None)
    assert em._values()["loss"] == "testbeds.wsol.calm.calm_em"


def test_the_grid_may_stay_coarse():
    assert backbone.backbone(stride=2)(images()).shape == (B, 64, 8, 8)


# ---------------------------------------------------------------------------------- one by one


def test_attention_is_the_map_of_the_class_by_its_range():
    maps = torch.randn(B, C, 6, 6, requires_grad=True)
    found = backbone.attention(maps, Y)
    own = maps[torch.arange(B), Y]
    assert found.shape == (B, 1, 6, 6) and not found.requires_grad
    assert found.amin((1, 2, 3)).eq(0).all() and found.amax((1, 2, 3)).eq(1).all()
    torch.testing.assert_close(found[2, 0], (own[2] - own[2].min()) / (own[2].max() - own[2].min()))
    assert backbone.attention(torch.ones(1, 1, 2, 2), Y[:1]).eq(0).all()


def test_cams_class_maps_average_to_its_logits():
    model, x = seeded(backbone.cam).eval(), images()
    maps = model.class_maps(model.features(x))
    torch.testing.assert_close(maps.mean((2, 3)) + model.classifier.bias, model(x))


def test_em_and_ml_have_one_gradient():
    em, ml = seeded(calm.calm).train(), seeded(calm.calm).train()
    calm.calm_em(em, images(), Y).backward()
    calm.calm_ml(ml, images(), Y).backward()
    for (name, p), q in zip(em.named_parameters(), ml.parameters()):
        torch.testing.assert_close(p.grad, q.grad, rtol=1e-3, atol=1e-5, msg=name)


def test_hidden_patches_are_zero_and_the_others_as_they_were():
    x = images() + 10  # nowhere zero
    torch.manual_seed(0)
    found = has.hide(x)
    patches = found.unfold(2, 16, 16).unfold(3, 16, 16)  # (B, 3, 4, 4, 16, 16)
    gone = (patches == 0).all(-1).all(-1).all(1)
    kept = (patches == x.unfold(2, 16, 16).unfold(3, 16, 16)).all(-1).all(-1).all(1)
    assert (gone ^ kept).all() and 0.2 < gone.float().mean() < 0.8
    assert not torch.equal(gone[0], gone[1])
    assert torch.equal(has.hide(x, rate=0.0), x) and has.hide(x, rate=1.0).eq(0).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_pasted_rectangle_has_the_area_that_is_said(seed):
    x, other = torch.zeros(2, 1, 30, 20), torch.ones(2, 1, 30, 20)
    torch.manual_seed(seed)
    share = float(torch.rand(()))
    mixed, stays = cutmix.paste(x, other, share)
    assert 1 - mixed.mean() == pytest.approx(stays, abs=1e-6) and stays >= share - 1e-6
    rows, columns = (mixed[0, 0].any(dim).nonzero().flatten() for dim in (1, 0))
    if len(rows):
        inside = mixed[:, :, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert inside.eq(1).all()


def test_all_or_nothing_is_pasted():
    x, other = torch.zeros(2, 1, 9, 9), torch.ones(2, 1, 9, 9)
    assert cutmix.paste(x, other, 1.0)[1] == 1 and cutmix.paste(x, other, 1.0)[0].eq(0).all()


def test_adl_drops_what_is_most_attended_or_stresses_it():
    A = torch.rand(B, 6, 5, 5) + 0.1
    M = A.mean(1, keepdim=True)
    always, never = adl.ADL(rate=1.0).train(), adl.ADL(rate=0.0).train()
    dropped = (M >= 0.9 * M.amax((2, 3), keepdim=True)).expand_as(A)
    assert torch.equal(always(A) == 0, dropped) and dropped.flatten(1).any(1).all()
    assert torch.equal(always(A)[~dropped], A[~dropped])
    torch.testing.assert_close(never(A), A * M.sigmoid())
    assert adl.ADL().eval()(A) is A


def test_the_second_classifier_does_not_see_what_the_first_found():
    model, x = seeded(acol.acol).eval(), images()
    A = model.features(x)
    first, second = model.both(x, Y)
    own = first[torch.arange(B), Y]
    low, high = own.amin((1, 2), keepdim=True), own.amax((1, 2), keepdim=True)
    seen = (own < low + 0.6 * (high - low))[:, None]
    torch.testing.assert_close(first, model.first(A))
    torch.testing.assert_close(second, model.second(A * seen))
    maps = model.maps(x, Y)
    assert maps.shape == (B, 16, 16) and maps.amax((1, 2)).eq(1).all()
    torch.testing.assert_close(
        maps, torch.maximum(backbone.attention(first, Y), backbone.attention(second, Y))[:, 0]
    )


def test_seeds_are_what_is_sure():
    S = torch.tensor([[0.0, 0.04, 0.3], [0.55, 0.9, 1.0]])[None, None]
    found = spg.seeds(S, 0.5, 0.05)[0, 0]
    assert found.nan_to_num(-1).tolist() == [[0, 0, -1], [1, 1, 1]]
    faint = spg.seeds(0.4 * S, 0.5, 0.05)[0, 0]  # nothing is above: 0.7 of the maximum then is
    assert faint.nan_to_num(-1).tolist() == [[0, 0, -1], [-1, 1, 1]]


def test_guidance_adds_three_masks_to_the_cross_entropy():
    model, x = seeded(spg.spg).eval(), images()
    maps, z = model.guided(x)
    loss = F.cross_entropy(maps.mean((2, 3)), Y)
    p = {name: mask.sigmoid().detach() for name, mask in z.items()}
    teachers = backbone.attention(maps, Y), p["second"], (p["first"] + p["second"]) / 2
    for name, by in zip(("second", "first", "last"), teachers):
        wanted = spg.seeds(by, *spg.THRESHOLDS[name])
        pairs = [(a, b) for a, b in zip(z[name].flatten(), wanted.flatten()) if not b.isnan()]
        if pairs:
            a, b = map(torch.stack, zip(*pairs))
            loss = loss - (b * F.logsigmoid(a) + (1 - b) * F.logsigmoid(-a)).mean()
    torch.testing.assert_close(spg.guidance(model, x, Y), loss)
    torch.testing.assert_close(maps.mean((2, 3)), model(x))


def test_inca_tells_object_from_background():
    M = torch.tensor([[0.1, 0.4, 0.6], [0.85, 1.0, 0.29]])[None, None]
    there, dropped, behind = (mask[0, 0].tolist() for mask in inca.masks(M))
    assert there == [[0, 0, 1], [1, 1, 0]]
    assert dropped == [[0, 0, 1], [0, 0, 0]] and behind == [[1, 0, 0], [0, 0, 1]]


def test_inca_adds_contrast_and_consistency():
    model, x = seeded(inca.inca).eval(), images()
    earlier, A = model.layers(x)
    torch.testing.assert_close(model.classifier(A.mean((2, 3))), model(x))
    z = model.embedded(A, torch.ones(B, 1, 16, 16))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(B))
    plain = F.cross_entropy(model(x), Y)
    assert inca.contrast_and_consistency(model, x, Y) > plain
    M = inca.attention(A)
    assert M.amax((1, 2, 3)).eq(1).all() and earlier.shape == (B, 32, 16, 16)


# -------------------------------------------------------------------------- with ImageNet's weights


@pytest.mark.parametrize("name, grid", [("resnet50", 28), ("vgg16", 27), ("inception_v3", 24)])
def test_published_networks_have_a_fine_grid_and_begin_with_the_manifests_weights(name, grid):
    recipe = getattr(finetuned.wsol, f"cub_{name}_calm_em")
    model = training.untrained(recipe, {"classes": 7})
    with torch.no_grad():
        A = model.features(torch.rand(1, 3, 224, 224))
    assert A.shape[2:] == (grid, grid)
    [(path, pretrained)] = recipe.pretrained
    assert pretrained == f"torchvision:{name}"
    own = model.get_submodule(path).state_dict()
    assert own and own.keys() <= nets.weights.build(pretrained).state_dict().keys()


def test_the_published_setting_is_that_of_appendix_c():
    rates = {
        name: getattr(finetuned.wsol, f"{name}_resnet50_calm_em") for name in finetuned.DATASETS
    }
    assert [recipe.learning_rate for recipe in rates.values()] == [3e-5, 5e-5, 7e-5]
    for recipe in rates.values():
        assert (recipe.optimizer, recipe.weight_decay, recipe.faster) == ("sgd", 1e-4, ("g", "h"))
    assert rates["cub"]._key("a") != replace(
        rates["cub"], build=finetuned.Builder("vgg16", "calm_em")
    )._key("a")


@pytest.fixture
def own_folder(tmp_path):
    """Ten images of each of two classes, dark and bright."""
    for name, level in (("bright", 200), ("dark", 50)):
        for i in range(10):
            path = tmp_path / "pictures" / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (level + i,) * 3).save(path)
    return tmp_path / "pictures"


def small(monkeypatch, tmp_path):
    """The recipe for a folder, with a smaller network."""
    recipe = replace(finetuned.folder_calm, build=calm.calm, frozen=(), input_size=64, epochs=4)
    monkeypatch.setattr(finetuned, "folder_calm", recipe)
    monkeypatch.setattr(recipe_module, "FOLDER", tmp_path / "networks")
    return recipe


def test_of_a_folder_every_fifth_image_of_a_class_is_kept_for_testing(own_folder):
    recipe = finetuned.folder_calm
    train, test = (recipe._split(split, own_folder) for split in recipe.splits)
    assert test.ids == ("bright/2.png", "bright/7.png", "dark/2.png", "dark/7.png")
    assert len(train) == 16 and not {*train.ids} & {*test.ids}
    for path in own_folder.glob("dark/[2-9].png"):
        path.unlink()
    for path in own_folder.glob("bright/[2-9].png"):
        path.unlink()
    with pytest.raises(ValueError, match="folder has too few images to learn from"):
        recipe._split("test", own_folder)


def test_a_new_image_in_the_folder_is_another_network(own_folder):
    before = finetuned.folder_calm._key(own_folder)
    assert finetuned.folder_calm._key(own_folder) == before
    Image.new("RGB", (8, 8)).save(own_folder / "dark" / "new.png")
    assert finetuned.folder_calm._key(own_folder) != before


def test_so_is_a_changed_image_of_the_same_name(own_folder):
    before = finetuned.folder_calm._key(own_folder)
    Image.new("RGB", (8, 8)).save(own_folder / "dark" / "0.png")
    assert finetuned.folder_calm._key(own_folder) != before


def test_its_classes_are_the_folders_and_met_by_name(own_folder, monkeypatch, tmp_path):
    small(monkeypatch, tmp_path)
    net = nets.load("folder_calm", root=own_folder)
    assert net.classes == ("bright", "dark")
    (own_folder / "bright").rename(own_folder / "shiny")  # as many classes, and not the same
    with pytest.raises(ValueError, match="shiny"):
        matched(data.load("folder", root=own_folder), net)


def test_a_folder_trains_a_calm_and_gets_its_maps_by_one_command_each(
    own_folder, monkeypatch, tmp_path
):
    small(monkeypatch, tmp_path)
    run = CliRunner().invoke
    trained = run(main, ["train", "folder_calm", "--root", str(own_folder)])
    assert "folder_calm: test accuracy" in trained.stdout
    what = [
        "--network",
        "folder_calm",
        "--root",
        str(own_folder),
        "--limit",
        "4",
        "--method",
        "calm",
    ]
    shown = run(main, ["explain", *what, "--out", str(tmp_path / "maps")])
    assert shown.stdout.startswith("4 maps in") and "training" not in shown.stderr
    assert len([*(tmp_path / "maps").rglob("*.png")]) == 4
    measured = run(main, ["evaluate", *what, "--metric", "average_gain"])
    assert measured.exit_code == 0 and "CALM" in measured.stdout


def test_the_network_of_a_folder_has_a_finer_grid_of_the_same_features():
    model = finetuned.on_efficientnet(3).eval()
    net = nets.load("tf_efficientnet_lite0")
    x = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        A = model.features(net.normalise(x))
    assert A.shape == (1, 1280, 14, 14)
    want = net.features(x).as_subclass(torch.Tensor)
    torch.testing.assert_close(A[..., 1::2, 1::2], want, rtol=1e-3, atol=1e-3)
