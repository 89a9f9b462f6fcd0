import numpy as np
import pytest

from book.report import (
    MIN_IMAGES,
    MIN_REPETITIONS,
    RULE,
    SYMBOLS,
    Claim,
    Interval,
    cell_verdict,
    combine,
    judge,
)
from lib.statistics import p_value

from .frames import frame, several

NOISE = np.random.default_rng(0).normal(scale=0.02, size=20)
MIDDLE = np.full(20, 0.5)


def claim(**fields):
    defaults = {"id": "x", "place": "Section 1", "text": "X.", "networks": "CNN", "kind": "better"}
    return Claim("paper", **defaults | {"metric": "average_gain", "method": "a"} | fields)


def verdict(claim, frame):
    return judge([claim], frame)["verdict"].item()


def gains(a, *others, metric="average_gain", **keywords):
    """The frame of method "a" at mean `a`, and of "b", "c", ... at the means of the others."""
    means = dict(zip("abcdefg", (a, *others)))
    noise = {name: np.roll(NOISE, i) for i, name in enumerate(means)}
    values = {(name, metric): mean + noise[name] for name, mean in means.items()}
    return frame(values, **keywords)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (Interval(13, 12.5, 13.5, 20), "agrees"),
        (Interval(13, 7.15, 19.25, 20), "agrees"),  # 12.15 - 5 to 14.25 + 5
        (Interval(13, 7.14, 14, 20), "undecided"),
        (Interval(13, 12, 19.26, 20), "undecided"),
        (Interval(5, 2, 7.14, 20), "below"),
        (Interval(25, 19.26, 30, 20), "above"),
        (Interval(25, 19.24, 30, 20), "undecided"),  # the interval decides, not the mean
        (Interval(13, 12, 14, MIN_IMAGES - 1), "not enough images"),
        (Interval(np.nan, np.nan, np.nan, 0), "not run"),
    ],
)
def test_a_number(ours, expected):
    assert cell_verdict(["12.2", "14.2"], ours) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.46, 0.54, "agrees"), (0.44, 0.54, "undecided"), (0.56, 0.6, "above"), (0.1, 0.44, "below")],
)
def test_a_number_that_is_no_percentage(low, high, expected):
    assert cell_verdict(["0.50"], Interval(0.5, low, high, 20), unit="") == expected


@pytest.mark.parametrize(
    ("kind", "metric", "mean", "expected"),
    [
        ("better", "average_gain", 0.8, "holds"),
        ("better", "average_gain", 0.2, "fails"),
        ("better", "average_gain", 0.5, "undecided"),
        ("better", "average_drop", 0.2, "holds"),
        ("better", "average_drop", 0.8, "fails"),
        ("worse", "average_gain", 0.2, "holds"),
        ("worse", "average_drop", 0.2, "fails"),
        ("larger", "average_drop", 0.8, "holds"),
        ("smaller", "average_drop", 0.8, "fails"),
        ("smaller", "mean_saliency", 0.2, "holds"),
    ],
)
def test_against_a_rival(kind, metric, mean, expected):
    assert verdict(claim(kind=kind, metric=metric), gains(mean, 0.5, metric=metric)) == expected


@pytest.mark.parametrize(
    ("kind", "threshold", "expected"),
    [
        ("below", 0.6, "holds"),
        ("below", 0.4, "fails"),
        ("above", 0.4, "holds"),
        ("above", 0.5, "undecided"),
    ],
)
def test_against_a_threshold(kind, threshold, expected):
    assert verdict(claim(kind=kind, threshold=threshold), gains(0.5)) == expected


@pytest.mark.parametrize(
    ("errors", "expected", "said"),
    [
        ([0.0] * 20, "holds", "largest error 0e+00, n = 20"),
        ([1e-7] * 19 + [9e-4], "holds", "largest error 9e−04, n = 20"),
        ([1e-7] * 19 + [2e-3], "undecided", "largest error 2e−03, n = 20"),
        ([2e-3] * 20, "fails", "largest error 2e−03, n = 20"),
        ([0.0] * 19, "not enough images", "n = 19"),
    ],
)
def test_of_an_identity_the_largest_error_decides(errors, expected, said):
    c = claim(kind="below", metric="relative_error", threshold=1e-3)
    errors = frame({("a", "relative_error"): errors})
    result = judge([c], errors)
    assert result[["verdict", "evidence"]].values.tolist() == [[expected, said]]
    assert verdict(c, errors.assign(group="one photograph")) == "not enough images"


