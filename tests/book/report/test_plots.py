import matplotlib.pyplot as plt
import numpy as np
import pytest

from book.report import comparison, curves, forest, mean_ci

from .frames import frame, several
from .test_tables import FRAME

X = np.linspace(0, 1, 6)
VALUES = np.random.default_rng(0).random((12, 6))


def test_curves_are_means_with_bands():
    ax = curves(X, {"a": VALUES, "b": VALUES / 2}, xlabel="x", ylabel="y")
    assert ax.lines[0].get_ydata() == pytest.approx(VALUES.mean(0))
    band = ax.collections[0].get_paths()[0].vertices
    expected = mean_ci(VALUES)
    assert band[:, 1].min() == pytest.approx(expected.low.min())
    assert band[:, 1].max() == pytest.approx(expected.high.max())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    plt.close(ax.figure)


def test_emphasis_is_thick_and_alone_with_its_band():
    ax = curves(X, {"a": VALUES, "b": VALUES / 2}, xlabel="x", ylabel="y", emphasis="b")
    thin, thick = ax.lines
    assert thick.get_linewidth() > thin.get_linewidth() and thick.get_linestyle() == "-"
    assert len(ax.collections) == 1
    plt.close(ax.figure)


def test_many_curves_differ_in_colour_or_dash():
    ax = curves(X, {str(i): VALUES for i in range(10)}, xlabel="x", ylabel="y")
    looks = {(line.get_color(), line.get_linestyle()) for line in ax.lines}
    assert len(looks) == 10
    plt.close(ax.figure)


def test_forest_shows_the_paper_hollow_and_ours_filled():
    figure = forest(comparison("opticam", 1, FRAME).frame)
    drop, gain, increase = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["AD ↓ (%)", "AG ↑ (%)", "AI ↑ (%)"]
    resnet, vgg, ours = drop.lines[:3]
    assert resnet.get_xdata()[:2].tolist() == [0.8, 12.2]
    assert vgg.get_markerfacecolor() == "white" and ours.get_markerfacecolor() != "white"
    # Grad-CAM is the second row for both.
    at = list(ours.get_ydata()).index(1)
    assert ours.get_xdata()[at] == pytest.approx(13, abs=0.2)
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert legends == ["ResNet50, paper", "VGG16, paper", "tf_efficientnet_lite0"]
    assert drop.get_yticklabels()[-1].get_text() == "Opti-CAM"
    plt.close(figure)


def test_forest_of_the_paper_alone():
    figure = forest(comparison("opticam", 2, FRAME[:0]).frame)
    assert len(figure.legends) == 1
    plt.close(figure)


def test_a_method_of_which_nothing_is_known_has_no_row():
    """One that was timed, and is no row of the paper's table."""
    timed = frame({("ablation_cam_head", "seconds"): np.linspace(1, 2, 5)})
    both = comparison("opticam", 1, several(FRAME, timed)).frame
    assert "ablation_cam_head" in set(both["method"])
    labels = [text.get_text() for text in forest(both).axes[0].get_yticklabels()]
    assert "Ablation-CAM, head" not in labels and "Score-CAM" in labels
