"""What the published setting costs, in closed form and over all pages."""

import re

import pytest

from book.building import cost
from book.building.usage import Page
from book.experiments import Experiment, pages, plan
from book.reference import counting
from lib import nets
from lib.data import DATASETS
from lib.paths import ROOT

PAGE = Page(
    "notebooks/opticam/x", "X", frozenset({"grad_cam", "lime"}), frozenset({"average_drop"}), ()
)
VGG, RESNET = "torchvision:vgg16", "torchvision:resnet50"
COUNTED = {
    (VGG, "method", "grad_cam"): 2.0,
    (VGG, "method", "lime"): 10.0,
    (VGG, "metric", "average_drop"): 3.0,
    (VGG, "metric", "max_sensitivity"): 20.0,
    (RESNET, "method", "grad_cam"): 1.5,
}
PER_SECOND = 100


@pytest.fixture
def stated(monkeypatch):
    rates = {name: {"per_second": PER_SECOND, "like": name} for name in (VGG, RESNET)}
    small = {"per_second": 10 * PER_SECOND, "like": VGG}
    known = {
        "source": "assumed",
        "gpu": "a card",
        "rates": rates,
        "small": small,
        "stored": {"side": 1, "channels": 3},
    }
    monkeypatch.setattr(cost, "throughput", lambda: known)
    monkeypatch.setattr(cost, "counted", lambda: COUNTED)


def test_every_method_is_measured_by_every_metric_on_every_image(stated):
    found = cost.of_experiment(Experiment(VGG, "imagenet", images=1000), PAGE)
    assert found.images == 1000 and found.passes == 1000 * (2 + 3 + 10 + 3)
    assert found.seconds == found.passes / PER_SECOND and found.training == 0
    assert found.maps == 2 * 1000 and [*found.datasets] == [("imagenet", "val")]
    alone = cost.of_experiment(Experiment(VGG, "imagenet", images=10, without=("lime",)), PAGE)
    assert alone.passes == 10 * (2 + 3)
    other = cost.of_experiment(Experiment(RESNET, "imagenet", images=10), PAGE)
    assert other.passes == 10 * 1.5, "what was not counted on a network does not run on it"


def test_a_metric_that_computes_maps_computes_those_of_its_method(stated):
    page = Page("notebooks/opticam/x", "X", PAGE.methods, frozenset({"max_sensitivity"}), ())
    found = cost.of_experiment(Experiment(VGG, "imagenet", images=1), page)
    assert found.passes == 2 + 20 + 10 + 20 * 5


def test_all_images_of_the_split_and_the_references(stated):
    assert cost.of_experiment(Experiment(VGG, "imagenet"), PAGE).images == 50000
    assert cost.size("mnist") == DATASETS["mnist"]["splits"]["test"]
    references = {"dataset": "imagenet", "split": "train", "limit": 500}
    found = cost.of_experiment(Experiment(VGG, "cub", images=10, reference=references), PAGE)
    assert found.passes == pytest.approx(10 * 18 + 500)
    assert [*found.datasets] == [("cub", "test"), ("imagenet", "train")]


def test_a_stored_map_has_its_numbers_and_coefficients_in_single_precision(stated):
    assert cost.bytes_per_map() == 4 * (1 * 1 + 3)


def test_training_counts_three_passes_per_image_and_epoch(stated):
    recipe = nets.recipe("chest_xray_resnet50")
    images = DATASETS["chest_xray"]["images"]["train"]
    epochs = recipe.epochs + sum(phase.epochs for phase in recipe.before)
    assert cost.training("chest_xray_resnet50") == 3 * epochs * images
    assert cost.rate("chest_xray_resnet50") == (PER_SECOND, RESNET), "as the network it starts from"
    assert cost.rate("mnist_vgg") == (10 * PER_SECOND, VGG)
    assert cost.training(RESNET) == 0


def test_archives_count_once_and_data_of_unknown_size_is_named():
    used = [
        ("kvasir", "test"),
        ("kvasir", "train"),
        ("siim_pneumothorax", "test"),
        ("mnist", "test"),
    ]
    found = cost.Cost(datasets=dict.fromkeys(used))
    assert found.bytes == (DATASETS["kvasir"]["bytes"], ["siim_pneumothorax"])
    both = cost.Cost(datasets=dict.fromkeys([("imagenet", "val"), ("imagenet", "train")]))
    assert both.bytes == (sum(DATASETS["imagenet"]["bytes"].values()), [])
    assert cost.archives([found, found, both]) == found.bytes[0] + both.bytes[0]


@pytest.mark.parametrize("page", pages())
def test_everything_in_the_published_plan_is_known(page):
    for experiment in plan(page, "paper").experiments:
        assert cost.size(experiment.dataset) > 0
        if experiment.reference:
            assert cost.size(experiment.reference["dataset"], experiment.reference["split"]) > 0
        per_second, like = cost.rate(experiment.network)
        assert per_second > 0 and like in counting.NETWORKS
        known = experiment.network in cost.throughput()["rates"]
        assert known or experiment.network in nets.RECIPES, "a published network has its own rate"


def test_numbers_of_images_are_of_splits():
    for name, entry in DATASETS.items():
        assert entry.get("images", {}).keys() <= {*entry.get("splits", ())}, name


def test_the_file_has_what_was_counted():
    known = cost.counted()
    assert {network for network, *_ in known} == {*counting.NETWORKS}
    assert 2048 <= known[RESNET, "method", "score_cam"] < 2060, "a pass per channel"
    assert 512 <= known[VGG, "method", "score_cam"] < 520
    assert 1000 <= known[VGG, "method", "lime"] < 1010
    for network in counting.NETWORKS:
        assert 1 <= known[network, "method", "grad_cam"] < 3.1
        assert known[network, "method", "fake_cam"] == 0
        assert known[network, "metric", "insertion"] >= counting.STEPS


def test_one_row_per_page():
    html = cost.table(ROOT)
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", html)
    assert len(rows) == len(pages())
    for page in pages():
        [row] = [row for row in rows if f"notebooks/{page}.html" in row]
        assert row.count("<td>") == 7
    assert not re.search("nan|None|inf<", html)
    assert cost.facts(ROOT).keys() == {
        *("gpu", "rates_are", "hours", "data"),
        *("map_side", "map_channels", "map_bytes"),
    }


@pytest.mark.parametrize("number, text", [(0, "–"), (0.04, "< 0.1"), (2.34, "2.3"), (1234, "1,200"),
                                          (1234567, "1.2 million"), (4.5e10, "45 billion")])  # fmt: skip
def test_numbers_are_rounded(number, text):
    assert cost._rounded(number) == text