def test_every_rival_is_needed():
    images = gains(0.5, 0.2, 0.8)
    assert verdict(claim(), images) == "fails"
    assert verdict(claim(excluding=["c"]), images) == "holds"
    assert verdict(claim(rivals=["b"]), images) == "holds"
    assert verdict(claim(), gains(0.5, 0.2, 0.5)) == "undecided"


def test_every_metric_is_needed():
    both = several(gains(0.8, 0.5), gains(0.8, 0.5, metric="average_drop"))
    assert verdict(claim(metric=["average_gain"]), both) == "holds"
    assert verdict(claim(metric=["average_gain", "average_drop"]), both) == "fails"


def twins(rounding=0.0, **others):
    """The frame of "a" and of "b", which is the same but for rounding, and of others."""
    spread = np.linspace(0.2, 0.8, 20)
    columns = {"a": spread, "b": spread + rounding * np.sign(NOISE), **others}
    return frame({(name, "average_gain"): values for name, values in columns.items()})


@pytest.mark.parametrize("rounding", [0.0, 1e-6])
def test_twins_are_equal(rounding):
    result = judge([claim()], twins(rounding))
    assert result["verdict"].item() == "equal"
    # What none of 20 images shows may be true of 17 % of all.
    assert result["evidence"].item() == "AG 0 [−17, 17] points against b, n = 20"


def test_no_systematic_rounding_decides():
    images = frame({("a", "average_gain"): MIDDLE + 1e-6, ("b", "average_gain"): MIDDLE})
    assert verdict(claim(), images) == "equal"


def test_a_difference_on_one_image_is_not_equal():
    images = twins()
    images.loc[0, "value"] += 0.01
    assert verdict(claim(), images) == "undecided"


def test_evidence_names_what_is_undecided_rather_than_a_twin():
    better_once = np.linspace(0.2, 0.8, 20)
    better_once[0] -= 0.1
    result = judge([claim()], twins(c=better_once))
    assert result["verdict"].item() == "undecided" and "against c" in result["evidence"].item()


def test_a_twin_keeps_from_holding_but_not_from_failing():
    assert verdict(claim(), twins(c=MIDDLE - 0.4)) == "equal"
    assert verdict(claim(), twins(c=MIDDLE + 0.4)) == "fails"
    assert verdict(claim(), twins(c=np.linspace(0.2, 0.8, 20) + NOISE)) == "undecided"


def test_pairs_decide_where_means_do_not():
    spread = np.linspace(0, 1, 20)
    images = frame({("a", "average_gain"): spread + 0.05 + NOISE, ("b", "average_gain"): spread})
    assert verdict(claim(), images) == "holds"


def test_times_have_repetitions():
    times = {("a", "seconds"): 0.1 + NOISE[:5] / 10, ("b", "seconds"): 0.4 + NOISE[5:10] / 10}
    c = claim(kind="smaller", metric="seconds", rivals=["b"])
    result = judge([c], frame(times))
    assert result["verdict"].item() == "holds"
    assert result["evidence"].item().endswith(f"s against b, repetitions = {MIN_REPETITIONS}")
    few = frame({key: values[:4] for key, values in times.items()})
    assert verdict(c, few) == "not enough images"


@pytest.mark.parametrize(
    ("kind", "factor", "means", "expected"),
    [
        ("larger", 2, (0.8, 0.3), "holds"),
        ("larger", 2, (0.8, 0.5), "fails"),
        ("larger", 2, (0.8, 0.4), "undecided"),
        ("smaller", 2, (0.3, 0.8), "holds"),
        ("smaller", 2, (0.5, 0.8), "fails"),
    ],
)
def test_by_so_many_times(kind, factor, means, expected):
    result = judge([claim(kind=kind, factor=factor)], gains(*means))
    assert result["verdict"].item() == expected
    said = "against 2 times b" if kind == "larger" else "for 2 times a against b"
    assert said in result["evidence"].item()


