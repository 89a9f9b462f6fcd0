import numpy as np
import pytest

from lib.statistics import by_image, mean_ci, paired_difference

from ..book.report.frames import frame, several

VALUES = np.random.default_rng(1).exponential(size=40)


def test_interval_brackets_the_mean_and_is_near_the_normal_one():
    interval = mean_ci(VALUES)
    half = 1.96 * VALUES.std() / np.sqrt(40)
    assert interval.mean == pytest.approx(VALUES.mean())
    assert interval.n == 40
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    assert interval.low < interval.mean < interval.high


def test_seeded():
    assert mean_ci(VALUES) == mean_ci(VALUES)
    assert mean_ci(VALUES, seed=1).low != mean_ci(VALUES).low


def test_coverage():
    rng = np.random.default_rng(0)
    covered = [
        low <= 0 <= high
        for _, low, high, _ in (mean_ci(rng.normal(size=50), n_resamples=300) for _ in range(300))
    ]
    assert 0.90 < np.mean(covered) < 0.98


def test_repeating_every_image_in_its_group_changes_nothing():
    once = mean_ci(VALUES, np.arange(40))
    repeated = mean_ci(np.repeat(VALUES, 3), np.repeat(np.arange(40), 3))
    assert repeated == pytest.approx(once)
    assert repeated.n == 40
    # Without the groups the copies would pass for evidence.
    assert np.ptp(mean_ci(np.repeat(VALUES, 3))[1:3]) < 0.7 * np.ptp(once[1:3])


def test_groups_of_unequal_size_weigh_by_their_images():
    assert mean_ci([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"]).mean == 0.25


def test_groups_carry_their_size_along():
    # Were sums and sizes resampled apart, equal values would seem to vary.
    groups = np.repeat(np.arange(12), np.arange(1, 13))
    assert mean_ci(np.full(78, 0.3), groups)[:3] == pytest.approx((0.3, 0.3, 0.3))


def test_nan_is_left_out():
    with_failures = np.r_[VALUES, np.nan, np.nan]
    assert mean_ci(with_failures) == mean_ci(VALUES)


def test_constant_values_have_no_width():
    assert mean_ci([0.3] * 12)[:3] == pytest.approx((0.3, 0.3, 0.3))


def test_too_few_for_an_interval():
    assert mean_ci([]).n == 0 and np.isnan(mean_ci([]).mean)
    one = mean_ci([0.5, 0.7], ["a", "a"])
    assert (one.mean, one.n) == (0.6, 1) and np.isnan(one.low)


def test_columns_at_once_as_one_by_one():
    values = np.random.default_rng(0).normal(size=(20, 5))
    together = mean_ci(values)
    for t in range(5):
        alone = mean_ci(values[:, t])
        assert together.mean[t] == pytest.approx(alone.mean)
        assert together.low[t] == pytest.approx(alone.low, abs=0.05)


def test_bad_groups():
    with pytest.raises(ValueError, match="2 group labels for 3 values"):
        mean_ci([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="label is missing"):
        mean_ci([1, 2], ["a", None])


def test_scaled_by_a_negative_number_keeps_the_order():
    assert mean_ci(VALUES).scaled(-1).low == -mean_ci(VALUES).high


def test_an_interval_is_printed_without_what_is_missing():
    interval = mean_ci([0.25, 0.75, 0.5]).scaled(-1)
    assert f"{interval:+.2f}" == "-0.50 [-0.75, -0.25]"
    assert f"{interval}" == str(interval) == "-0.5 [-0.8, -0.2]"
    assert f"{mean_ci([0.5]):.2f}" == "0.50" and f"{mean_ci([]):.2f}" == "–"


def test_paired_difference_is_sharper_than_the_means():
    a = VALUES + 0.1 + np.random.default_rng(2).normal(scale=0.01, size=40)
    images = frame({("a", "average_gain"): a, ("b", "average_gain"): VALUES})
    difference = paired_difference(images, "average_gain", "a", "b")
    assert 0.09 < difference.low < difference.high < 0.11
    assert mean_ci(a).low < mean_ci(VALUES).high  # unpaired, nothing could be said


def test_paired_difference_takes_the_images_that_both_have():
    images = frame({("a", "insertion"): [1.0, 1.0, np.nan], ("b", "insertion"): [0.5, np.nan, 0.0]})
    difference = paired_difference(images, "insertion", "a", "b")
    assert (difference.mean, difference.n) == (0.5, 1)
    assert paired_difference(images, "insertion", "a", "absent").n == 0


def test_seconds_count_once_an_image():
    images = frame({("a", "insertion"): [0, 1], ("a", "deletion"): [0, 1]}, seconds=0.25)
    assert by_image(images)["seconds", "a"].tolist() == [0.25, 0.25]


def test_order_of_rows_does_not_matter():
    images = frame({("a", "insertion"): VALUES, ("b", "insertion"): VALUES**2})
    shuffled = images.sample(frac=1, random_state=0)
    assert paired_difference(images, "insertion", "a", "b") == paired_difference(
        shuffled, "insertion", "a", "b"
    )


def test_mixed_frames_are_refused():
    one = frame({("a", "insertion"): [0, 1]})
    with pytest.raises(ValueError, match="one network at a time, got tf_efficientnet_lite0, other"):
        by_image(several(one, frame({("a", "insertion"): [0, 1]}, network="other")))
    with pytest.raises(ValueError, match="one dataset at a time"):
        by_image(several(one, frame({("a", "insertion"): [0, 1]}, dataset="other")))
    with pytest.raises(ValueError, match="'image0' stands twice for a, insertion"):
        by_image(several(one, one))
