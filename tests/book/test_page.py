"""The work that all pages share: parameters, what runs, and what tables evaluate."""

from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes

from book import Page, batch, fewer, report
from book.experiments import Experiment, plan
from lib import data
from lib.cluster import THREADS
from lib.errors import UnknownName

PARAMETERS = {
    "profile": "smoke", "cost": "", "network": "", "weights": "random", "layer": "", "dataset": "",
    "root": "", "n_images": 0, "step": 0, "batch_size": 4, "device": "cpu",
}  # fmt: skip


def namespace(**given) -> dict:
    """The variables of a notebook whose parameters cell and injected cell have run."""
    literal = "\n".join(f"{name} = {value!r}" for name, value in given.items())
    declared = "\n".join(f"{name} = {value!r}" for name, value in PARAMETERS.items())
    history = ["", declared.replace("profile =", "profile: str ="), f"# Parameters\n{literal}\n"]
    return PARAMETERS | given | {"In": history}


@pytest.fixture
def page(tmp_path):
    """`page(name, **parameters)`, whose store is this test's own."""

    def make(name="opticam/02_insertion_deletion", **given) -> Page:
        made = Page(name, namespace(**given))
        made.store = tmp_path / "results"
        return made

    return make


def test_the_parameters_are_those_in_force(page):
    made = page(n_images=3, root="")
    assert made.parameters == PARAMETERS | {"n_images": 3}
    with pytest.raises(UnknownName, match="unknown parameter 'n_image'.*did you mean 'n_images'"):
        page(n_image=3)


def test_a_profile_set_by_hand_is_checked():
    with pytest.raises(UnknownName, match="unknown profile 'full'"):
        Page("opticam/02_insertion_deletion", namespace() | {"profile": "full"})


def test_the_cost_is_the_profiles_unless_it_is_chosen(page):
    assert page(profile="paper").setting("step") == 224
    cheap = page(profile="paper", cost="smoke")
    assert cheap.setting("step") == 12544 and cheap.options("lime") == {"n": 10}
    assert cheap.experiments == plan(cheap.name, "paper").experiments
    with pytest.raises(UnknownName, match="unknown profile 'cheap'"):
        page(cost="cheap")


def test_a_parameter_comes_before_the_setting_of_its_name(page):
    assert page(step=448).setting("step") == 448


def test_an_experiments_own_setting_and_options_come_first(page):
    made = page("opticam/12_sanity_check", profile="embedded")
    names = ("tf_efficientnet_lite0", "torchvision:squeezenet1_1")
    lite, squeeze = (type("Net", (), {"name": name}) for name in names)
    assert (made.setting("steps", lite), made.setting("steps", squeeze)) == (3, 5)
    made = page("opticam/13_without_normalization", profile="embedded")
    lengths = [made.options("opti_cam", net)["iterations"] for net in (lite, squeeze)]
    assert lengths == [25, 100]


def test_methods_get_the_profiles_options_and_those_left_out_are_left_out(page):
    chosen = page().methods(["score_cam", "grad_cam", "lime"])
    assert chosen == {"grad_cam": ("grad_cam", {}), "lime": ("lime", {"n": 10})}
    variants = {"own": ("lime", {"n": 3}), "more": ("lime", {"ridge": 2.0})}
    assert page().methods(variants) == {
        "own": ("lime", {"n": 3}),
        "more": ("lime", {"n": 10, "ridge": 2.0}),
    }


def test_methods_of_many_passes_see_fewer_images(page):
    made = page("opticam/01_classification_metrics", profile="embedded")
    images = data.load("imagenet_embedded")
    methods = made.methods(["grad_cam", "score_cam"])
    net = type("Net", (), {"name": "tf_efficientnet_lite0"})
    (light, all_of_them), (dear, some) = made.by_cost(methods, net, images)
    assert (light.keys(), dear.keys()) == ({"grad_cam"}, {"score_cam"})
    assert all_of_them is images
    assert some.ids == images.ids[::3]
    assert some.ids == data.load("imagenet_embedded", limit=40).ids  # so that pages share maps
    paper = page("opticam/01_classification_metrics", profile="paper")
    assert paper.by_cost(methods, net, images) == [(methods, images)]


