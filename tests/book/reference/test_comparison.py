"""Every pair of methods, every metric: signs, intervals, corrections, and the tables without JavaScript."""

import json

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from book.reference.comparison import (
    COMPARED_MIME,
    Comparison,
    Cost,
    answer,
    compared,
    lead_of,
    places,
)
from lib.statistics import Interval, holm, paired_difference
from lib.values import COLUMNS

METRICS = ["insertion", "deletion", "max_sensitivity"]


def rows(method, metric, values):
    images = [f"image {i}" for i in range(len(values))]
    return pd.DataFrame({
        "network": "tf_efficientnet_lite0", "dataset": "imagenet_embedded", "image": images, "group": images,
        "method": method, "metric": metric, "target": 0, "value": values, "seconds": np.nan, "error": None,
    })[COLUMNS]  # fmt: skip


@pytest.fixture(scope="module")
def frame():
    """Opti-CAM is better in insertion and deletion; HiRes-CAM is Grad-CAM."""
    noise = np.random.default_rng(0).uniform(size=(3, 40))
    of = {
        "grad_cam": (0.3 + 0.1 * noise[0], 0.3 + 0.1 * noise[1], noise[2]),
        "opti_cam": (
            0.5 + 0.1 * noise[1],
            0.1 + 0.1 * noise[0],
            noise[2] + 0.001 * (noise[0] - 0.5),
        ),
    }
    of["hires_cam"] = of["grad_cam"]
    return pd.concat([rows(m, k, v) for m, values in of.items() for k, v in zip(METRICS, values)])


@pytest.fixture(scope="module")
def data(frame):
    costs = {"tf_efficientnet_lite0": {"grad_cam": Cost(Interval(0.04, 0.03, 0.05, 5), 1.26)}}
    groups = {"order of pixels": METRICS[:2], "the map": METRICS[2:]}
    return compared(frame, groups, costs, {"insertion": 8.0})


def test_a_positive_difference_speaks_for_the_first_method(data, frame):
    [net] = data["networks"]
    better = lead_of(net, "opti_cam", "grad_cam")
    assert better[0][0] > 0 and better[1][0] > 0  # deletion is lower, and that is better
    insertion = paired_difference(frame, "insertion", "opti_cam", "grad_cam", (0, 1)).scaled(100)
    assert better[0][:4] == [*(pytest.approx(v, rel=1e-3) for v in insertion[:3]), 40]
    deletion = paired_difference(frame, "deletion", "opti_cam", "grad_cam", (0, 1)).scaled(-100)
    assert better[1][:3] == [pytest.approx(v, rel=1e-3) for v in deletion[:3]]


def test_a_pair_turned_round_is_the_same_pair(data):
    [net] = data["networks"]
    for one, other in zip(
        lead_of(net, "opti_cam", "grad_cam"), lead_of(net, "grad_cam", "opti_cam")
    ):
        mean, low, high, n, p = one
        assert other == [-mean, -high, -low, n, p]
    one, other = (
        lead_of(net, *pair)[2] for pair in (("grad_cam", "hires_cam"), ("hires_cam", "grad_cam"))
    )
    assert one[1:3] == other[1:3] == [None, None]  # of equal values without a bound
    assert lead_of(net, "opti_cam", "lime") is None


def test_every_pair_is_there_once(data):
    assert set(data["networks"][0]["leads"]) == {
        "grad_cam opti_cam", "grad_cam hires_cam", "opti_cam hires_cam",
    }  # fmt: skip


def test_values_that_are_the_same_on_every_image_are_equal(data):
    [net] = data["networks"]
    for metric, found in zip(METRICS, lead_of(net, "grad_cam", "hires_cam")):
        assert found[4] is None and answer(metric, found) == "equal"


def test_the_correction_is_over_the_metrics_of_the_pair(data, frame):
    from book.report.evidence import lead
    from lib.statistics import by_image

    images = by_image(frame)
    p = [lead(images, metric, "opti_cam", "grad_cam").p for metric in METRICS]
    found = lead_of(data["networks"][0], "opti_cam", "grad_cam")
    assert [row[4] for row in found] == [pytest.approx(v, rel=0.05) for v in holm(p)]


def test_answers():
    assert answer("insertion", [1.0, 0.5, 1.5, 40, 0.01]) == "better"
    assert answer("insertion", [-1.0, -1.5, -0.5, 40, 0.01]) == "worse"
    assert answer("insertion", [1.0, -0.5, 2.5, 40, 0.2]) == "undecided"
    assert answer("insertion", [1.0, 0.5, 1.5, 19, 0.01]) == "few"
    assert answer("seconds", [1.0, 0.5, 1.5, 5, 0.01]) == "better"


def test_means_and_costs(data):
    [net] = data["networks"]
    assert net["rests_on"] == "photographs"
    place = places(data)["insertion"]
    mean, low, high, n = net["means"]["grad_cam"][place]
    assert 30 < low < mean < high < 40 and n == 40
    assert net["costs"] == {"grad_cam": {"seconds": [0.04, 0.03, 0.05, 5], "passes": 1.26}}
    assert data["metric_passes"] == {"insertion": 8.0}


def test_a_metric_that_a_method_has_not_is_left_out(frame):
    lacking = frame[(frame["method"] != "hires_cam") | (frame["metric"] != "deletion")]
    [net] = compared(lacking, {"order of pixels": METRICS})["networks"]
    assert net["means"]["hires_cam"][1] is None
    assert lead_of(net, "hires_cam", "opti_cam")[1] is None
    assert lead_of(net, "hires_cam", "opti_cam")[0] is not None


def test_without_javascript_there_is_a_table_of_all_against_one(data):
    bundle = Comparison(data, "grad_cam")._repr_mimebundle_()
    assert json.loads(bundle[COMPARED_MIME]) == data | {"baseline": "grad_cam"}
    soup = BeautifulSoup(bundle["text/html"], "html.parser")
    first, second = soup.select("table")
    assert [th.text for th in first.select("tbody th")] == ["Opti-CAM", "HiRes-CAM"]
    assert first.select_one("tbody td").text.startswith("▲ ")
    assert second.select("tbody td")[1].text == "= the same"
    assert all(th["scope"] for th in soup.select("th"))


def test_one_repetition_or_image_has_no_interval(frame):
    one = frame[frame["image"] == "image 0"]
    data = compared(one, {"order of pixels": METRICS})
    assert lead_of(data["networks"][0], "opti_cam", "grad_cam")[0][1:3] == [None, None]
    soup = BeautifulSoup(
        Comparison(data, "grad_cam")._repr_mimebundle_()["text/html"], "html.parser"
    )
    assert soup.select_one("tbody td").text.startswith("… ")
