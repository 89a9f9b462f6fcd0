"""The experiments of each profile on each page, and those that a user asks for instead."""

import pytest
from PIL import Image

from book.experiments import Experiment, asked, own_dataset, pages, plan
from book.parameters import PROFILES
from lib import data, manifests, nets
from lib.errors import UnknownName
from lib.methods import METHODS
from lib.nets.weights import unknown_network
from lib.paths import ROOT

WEIGHTS = manifests.read("weights")
LITE, PHOTOGRAPHS = "tf_efficientnet_lite0", "imagenet_embedded"
BOTH = (Experiment(LITE, PHOTOGRAPHS, images=10), Experiment("scenes_vgg", "scenes", images=30))


# The plans --------------------------------------------------------------------------------------


def test_every_notebook_has_a_plan_and_the_other_way_round():
    notebooks = (ROOT / "notebooks").rglob("*.py")
    assert set(pages()) == {f"{path.parent.name}/{path.stem}" for path in notebooks}


def each_plan(test):
    places = [(page, profile) for page in pages() for profile in PROFILES]
    return pytest.mark.parametrize("page, profile", places)(test)


@each_plan
def test_a_plan_names_networks_datasets_and_methods_that_there_are(page, profile):
    planned = plan(page, profile)
    names = [experiment.name for experiment in planned.experiments]
    assert len(set(names)) == len(names)
    assert names or page in ("statistics/01_intervals", "calm/05_supersets")  # which see no image
    for experiment in planned.experiments:
        assert experiment.dataset in data.DATASETS
        known = experiment.network in nets.RECIPES or experiment.network in WEIGHTS
        assert known, unknown_network(experiment.network)
        assert set(experiment.without) <= METHODS.keys()
        for method, options in (planned.options | experiment.options).items():
            assert options.keys() <= METHODS[method].options.keys()
    assert set(planned.many_passes) <= METHODS.keys()


@pytest.mark.parametrize("page", pages())
def test_profiles_of_a_page_have_the_same_settings(page):
    """Except settings that only some profiles need, which limit the work."""
    spared = {"without", "many_passes"}
    named = [plan(page, profile).settings.keys() - spared for profile in PROFILES]
    assert named[0] == named[1] == named[2]


@pytest.mark.parametrize("page", pages())
def test_an_experiments_setting_stands_in_place_of_the_pages_own(page):
    for profile in PROFILES:
        planned = plan(page, profile)
        for experiment in planned.experiments:
            assert experiment.settings.keys() <= planned.settings.keys()


def test_a_schedule_of_our_own_is_in_no_headline_and_only_in_the_embedded_profile():
    for experiment in plan("opticam/01_classification_metrics", "embedded").experiments:
        assert experiment.options == {}  # the headline has the paper's
    for page in pages():
        for profile in ("smoke", "paper"):
            planned = plan(page, profile)
            options = [planned.options, *(e.options for e in planned.experiments)]
            assert not any("schedule" in o.get("opti_cam", {}) for o in options)


def test_unknown_pages_and_profiles_list_the_valid_ones():
    with pytest.raises(UnknownName, match="unknown page 'opticam/1'.*valid: opticam/01_"):
        plan("opticam/1", "smoke")
    with pytest.raises(UnknownName, match="unknown profile 'full'; valid: smoke, embedded, paper"):
        plan(pages()[0], "full")


# An experiment ----------------------------------------------------------------------------------


def test_an_experiment_opens_under_its_title_at_the_networks_size():
    experiment = Experiment(LITE, PHOTOGRAPHS, "blocks.6", images=3, title="inside")
    net, images = experiment.open(weights="random")
    assert (net.name, net.layer) == ("inside", "blocks.6")
    assert len(images) == 3 and images.size == (224, 224)


def test_an_untitled_one_is_called_by_its_network():
    assert Experiment("scenes_vgg_quick", "scenes").name == "scenes_vgg_quick"
    assert Experiment("torchvision:vgg16", "voc").name == "torchvision:vgg16, voc"


def test_crops_are_of_so_many_images():
    experiment = Experiment(LITE, PHOTOGRAPHS, images=2, crops=True)
    images = experiment.images_at(64)
    assert (len(images), len({sample.group for sample in images})) == (12, 2)


def test_a_network_of_this_project_has_a_dataset_of_its_own():
    assert own_dataset("birds_vgg") == "birds" and own_dataset(LITE) is None
    with pytest.raises(ValueError, match="birds is drawn, not read from files"):
        Experiment("birds_vgg", "birds").open(weights="random", root="/elsewhere")


# What is asked for instead ----------------------------------------------------------------------


def test_without_a_wish_the_plan_stands():
    assert asked(BOTH, "embedded") == BOTH


def test_a_network_of_ones_own_is_the_only_experiment():
    for profile in PROFILES:
        own = {"network": "mine", "layer": "act", "dataset": "folder", "n_images": 7}
        assert asked(BOTH, profile, **own) == (Experiment("mine", "folder", "act", 7),)


def test_a_network_brings_its_dataset_or_photographs():
    assert asked(BOTH, "paper", network="birds_vgg") == (Experiment("birds_vgg", "birds"),)
    assert asked(BOTH, "paper", network="mine") == (Experiment("mine", "imagenet"),)
    assert asked(BOTH, "smoke", network="mine") == (Experiment("mine", PHOTOGRAPHS, images=10),)
    assert asked(BOTH, "smoke", network="mine", root="/here") == (Experiment("mine", "folder"),)