def test_a_page_evaluates_all_its_networks_and_says_what_is_left_out(page, tmp_path, capsys):
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(tmp_path / "fine.png")
    (tmp_path / "broken.png").write_bytes(b"not an image")
    made = page(network="tf_efficientnet_lite0", dataset="folder", root=str(tmp_path))
    assert made.experiments == (Experiment("tf_efficientnet_lite0", "folder"),)
    frame = made.evaluate(
        ["fake_cam"], lambda net: {"insertion": ("insertion", {"step": 224 * 112})}
    )
    assert len(frame) == 2 and frame["value"].notna().sum() == 1
    assert "left out: broken.png" in capsys.readouterr().out
    assert isinstance(made.table(3, frame), report.Table)
    assert set(made.verdicts(frame, "Table 3").frame["verdict"]) <= set(report.SYMBOLS)


def test_every_page_has_a_scheduler_that_changes_no_number(page, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="Dask is not installed")
    at_exit = []
    monkeypatch.setattr("book.page.atexit", SimpleNamespace(register=at_exit.append))
    for name in THREADS:  # the worker's sums round like those here
        monkeypatch.setenv(name, str(torch.get_num_threads()))
    asked = ["grad_cam", "layer_cam"], ["average_drop"]
    alone, spread = (
        page(network="tf_efficientnet_lite0", n_images=2, **where)
        for where in ({}, {"scheduler": "local:1"})
    )
    assert alone.executor is None and spread.executor is spread.executor
    spread.store = tmp_path / "another"
    got, want = (made.evaluate(*asked).drop(columns="seconds") for made in (spread, alone))
    pd.testing.assert_frame_equal(got, want, rtol=1e-9)
    assert (spread.store).is_dir() and alone.experiments == spread.experiments
    with pytest.raises(ValueError, match="no scheduler 'slurm'"):
        page(scheduler="slurm").executor  # noqa: B018
    for close in at_exit:
        close()


def test_maps_are_those_that_the_table_saw(page, monkeypatch):
    made = page(network="scenes_vgg_quick", n_images=2)
    made.evaluate(["grad_cam"], ["average_drop"])
    net, images = made.opened[0]
    monkeypatch.setattr(type(net), "features", lambda *_: pytest.fail("made again"))
    assert made.maps(net, images, "grad_cam").shape == (2, 64, 64)


def test_a_batch_has_the_labels_or_what_is_predicted(page):
    net, images = page(network="scenes_vgg_quick", n_images=3).opened[0]
    x, target = batch(net, images)
    assert x.shape == (3, 3, 64, 64) and target.tolist() == list(images.targets)
    unlabelled = images.relabelled([None] * 3)
    assert torch.equal(batch(net, unlabelled)[1], net(x).argmax(1))


def test_batches_are_all_images_in_order(page):
    made = page(network="scenes_vgg_quick", n_images=6)
    net, images = made.opened[0]
    parts = [target.tolist() for _, target in made.batches(net, images)]
    assert [len(part) for part in parts] == [4, 2] and sum(parts, []) == list(images.targets)


def test_a_gallery_outlines_the_boxes_of_its_images(page, monkeypatch):
    made = page(network="scenes_vgg_quick", n_images=2)
    net, images = made.opened[0]
    figures = []
    monkeypatch.setattr(report, "show", lambda figure, **texts: figures.append(figure))
    for boxes in (False, True):
        made.gallery(net, images, ["grad_cam"], name="maps", caption="Maps.", boxes=boxes)
    found = [sum(len(ax.patches) for ax in figure.findobj(Axes)) for figure in figures]
    assert found == [0, 2 * sum(len(sample.boxes) for sample in images)]


def test_fewer_are_evenly_spread():
    images = data.load("imagenet_embedded")
    assert fewer(images, 5).ids == images.ids[::24] and fewer(images, 500) == images


def test_the_footer_has_all_parameters(page):
    record = page(n_images=3).provenance().record
    assert record["parameters"] == PARAMETERS | {"n_images": 3}


def test_a_page_that_chooses_among_all_images_opens_them_all():
    made = Page("opticam/08_other_classes", namespace(n_images=3), limited=False)
    assert [e.images for e in made.experiments] == [e.images for e in made.planned]
    assert isinstance(made.setting("chosen"), int)


def test_what_a_page_measured_stands_beside_what_is_evaluated(page):
    made = page(network="scenes_vgg_quick", n_images=2)
    net, images = made.opened[0]
    rows = made.rows(
        net, images, {("grad_cam", "correlation"): torch.tensor([0.5, 1.0])}, [1.0, 2.0]
    )
    frame = made.evaluate(["grad_cam"], ["average_drop"])
    assert list(rows.columns) == list(frame.columns)
    assert rows["value"].tolist() == [0.5, 1.0] and rows["seconds"].tolist() == [1.0, 2.0]
    assert rows["group"].tolist() == frame["group"].tolist()


