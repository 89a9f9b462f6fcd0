import numpy as np
import pytest

from book.report import (
    changes,
    contrast,
    forest,
    median_image,
    over_classes,
    paired_difference,
    separation,
    show_changes,
)
from book.report.contrast import REPLACEMENTS

from .frames import frame

N = 12


def measured(seed=0):
    """p₊ and p₋ of the original and weighted Grad-CAM on images of which two share a photograph."""
    rng = np.random.default_rng(seed)
    values = {
        (f"grad_cam{of}_{t}", f"{sign}_{r}"): rng.random(N)
        for of in ("", "_weighted")
        for t in ("t1", "t2")
        for r in REPLACEMENTS
        for sign in ("positive", "negative")
    }
    return values, [f"photograph{i // 2}" for i in range(N)]


def values_of(rows, method):
    return rows[rows["method"] == method].sort_values("image", key=lambda s: s.str[5:].astype(int))


def test_over_classes_is_the_mean_of_both():
    values, groups = measured()
    rows = over_classes(frame(values | {("grad_cam", "positive_blur"): np.ones(N)}, groups=groups))
    assert set(rows["method"]) == {"grad_cam", "grad_cam_weighted"}
    blur = values_of(rows[rows["metric"] == "positive_blur"], "grad_cam")
    of = [values[f"grad_cam_{t}", "positive_blur"] for t in ("t1", "t2")]
    np.testing.assert_allclose(blur["value"], np.mean(of, 0))
    assert list(blur["group"]) == groups


def test_an_image_that_failed_for_one_class_has_no_mean():
    values, groups = measured()
    values["grad_cam_t2", "positive_blur"][3] = np.nan
    rows = over_classes(frame(values, groups=groups))
    assert values_of(rows[rows["metric"] == "positive_blur"], "grad_cam")["value"].isna().sum() == 1


def test_separation_and_its_change():
    values, groups = measured()
    rows = separation(frame(values, groups=groups))
    assert set(rows["metric"]) == {"separation"}

    def expected(of):
        return np.mean(
            [
                values[f"grad_cam{of}_{t}", f"positive_{r}"]
                - values[f"grad_cam{of}_{t}", f"negative_{r}"]
                for t in ("t1", "t2")
                for r in REPLACEMENTS
            ],
            axis=0,
        )

    for method, of in (("grad_cam", ""), ("grad_cam_weighted", "_weighted")):
        np.testing.assert_allclose(values_of(rows, method)["value"], expected(of))
    change = values_of(rows, "grad_cam_weighted_change")["value"]
    np.testing.assert_allclose(change, expected("_weighted") - expected(""))
    difference = paired_difference(rows, "separation", "grad_cam_weighted", "grad_cam")
    assert difference.mean == pytest.approx(change.mean()) and difference.n == N // 2


def test_changes_are_paired_and_stand_beside_the_printed_ones():
    values, groups = measured()
    rows = changes("contrast", 2, frame(values, network="birds_alexnet", groups=groups))
    assert len(rows) == 2 * 2 * 3 * 2
    row = rows.set_index(["method", "metric"]).loc["grad_cam_t1_blur", "positive_change"]
    ours = values["grad_cam_weighted_t1", "positive_blur"] - values["grad_cam_t1", "positive_blur"]
    assert row["mean"] == pytest.approx(ours.mean()) and row["n"] == N // 2
    assert row["title"] == "GC t₁ blur" and row["paper"] == {"AlexNet CUB-200": "0.062"}
    assert rows.set_index("method").loc["linear_approximation_t2_mean", "n"].tolist() == [0, 0]
    assert forest(rows).axes[0].get_title() == "change of p₊ ↑"


def test_the_median_image_is_in_the_middle_of_the_changes():
    values, groups = measured()
    rows = separation(frame(values, network="birds_vgg", groups=groups))
    change = values_of(rows, "grad_cam_weighted_change").set_index("image")["value"]
    middle = median_image(rows, "birds_vgg")
    assert (change < change[middle]).sum() == N // 2


def test_changes_are_shown_with_how_many_are_as_claimed(monkeypatch):
    shown = {}
    monkeypatch.setattr(
        contrast, "show", lambda figure, **texts: shown.update(texts, figure=figure)
    )
    values, groups = measured()
    for (method, metric), of in values.items():  # all as claimed
        of += (3 if "positive" in metric else -3) * ("weighted" in method)
    show_changes("contrast", 2, frame(values, network="birds_alexnet", groups=groups), " by far")
    assert "contrast by far, with" in shown["alt"] and "on birds_alexnet 12 of 12." in shown["alt"]
    assert shown["name"] == "contrast-table-2"
    lines = [list(line.get_xdata()) for line in shown["figure"].axes[0].lines]
    assert [0, 0] in lines