def test_a_planned_network_keeps_its_settings():
    planned = Experiment(
        LITE, PHOTOGRAPHS, images=10, title="here", without=("lime",), settings={"steps": 2}
    )
    kept = Experiment(LITE, "folder", without=("lime",), settings={"steps": 2})
    assert asked((planned,), "embedded", network=LITE, dataset="folder") == (kept,)
    [cut] = asked((planned,), "embedded", network=LITE, layer="blocks.6")
    assert (cut.layer, cut.without) == ("blocks.6", ())


def test_so_many_images_run_as_the_plan_says_of_their_dataset_and_cropped_as_it_says():
    cropped = Experiment(LITE, PHOTOGRAPHS, images=10, crops=True)
    for network in (LITE, "mine"):
        [own] = asked((cropped,), "embedded", network=network)
        assert (own.images, own.crops) == (10, True)
        [own] = asked((cropped,), "embedded", network=network, dataset="folder")
        assert (own.images, own.crops) == (None, False)
    assert asked((cropped,), "embedded", dataset=PHOTOGRAPHS) == (cropped,)


def test_a_root_is_that_of_the_one_dataset_that_is_read_or_of_a_folder():
    assert asked(BOTH, "embedded", root="/here") == (Experiment(LITE, "folder"),)
    read = Experiment("torchvision:vgg16", "imagenet", images=1000)
    assert asked((read,), "paper", root="/here") == (read,)
    birds = Experiment("birds_vgg", "birds")
    assert asked((read, birds), "paper", root="/here") == (read,)
    several = (read, Experiment("kvasir_vgg16_bn", "kvasir"))
    with pytest.raises(ValueError, match="Give dataset too: imagenet, kvasir, folder"):
        asked(several, "paper", root="/here")
    [own] = asked(several, "paper", network="kvasir_vgg16_bn", root="/here")
    assert own.dataset == "kvasir"


def test_weights_are_of_one_network():
    with pytest.raises(ValueError, match="weights 'w.pth' are of one network.*scenes_vgg"):
        asked(BOTH, "embedded", weights="w.pth")
    assert asked(BOTH[:1], "embedded", weights="w.pth") == BOTH[:1]


def test_images_whose_classes_no_network_knows_ask_for_one():
    with pytest.raises(ValueError, match="no network here knows the classes of voc: give network"):
        asked(BOTH, "embedded", dataset="voc")


def test_images_bring_the_networks_of_their_classes():
    assert asked(BOTH, "embedded", dataset="folder") == (Experiment(LITE, "folder"),)
    assert asked(BOTH, "embedded", dataset="scenes") == (BOTH[1],)
    assert asked(BOTH[1:], "embedded", dataset="folder") == (Experiment(LITE, "folder"),)
    assert asked(BOTH, "embedded", dataset="birds") == (Experiment("birds_vgg", "birds"),)


def test_a_number_of_images_or_a_layer_changes_all():
    assert [e.images for e in asked(BOTH, "embedded", n_images=4)] == [4, 4]
    assert [e.layer for e in asked(BOTH, "embedded", layer="act")] == ["act", "act"]


def test_accuracy_is_known_of_networks_that_are_trained_here(monkeypatch):
    asked_for = []

    class Recipe:
        dataset = "kvasir"

        def train(self, **options):
            asked_for.append(options)
            return type("Trained", (), {"accuracy": 0.875})

    assert Experiment(LITE, PHOTOGRAPHS).test_accuracy() is None
    monkeypatch.setattr(nets, "recipe", lambda name: Recipe())
    assert Experiment("kvasir_resnet50", "kvasir").test_accuracy("mine") == 0.875
    Experiment("kvasir_resnet50", "folder").test_accuracy("photographs")
    assert asked_for == [{"root": "mine"}, {}]  # its own data are not in a folder of others


# References ---------------------------------------------------------------------------------------

TOLD = (Experiment(LITE, PHOTOGRAPHS, images=4, reference={"dataset": PHOTOGRAPHS, "limit": 9}),)


def test_references_are_those_of_the_plan_or_the_images_themselves():
    images = data.load(PHOTOGRAPHS, limit=4, size=32)
    assert len(TOLD[0].references(images)) == 9 and TOLD[0].references(images).size == (32, 32)
    assert BOTH[0].references(images) is images


def test_somebodys_own_references_are_a_dataset_or_a_folder(tmp_path):
    images = data.load(PHOTOGRAPHS, limit=4, size=32)
    digits = TOLD[0].references(images, "mnist")
    assert (digits.name, digits.size) == ("mnist", (32, 32))
    for i in range(3):
        Image.new("RGB", (40, 30), (80 * i,) * 3).save(tmp_path / f"{i}.png")
    assert len(TOLD[0].references(images, str(tmp_path))) == 3
    with pytest.raises(FileNotFoundError, match="nowhere"):
        TOLD[0].references(images, str(tmp_path / "nowhere"))


def test_another_network_has_the_planned_references_and_other_images_have_none():
    assert asked(TOLD, "embedded", network="resnet18")[0].reference == TOLD[0].reference
    assert asked(TOLD, "embedded", root="somewhere")[0].reference is None
    assert asked(TOLD, "embedded", network=LITE, dataset="mnist")[0].reference is None