def test_similarity_on_all_networks_or_on_none(page):
    made = page(network="scenes_vgg_quick", n_images=2)
    truth = {"reference": ("shap_cam", {"n": 2})}
    frame = made.similarity(["lift_cam"], lambda net: truth)
    assert len(frame) == 2 and set(frame["metric"]) == {"cosine_similarity"}
    assert made.similarity(["lift_cam"], truth, []).empty
    assert made.evaluate(["lift_cam"], ["average_drop"], []).empty


# What somebody asks for -------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path):
    """A folder of three images, one of them damaged, and no labels."""
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "teal")):
        Image.linear_gradient("L").convert("RGB").save(folder / name)
    (folder / "c.png").write_bytes(b"no image")
    return folder


def test_images_without_labels_have_the_class_that_is_predicted(page, pictures):
    made = page(network="resnet18", dataset="folder", root=str(pictures))
    net, images = made.opened[0]
    x = torch.stack([sample.image for sample in images.readable()])
    assert list(images.targets) == [*net(x).argmax(1).tolist(), None]
    assert made.unlabelled == {"resnet18"}
    assert images.classes[0] == "tench" and "no labels" in repr(made.protocol())


def test_a_page_without_a_readable_image_says_so(page, pictures):
    for name in ("a.png", "b.png"):
        (pictures / name).write_bytes(b"no image either")
    with pytest.raises(ValueError, match="none of the 3 images of folder can be read"):
        page(network="resnet18", dataset="folder", root=str(pictures)).opened


def test_what_a_page_needs_is_asked_before_a_network_is_read(pictures, monkeypatch):
    from lib import nets

    monkeypatch.setattr(nets, "load", lambda *_, **__: pytest.fail("read"))
    given = namespace(network="resnet18", dataset="folder", root=str(pictures))
    with pytest.raises(
        ValueError,
        match="this page needs images with boxes, and no image of folder has boxes: .*boxes.csv",
    ) as stop:
        Page("opticam/05_bounding_boxes", given, needs=["boxes"]).opened
    assert stop.value._render_traceback_() == [str(stop.value)]  # all that a notebook shows


def test_a_network_that_lacks_what_is_needed_is_refused(pictures):
    given = namespace(network="resnet18", dataset="folder", root=str(pictures))
    with pytest.raises(
        ValueError,
        match="this page needs a network with a class token, and resnet18 has no class token that .*vit_base",
    ):
        Page("opticam/03_transformers", given, needs=["a class token"]).opened


def test_sections_run_where_they_can_and_say_where_not(page, pictures, capsys):
    made = page(network="resnet18", dataset="folder", root=str(pictures))
    assert made.having() == made.opened and made.having("boxes") == []
    assert capsys.readouterr().out == "Not run: no image of folder has boxes.\n"
    frame = made.evaluate(["fake_cam"], ["pointing_game", "average_drop"])
    assert set(frame["metric"]) == {"average_drop"}
    assert "Not run: SP, because no image of folder has boxes." in capsys.readouterr().out
    assert made.evaluate(["fake_cam"], ["pointing_game"]).empty


def test_metrics_of_annotated_images_see_those_alone(page, pictures):
    (pictures / "boxes.csv").write_text("image,x0,y0,x1,y1\nb.png,10,10,90,90\n")
    made = page(network="resnet18", dataset="folder", root=str(pictures))
    frame = made.evaluate(["fake_cam"], {"here": ("pointing_game", {"ties": "any"})})
    assert frame["image"].tolist() == ["b.png"] and frame["value"].tolist() == [1.0]


def test_a_root_is_where_the_user_stands(page, pictures, monkeypatch):
    monkeypatch.setenv("PWD", str(pictures.parent))
    assert page(root="pictures").root == str(pictures)
    assert page().root == ""


def test_so_many_images_as_are_asked_for_are_seen_by_all_methods(page):
    made = page("opticam/11_selectivity", profile="embedded", n_images=12)
    net, images = (
        type("Net", (), {"name": "tf_efficientnet_lite0"}),
        data.load("imagenet_embedded", limit=12),
    )
    methods = made.methods(["grad_cam", "score_cam"])
    assert [seen for _, seen in made.by_cost(methods, net, images)] == [images]


# What a page says of what runs ------------------------------------------------------------------