@pytest.mark.parametrize(
    ("threshold", "mean", "expected"),
    [(0.05, 0.5, "holds"), (0.05, 0.6, "fails"), (0.05, 0.4, "fails"), (0.05, 0.55, "undecided")],
)
def test_alike_within_a_margin(threshold, mean, expected):
    """Two one-sided tests: without a significant difference, methods need not be alike."""
    c = claim(kind="alike", threshold=threshold, rivals=["b"])
    assert verdict(c, gains(mean, 0.5)) == expected
    wide = gains(mean, 0.5)
    wide.loc[wide["method"] == "a", "value"] = np.tile([0.0, 1.0], 10)
    assert verdict(c, wide) == "undecided"


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ((0.5, 0.2, 0.8), "holds"),  # one rival is better
        ((0.8, 0.2, 0.5), "fails"),  # none is
        ((0.5, 0.2, 0.5), "undecided"),
    ],
)
def test_beaten_by_one(means, expected):
    result = judge([claim(kind="beaten")], gains(*means))
    assert result["verdict"].item() == expected
    assert "against c" in result["evidence"].item()


def test_holm_corrects_what_fails_over_the_rivals():
    """A difference that would be significant alone may be due to chance among ten."""
    base = MIDDLE + NOISE
    shaken = np.random.default_rng(3).normal(scale=0.02, size=20)
    shifts = np.linspace(0, 0.05, 200)
    gap = next(g for g in shifts if 0.02 < p_value(shaken - shaken.mean() + g) < 0.04)
    ahead = base + shaken - shaken.mean() + gap
    names = [f"r{i}" for i in range(9)]
    values = {("a", "average_gain"): base, ("b", "average_gain"): ahead}
    far = {
        (name, "average_gain"): base - 0.3 + np.roll(NOISE, 1 + i) for i, name in enumerate(names)
    }
    assert verdict(claim(rivals=["b"]), frame(values)) == "fails"
    assert verdict(claim(rivals=["b", *names]), frame(values | far)) == "undecided"


def test_a_test_bed_does_not_refute():
    drawn = gains(0.2, 0.5, dataset="scenes", network="scenes_vgg")
    result = judge([claim()], drawn)
    assert result[["verdict", "rests_on"]].values.tolist() == [["doubted", "test bed"]]
    held = judge([claim()], gains(0.8, 0.5, dataset="scenes", network="scenes_vgg"))
    assert held["verdict"].item() == "holds"
    real = judge([claim()], gains(0.2, 0.5, dataset="imagenet_embedded"))
    assert real[["verdict", "rests_on"]].values.tolist() == [["fails", "photographs"]]
    theirs = gains(0.8, 0.5, dataset="imagenet", network="torchvision:resnet50")
    assert judge([claim()], theirs)["rests_on"].item() == "published setting"


def test_rivals_that_did_not_run_are_counted():
    result = judge([claim(rivals=["b", "absent", "gone"])], gains(0.8, 0.5))
    assert result["verdict"].item() == "holds"
    assert result["evidence"].item().endswith("n = 20, against 1 of 3 rivals")


def test_others_are_the_methods_that_the_paper_compares_with():
    names = ["opti_cam", "grad_cam", "lift_cam"]  # no row of table 1 is LIFT-CAM's
    columns = {
        (n, "average_gain"): m + np.roll(NOISE, i)
        for i, (n, m) in enumerate(zip(names, (0.5, 0.2, 0.8)))
    }
    c = Claim("opticam", "x", "Table 1", "X.", "CNN", "better", "average_gain", "opti_cam")
    result = judge([c], frame(columns))
    assert result["verdict"].item() == "holds"
    assert result["evidence"].item().endswith("against 1 of 11 rivals")


def test_a_gate_that_is_not_certainly_met():
    images = several(gains(0.8, 0.5), gains(0.6, metric="insertion"))
    close = "not testable here"  # for the interval of the gate's 0.6 holds 0.595
    for threshold, expected in ((0.5, "holds"), (0.595, close), (0.6, close)):
        c = claim(gates=[["a", "insertion", "above", threshold, "the network is near chance"]])
        result = judge([c], images)
        assert result["verdict"].item() == expected
    assert result["evidence"].item() == "the network is near chance"


