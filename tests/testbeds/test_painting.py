"""Painting with outlines: curves, coverage, layers and labels."""

import numpy as np
import pytest

from testbeds.painting import Canvas, channels, ellipse, mix, ribbon, spline

RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.1, 0.8)
SQUARE = np.array([(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)])


def test_a_curve_passes_its_knots():
    knots = np.array([(0, 0), (1, 0.2), (1.2, 1), (0.1, 0.8), (-0.5, 0.4)])
    for closed in (True, False):
        curve = spline(knots, closed)
        away = np.hypot(*(curve[:, None] - knots).T)
        assert away.min(1).max() < 1e-12


def test_an_open_curve_ends_at_its_ends_and_a_straight_one_is_straight():
    line = spline(np.array([(0, 0), (1, 2), (2, 4)]), closed=False)
    assert line[0].tolist() == [0, 0] and line[-1].tolist() == [2, 4]
    assert np.allclose(line[:, 1], 2 * line[:, 0])


def test_a_ribbon_is_as_wide_as_asked():
    outline = ribbon(np.array([(0.1, 0.5), (0.5, 0.5), (0.9, 0.5)]), (0.2, 0.1, 0.2))
    half = len(outline) // 2
    widths = np.abs(outline[:half] - outline[::-1][:half])[:, 1]
    assert widths[[0, half // 2, -1]] == pytest.approx([0.2, 0.1, 0.2])


@pytest.mark.parametrize("size", [(64, 64), (50, 90), (224, 224)])
def test_coverage_is_the_area(size):
    canvas = Canvas(size)
    outline = ellipse(0.47, 0.52, 0.31, 0.18, angle=0.7)
    area = np.pi * 0.31 * 0.18 * size[0] * size[1]
    assert canvas.patch(outline).cover.sum() == pytest.approx(area, rel=0.04)


def test_coverage_is_where_the_outline_is():
    patch = Canvas((64, 64)).patch(SQUARE + 0.1 / 64)
    rows, columns = np.nonzero(patch.cover > 0.5)
    rows, columns = rows + patch.window[0].start, columns + patch.window[1].start
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 47, 16, 47)
    assert patch.x.shape == (1, patch.cover.shape[1]) and patch.y.shape == (len(patch.cover), 1)


def test_a_patch_keeps_nothing_of_another():
    canvas = Canvas((32, 32))
    first = canvas.patch(SQUARE).cover
    canvas.patch(SQUARE - 0.3)
    canvas.patch(ellipse(0.6, 0.6, 0.4, 0.4))
    assert np.array_equal(canvas.patch(SQUARE).cover, first)


def test_an_outline_may_leave_the_image():
    canvas = Canvas((32, 32))
    assert canvas.patch(SQUARE + 1) is None
    assert canvas.patch(SQUARE - (0.5, 0)).window == (slice(8, 24), slice(0, 8))
    canvas.paint(SQUARE + 2, RED, 3)
    assert not canvas.labels.any() and not canvas.image.any()


def test_the_last_layer_is_on_top():
    canvas = Canvas((32, 32))
    canvas.paint(SQUARE, RED, 1)
    canvas.paint(SQUARE + (0.25, 0), BLUE, 2)
    assert canvas.image[:, 16, 10] == pytest.approx(RED)
    assert canvas.image[:, 16, 20] == pytest.approx(BLUE)
    assert (canvas.labels[16, 10], canvas.labels[16, 20], canvas.labels[2, 2]) == (1, 2, 0)
    canvas.paint(SQUARE, RED)
    assert (canvas.labels[16, 20], canvas.labels[16, 28]) == (0, 2)


def test_a_pixel_half_covered_is_half_painted():
    canvas = Canvas((4, 4))
    canvas.paint(np.array([(0, 0), (0.625, 0), (0.625, 1), (0, 1)]), (1, 1, 1), 1)
    assert canvas.image[0, 1].tolist() == pytest.approx([1, 1, 0.5, 0], abs=0.13)


def test_mixing():
    assert mix(channels(RED), channels(BLUE), 0.5).ravel() == pytest.approx((0.45, 0.1, 0.45))
