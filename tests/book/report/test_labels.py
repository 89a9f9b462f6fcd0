import math

import pytest

from book.report.labels import bounds, meaningful, method_title, metric_label, number, symbols
from lib.errors import UnknownName
from lib.statistics import Interval


def test_headings():
    assert metric_label("average_drop").heading == "AD ↓ (%)"
    assert metric_label("average_gain").heading == "AG ↑ (%)"
    assert metric_label("seconds").heading == "T ↓ (s)"
    assert metric_label("mean_saliency").heading == "mean S ↓ (%)"
    assert metric_label("cosine_similarity").heading == "cos ↑"
    assert metric_label("ssim").heading == "SSIM ↓"
    assert metric_label("probability_gain").heading == "Δp ↑ (%)"
    assert metric_label("logit_gain").heading == "Δy ↑"
    assert metric_label("relative_error").heading == "error ↓"
    assert metric_label("positive_blur").heading == "p₊ blur ↑"
    assert metric_label("negative_mean").heading == "p₋ mean ↓"


def test_unknown_metric_lists_the_valid_ones():
    with pytest.raises(UnknownName, match="average_drop.*seconds"):
        metric_label("average_dropp")


def test_method_titles():
    assert method_title("grad_cam_plus_plus") == "Grad-CAM++"
    assert method_title("a_new_method", "As Printed") == "As Printed"
    assert method_title("a_new_method") == "a_new_method"
    assert method_title("grad_cam_of_calm_em") == "Grad-CAM of CALM-EM"


def test_titles_of_variants():
    assert method_title("opti_cam_25") == "Opti-CAM₂₅"
    assert method_title("ablation_cam_channel_by_channel") == "Ablation-CAM, channel by channel"
    assert method_title("opti_cam_25", "Opti-CAM (25)") == "Opti-CAM (25)"
    assert method_title("grad_cam_plus_plus_raw") == "Grad-CAM++, raw"
    assert method_title("grad_cam_weighted_t2") == "Grad-CAM, weighted t₂"


def test_numbers():
    assert number(-1.25, 1) == "−1.2"
    assert number(-0.04) == "0.0"
    assert number(math.nan) == "–"
    assert bounds(Interval(0, -1, 2.06, 20)) == "[−1.0, 2.1]"
    assert bounds(Interval(0, math.nan, math.nan, 1)) == ""


def test_symbols_in_words():
    assert symbols(["average_drop", "average_gain", "average_increase"]) == "AD, AG and AI"
    assert symbols(["aopc"]) == "AOPC"


@pytest.mark.parametrize(
    ("metric", "low", "high", "decimals"),
    [
        ("average_gain", 70.8, 80.2, 1),
        ("average_increase", 31.0, 52.0, 0),
        ("average_drop", 0.1, 0.5, 2),
        ("average_drop", 0.300, 0.301, 2),  # no more than one beyond the printed
        ("cosine_similarity", 0.954, 0.966, 4),
        ("average_drop", 0.3, 0.3, 1),  # nothing to go by
        ("average_drop", math.nan, math.nan, 1),
    ],
)
def test_digits_are_as_many_as_the_interval_leaves_meaningful(metric, low, high, decimals):
    interval = Interval((low + high) / 2, low, high, 20)
    assert meaningful(interval, metric_label(metric)) == decimals