def test_untested_says_why():
    c = claim(kind="untested", metric=[], method=None, reason="people were asked")
    result = judge([c], gains(0.8, 0.5))
    assert result[["verdict", "evidence"]].values.tolist() == [
        ["not testable here", "people were asked"]
    ]


def test_few_images_give_no_verdict():
    images = gains(0.8, 0.5)
    for n, expected in ((MIN_IMAGES - 1, "not enough images"), (MIN_IMAGES, "holds")):
        few = images[images["image"].isin([f"image{i}" for i in range(n)])]
        assert verdict(claim(), few) == expected


def test_groups_count_as_one():
    crops = gains(0.8, 0.5, groups=[f"photograph{i // 4}" for i in range(20)])
    assert verdict(claim(), crops) == "not enough images"


def test_not_run():
    images = gains(0.8, 0.5)
    assert verdict(claim(method="absent"), images) == "not run"
    assert verdict(claim(rivals=["gone", "absent"]), images) == "not run"
    assert verdict(claim(metric="insertion"), images) == "not run"
    alone = judge([claim(networks="transformer")], images)
    assert alone[["network", "verdict", "evidence"]].values.tolist() == [
        ["", "not run", "the claim is about other networks: transformer"]
    ]
    assert judge([claim()], images[:0])["evidence"].tolist() == [""]


def test_failed_images_are_left_out():
    images = gains(0.8, 0.5)
    images.loc[images["image"].isin(["image0", "image1"]), "value"] = np.nan
    assert judge([claim()], images)["evidence"].item() == "n = 18"


def test_conditions_select_the_images():
    c = claim(where=[["b", "average_gain", "above", 0.5]])
    values = np.r_[np.full(22, 0.9), np.full(8, 0.1)]
    ours = np.full(30, 1.0) + np.resize(NOISE, 30)
    images = frame({("a", "average_gain"): ours, ("b", "average_gain"): values})
    assert judge([c], images)["evidence"].item().endswith("n = 22")
    none = claim(where=[["b", "average_gain", "above", 2.0]])
    (row,) = judge([none], images).itertuples()
    assert row.verdict == "not testable here"
    assert row.evidence == f"0 images meet the condition of the claim, and {MIN_IMAGES} are needed"
    absent = claim(method="absent", where=[["b", "average_gain", "above", 2.0]])
    assert verdict(absent, images) == "not run"


@pytest.mark.parametrize(
    ("insertion", "deletion", "expected"),
    [
        ((0.8, 0.5, 0.2), (0.5, 0.2, 0.5), "holds"),  # "a" wins one, "b" the other
        ((0.8, 0.5, 0.2), (0.1, 0.2, 0.5), "fails"),  # "a" wins both
        ((0.8, 0.5, 0.2), (0.2, 0.2, 0.5), "undecided"),  # nobody beats "a", who leads once
    ],
)
def test_no_winner(insertion, deletion, expected):
    images = several(gains(*insertion, metric="insertion"), gains(*deletion, metric="deletion"))
    metrics = ["insertion", "deletion"]
    assert verdict(claim(kind="no_winner", metric=metrics, method=None), images) == expected


def test_excluded_methods_do_not_win():
    insertion = gains(0.8, 0.5, 0.6, metric="insertion")
    images = several(insertion, gains(0.1, 0.2, 0.5, metric="deletion"))
    c = claim(kind="no_winner", metric=["insertion", "deletion"], method=None, excluding=["a"])
    assert verdict(c, images) == "holds"


def test_a_row_a_network():
    images = several(gains(0.8, 0.5), gains(0.2, 0.5, network="tf_efficientnet_lite1"))
    result = judge([claim()], images)
    assert dict(zip(result["network"], result["verdict"])) == {
        "tf_efficientnet_lite0": "holds",
        "tf_efficientnet_lite1": "fails",
    }


def test_evidence_is_the_least_favourable_difference():
    evidence = judge([claim()], gains(0.9, 0.2, 0.6))["evidence"].item()
    assert evidence.startswith("AG 30.0 [") and evidence.endswith("] points against c, n = 20")