def test_the_protocol_names_networks_layers_images_and_test_beds(page):
    said = repr(page(network="scenes_vgg_quick", n_images=2).protocol())
    assert (
        "`scenes_vgg_quick`, target layer `features" in said and "on 2 images of *scenes*" in said
    )
    assert "a test bed" in said and "Not run on `scenes_vgg_quick`: Score-CAM." in said
    assert "a test bed" not in repr(page(n_images=2).protocol())


def test_departures_are_what_differs_from_the_published_setting(page):
    made = page(network="scenes_vgg_quick", n_images=2)
    assert "Options" not in repr(made.departures())
    made.evaluate(["opti_cam", "grad_cam"], ["average_drop"])
    said = repr(made.departures())
    assert "Published: `torchvision:resnet50` and `torchvision:vgg16_bn` on ImageNet" in said
    assert "Here: `scenes_vgg_quick` on 2 images of *scenes*" in said
    assert "Opti-CAM: iterations 5 (published: iterations 100)." in said and "Grad-CAM" not in said


def test_notes_are_of_the_plan_alone(page, monkeypatch):
    from dataclasses import replace

    import book.page

    original = plan

    def noted(*given):
        return replace(original(*given), notes=("**Here.** A note.",))

    monkeypatch.setattr(book.page, "plan", noted)
    assert "A note." in repr(page(weights="").departures())
    assert "A note." not in repr(page(weights="", n_images=1).departures())


def test_nothing_departs_in_the_published_setting(page):
    assert "None:" in repr(page(profile="paper").departures())


# What fits any network --------------------------------------------------------------------------


def test_methods_of_attention_run_where_there_is_any(page, pictures):
    given = {"dataset": "folder", "root": str(pictures)}
    names = ["grad_cam", "raw_attention", "rollout", "tibav"]
    for network, run in (("resnet18", ["grad_cam"]), ("vit_tiny_patch16_224", names)):
        made = page(network=network, **given)
        assert list(made.methods(names, made.opened[0][0])) == run


def test_a_network_of_no_kind_that_a_table_has_gets_the_methods_of_its_architecture(page):
    made = page()
    convolutional = made.methods_of(3, type("Net", (), {"name": "resnet18", "architecture": "CNN"}))
    net = type("Net", (), {"name": "radiographs_vgg", "architecture": "CNN"})  # Chest X-ray
    assert made.methods_of(3, net) == convolutional and "rollout" not in convolutional


@pytest.mark.parametrize("size, pixels", [(224, 224), (112, 56), (28, 3), (4, 1)])
def test_pixels_are_the_same_share_of_any_image(size, pixels):
    assert Page.pixels(224, type("Net", (), {"input_size": size})) == pixels


def test_a_page_may_open_its_experiments_in_its_own_way(pictures):
    asked_for = []

    def opening(experiment, *, weights, root, device):
        asked_for.append((experiment.network, weights, root, device))
        return experiment.open(weights=weights, root=root, device=device)

    given = namespace(network="resnet18", dataset="folder", root=str(pictures))
    made = Page("opticam/02_insertion_deletion", given, opening=opening)
    assert len(made.opened) == 1 and asked_for == [("resnet18", "random", str(pictures), "cpu")]


def test_an_optional_network_beside_the_planned_ones(page, capsys):
    made = page()
    net, images = made.beside("torchvision:squeezenet1_1", "imagenet_embedded", 3)
    assert images.size == (net.input_size, net.input_size) and len(images) == 3
    assert (
        made.beside("torchvision:resnet50", "imagenet_embedded") is None
    )  # whose weights are not here
    assert capsys.readouterr().out.startswith("Not run: ")
    own = page(network="scenes_vgg_quick", n_images=2)
    assert own.beside("torchvision:squeezenet1_1", "imagenet_embedded", 3) is None
    assert made.beside("torchvision:squeezenet1_1", "imagenet_embedded", 0) is None
    assert capsys.readouterr().out == ""  # nobody asked for it


def test_diff_cam_is_given_the_references_of_the_plan_or_of_somebody(page):
    made = page("diffcam/03_localization")
    ((net, images),) = made.opened
    R = made.reference(net)
    assert len(R) == 20 and len(images) == 6 and made.reference(net) is R
    assert made.methods(["diff_cam", "grad_cam"], net)["diff_cam"] == ("diff_cam", {"reference": R})
    assert "reference" not in made.options("diff_cam")  # of no network
    assert len(list((made.store / "references").iterdir())) == 1
