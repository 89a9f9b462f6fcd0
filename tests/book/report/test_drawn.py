import matplotlib.pyplot as plt
import numpy as np
import pytest

from book.report import curves, forest, measured, style
from book.report.drawn import drawn
from lib.statistics import mean_ci

from .frames import frame


@pytest.fixture
def axes():
    style()
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_curves_have_the_bounds_of_their_bands():
    x, values = np.linspace(0, 1, 5), np.random.default_rng(0).random((20, 5))
    figure = curves(x, {"One": values, "Two": 2 * values}, xlabel="share", ylabel="p").figure
    table = drawn(figure)
    assert [*table["series"].unique()] == ["One", "Two"] and len(table) == 10
    two, mean = table[table["series"] == "Two"], mean_ci(2 * values)
    for column, expected in [("x", x), ("y", mean.mean), ("low", mean.low), ("high", mean.high)]:
        assert np.allclose(two[column].astype(float), expected), column
    assert {*table["x is"]} == {"share"} and {*table["y is"]} == {"p"}


def test_a_forest_has_its_rows_by_name_and_its_intervals():
    values = np.random.default_rng(0).normal(0.2, 0.05, 20)
    rows = measured(
        frame({("grad_cam", "average_drop"): values, ("lime", "average_drop"): values + 0.1})
    )
    table = drawn(forest(rows))
    assert [*table["y"]] == ["Grad-CAM", "LIME"] and {*table["panel"]} == {"AD ↓ (%)"}
    assert np.allclose(table["x"].astype(float), rows["mean"])
    assert np.allclose(table[["low", "high"]].astype(float), rows[["low", "high"]])


def test_bars_and_clouds(axes):
    axes.bar([0, 1], [3, 4], label="bars")
    axes.scatter([5, 6], [7, 8], label="cloud")
    table = drawn(axes.figure)
    assert [*zip(table["series"], table["x"], table["y"])] == [
        ("bars", 0, 3), ("bars", 1, 4), ("cloud", 5, 7), ("cloud", 6, 8),
    ]  # fmt: skip


def test_lines_that_only_mark_a_value_are_no_data(axes):
    axes.axhline(0.5)
    axes.plot([1, 2, 3], [1, 2, 3])
    assert len(drawn(axes.figure)) == 3


def test_photographs_have_no_data(axes):
    axes.imshow(np.zeros((2, 2)))
    axes.plot([0, 1, 2], [0, 1, 2])
    assert drawn(axes.figure) is None


def test_nothing_drawn_is_nothing(axes):
    assert drawn(axes.figure) is None


def test_a_band_without_bounds_is_none(axes):
    (line,) = axes.plot([0, 1, 2], [0, 1, 2])
    axes.fill_between([0, 1, 2], [np.nan] * 3, [np.nan] * 3, color=line.get_color())
    assert [*drawn(axes.figure)] == ["x", "y"]


def test_places_with_names_have_them(axes):
    axes.plot(["one", "two", "three"], [1, 2, 3])
    assert [*drawn(axes.figure)["x"]] == ["one", "two", "three"]