def test_evidence_is_the_bound_nearest_to_the_other_side():
    wide = np.tile([-0.4, 0.4], 10)
    values = {"a": MIDDLE, "b": MIDDLE - 0.3 + NOISE, "c": MIDDLE - 0.35 + wide}
    images = frame({(name, "average_gain"): value for name, value in values.items()})
    assert "against c" in judge([claim()], images)["evidence"].item()
    images["value"] = 1 - images["value"]
    assert "against b" in judge([claim()], images)["evidence"].item()


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "fails", "undecided"], "fails"),
        (["holds", "undecided"], "undecided"),
        (["holds", "not run"], "holds"),
        (["undecided", "not run", "fails"], "fails"),
        (["equal", "holds"], "holds"),
        (["equal", "undecided"], "undecided"),
        (["equal", "not run"], "equal"),
        (["holds", "not testable here"], "holds"),
        (["holds", "not enough images"], "holds"),
        (["holds", "doubted"], "undecided"),
        (["doubted", "not run"], "doubted"),
        (["not run", "not run"], "not run"),
    ],
)
def test_several_networks(verdicts, expected):
    assert combine(verdicts) == expected


def test_the_rule_names_every_verdict():
    for word in SYMBOLS:
        assert f"*{word}*" in RULE.replace("\n", " ") or f"*{word}" in RULE, word


# All that a verdict was reached on --------------------------------------------------------------


def differences(claim, frame):
    return judge([claim], frame)["differences"].item()


def test_every_difference_is_kept_as_it_was_measured_and_the_deciding_one_is_marked():
    found = differences(claim(rivals=["b", "c"]), gains(0.9, 0.2, 0.6))
    assert [(d["rival"], round(d["mean"]), d["decides"]) for d in found] == [
        ("b", 70, False),
        ("c", 30, True),
    ]
    assert all(d["low"] < d["mean"] < d["high"] and d["n"] == 20 for d in found)
    assert all((d["side"], d["line"], d["same"]) == ("above", 0, False) for d in found)
    assert all(d["p"] < 0.05 for d in found)


def test_a_difference_is_not_turned_towards_the_claim():
    [one] = differences(
        claim(metric="average_drop", rivals=["b"]), gains(0.2, 0.6, metric="average_drop")
    )
    assert (round(one["mean"]), one["side"]) == (-40, "below")


def test_a_mean_stands_beside_its_threshold():
    [one] = differences(claim(kind="below", threshold=0.3), gains(0.2))
    assert (one["rival"], round(one["mean"]), one["side"], one["line"]) == ("", 20, "below", 30)


def test_what_is_to_be_alike_is_asked_once_for_a_band():
    found = differences(
        claim(kind="alike", threshold=0.1, rivals=["b", "c"]), gains(0.5, 0.52, 0.9)
    )
    assert [(d["rival"], d["side"], d["line"], d["p"]) for d in found] == [
        ("b", "within", 10, None),
        ("c", "within", 10, None),
    ]
    assert [d["rival"] for d in found if d["decides"]] == ["c"]


def test_one_better_rival_is_enough_for_being_beaten_and_all_are_kept():
    found = differences(claim(kind="beaten", rivals=["b", "c"]), gains(0.5, 0.2, 0.9))
    assert [(d["rival"], d["side"], d["decides"]) for d in found] == [
        ("b", "below", False),
        ("c", "below", True),
    ]


def test_too_few_images_decide_nothing_but_show_what_they_have():
    images = gains(0.9, 0.2)
    few = images[images["image"].isin([f"image{i}" for i in range(5)])]
    [one] = differences(claim(rivals=["b"]), few)
    assert one["n"] == 5 and not one["decides"]


def test_what_has_no_interval_is_none_and_not_run_has_nothing():
    images = gains(0.9, 0.2)
    [one] = differences(claim(rivals=["b"]), images[images["image"] == "image0"])
    assert one["low"] is None and one["high"] is None
    assert differences(claim(networks="transformer"), images) == []


def test_an_identity_shows_its_least_and_largest_value():
    values = {("a", "relative_error"): np.linspace(1e-7, 3e-6, 20)}
    [one] = differences(claim(kind="below", metric="relative_error", threshold=1e-4), frame(values))
    assert (one["low"], one["high"], one["line"]) == (1e-7, 3e-6, 1e-4)
