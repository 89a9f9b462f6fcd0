import numpy as np
import pytest
from scipy.stats import binomtest, t

from lib.statistics import Interval, by_image, holm, mean_ci, p_value, paired_difference

from ..book.report.frames import frame, several

VALUES = np.random.default_rng(1).exponential(size=40)


def test_mean_and_number_of_images():
    interval = mean_ci(VALUES)
    assert interval.mean == pytest.approx(VALUES.mean()) and interval.n == 40
    assert interval.low < interval.mean < interval.high


@pytest.mark.parametrize("size", [1, 3])
def test_the_order_of_images_is_of_no_account(size):
    """Results are equal to the last bit for values of many sizes, also in groups."""
    values, groups = VALUES**7 / 3, np.arange(40) // size
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(40)
        order = order if size == 1 else order[np.argsort(groups[order], kind="stable")]
        shuffled = np.argsort(np.random.default_rng(seed).random(groups.max() + 1))[groups[order]]
        order = order[np.argsort(shuffled, kind="stable")]  # also reorder whole groups
        assert mean_ci(values[order], groups[order]) == mean_ci(values, groups)


def test_crops_of_a_photograph_are_no_independent_hits():
    hits, groups = np.repeat([0.0, 1.0] * 10, 4), np.repeat(np.arange(20), 4)
    by_photograph, alone = mean_ci(hits, groups), mean_ci(hits)
    assert by_photograph.n == 20
    assert by_photograph.high - by_photograph.low > 1.8 * (alone.high - alone.low)


def test_an_equal_difference_may_be_as_far_off_as_two_values_can_be():
    images = frame({("a", "m"): [0.75] * 20, ("b", "m"): [0.25] * 20})
    unseen = 1 - 0.025 ** (1 / 20)
    low, high = paired_difference(images, "m", "a", "b", (0, 1))[1:3]
    assert (low, high) == pytest.approx((0.5 - 1.5 * unseen, 0.5 + 0.5 * unseen))


def test_symmetric_values_have_the_interval_of_student():
    values = np.r_[VALUES, 4 - VALUES]
    mean, low, high, n = mean_ci(values)
    half = t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n)
    assert (low, high) == pytest.approx((mean - half, mean + half))


def test_skewed_values_have_more_room_on_their_long_side():
    mean, low, high, _ = mean_ci(VALUES)
    assert high - mean > 1.2 * (mean - low)
    assert mean_ci(-VALUES)[1:3] == pytest.approx((-high, -low))


def test_the_ends_are_those_of_student_or_solve_the_equation_of_hall():
    """At one end Hall's W, as in a textbook, is the quantile of t; at the other end T is."""
    mean, low, high, n = mean_ci(VALUES)  # a long tail to the right
    s, g = VALUES.std(ddof=1), ((VALUES - mean) ** 3).mean() / VALUES.std(ddof=1) ** 3
    T = np.sqrt(n) * (mean - np.array([low, high])) / s
    a = g / 3 / np.sqrt(n)
    W = T + a * T**2 + a**2 * T**3 / 3 + g / (6 * np.sqrt(n))
    q = t.ppf(0.975, n - 1)
    assert (T[0], W[1]) == pytest.approx((q, -q))
    assert W[0] > q and T[1] < -q  # the other statistic lies inside


@pytest.mark.parametrize("hits", [0, 1, 13, 19, 20])
def test_proportions_are_exact(hits):
    exact = binomtest(hits, 20).proportion_ci(method="exact")
    interval = mean_ci([1.0] * hits + [0.0] * (20 - hits))
    assert interval[1:3] == pytest.approx((exact.low, exact.high))


def test_twenty_of_twenty():
    assert f"{mean_ci([1.0] * 20).scaled(100):.0f}" == "100 [83, 100]"


def test_equal_values_have_the_interval_of_the_chance_of_a_different_one():
    chance = 1 - 0.025 ** (1 / 20)
    assert mean_ci([0.3] * 20, bounds=(0, 1))[:3] == pytest.approx(
        (0.3, 0.3 - chance * 0.3, 0.3 + chance * 0.7)
    )
    assert mean_ci([0.0] * 20, bounds=(-1, 1))[1:3] == pytest.approx((-chance, chance))
    assert np.isnan(mean_ci([0.3] * 20).low)  # without bounds a different value could be anything
    one_end = mean_ci([0.3] * 20, bounds=(0, np.inf))
    assert one_end.low == pytest.approx(0.3 - chance * 0.3) and np.isnan(one_end.high)


def test_no_interval_leaves_its_bounds():
    few = np.r_[np.zeros(18), 0.9, 1.0]
    low, high = mean_ci(few, bounds=(0.06, 0.3))[1:3]
    assert (low, high) == (0.06, 0.3)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [
        (VALUES, (-np.inf, np.inf)),
        (-VALUES, (-np.inf, np.inf)),
        ([1.0] * 13 + [0.0] * 7, (0, 1)),
        ([0.3] * 20, (0, 1)),
        ([-0.3] * 20, (-1, 1)),
    ],
    ids=["skewed", "to the left", "proportion", "equal", "equal, negative"],
)
def test_p_is_the_level_at_which_the_interval_ends(values, bounds):
    for level in (0.05, 0.3):
        interval = mean_ci(values, bounds=bounds, confidence=1 - level)
        for end in interval[1:3]:
            assert p_value(values, null=end, bounds=bounds) == pytest.approx(level, rel=1e-6)
    assert p_value(values, null=interval.mean, bounds=bounds) > 0.5


def test_p_of_what_says_nothing():
    assert np.isnan(p_value([0.5])) and np.isnan(p_value([]))
    assert p_value([0.0] * 20) == 1.0 and p_value([0.3] * 20) == 1.0  # no bounds, no known chance


def test_holm_as_a_textbook_has_it():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2, and never less than the previous one
    assert holm([0.02, 0.01, 0.04, 0.03]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert np.isnan(holm([0.01, np.nan])).tolist() == [False, True]


def test_repeating_every_image_in_its_group_changes_nothing():
    once = mean_ci(VALUES, np.arange(40))
    repeated = mean_ci(np.repeat(VALUES, 3), np.repeat(np.arange(40), 3))
    assert repeated == pytest.approx(once)
    assert repeated.n == 40
    # Without the groups, copies would count as evidence.
    assert np.ptp(mean_ci(np.repeat(VALUES, 3))[1:3]) < 0.7 * np.ptp(once[1:3])


def test_groups_of_unequal_size_weigh_by_their_images():
    assert mean_ci([0.0, 0.0, 0.0, 1.0], ["a", "a", "a", "b"]).mean == 0.25


def test_groups_carry_their_size_along():
    # If sums and sizes were treated apart, equal values would seem to vary.
    groups = np.repeat(np.arange(12), np.arange(1, 13))
    of_groups = mean_ci(np.full(78, 0.3), groups, bounds=(0, 1))
    assert of_groups == pytest.approx(mean_ci([0.3] * 12, bounds=(0, 1)))


def test_nan_is_left_out():
    with_failures = np.r_[VALUES, np.nan, np.nan]
    assert mean_ci(with_failures) == mean_ci(VALUES)


def test_too_few_for_an_interval():
    assert mean_ci([]).n == 0 and np.isnan(mean_ci([]).mean)
    one = mean_ci([0.5, 0.7], ["a", "a"])
    assert (one.mean, one.n) == (0.6, 1) and np.isnan(one.low)


def test_columns_at_once_as_one_by_one():
    values = np.random.default_rng(0).normal(size=(20, 5))
    together = mean_ci(values)
    for k in range(5):
        alone = mean_ci(values[:, k])
        assert together.mean[k] == pytest.approx(alone.mean)
        assert together.low[k] == pytest.approx(alone.low)
        assert together.high[k] == pytest.approx(alone.high)


def test_bad_groups():
    with pytest.raises(ValueError, match="2 group labels for 3 values"):
        mean_ci([1, 2, 3], ["a", "b"])
    with pytest.raises(ValueError, match="label is missing"):
        mean_ci([1, 2], ["a", None])


def test_scaled_by_a_negative_number_keeps_the_order():
    assert mean_ci(VALUES).scaled(-1).low == -mean_ci(VALUES).high


def test_an_interval_is_printed_without_what_is_missing():
    interval = Interval(0.5, 0.25, 0.75, 10).scaled(-1)
    assert f"{interval:+.2f}" == "-0.50 [-0.75, -0.25]"
    assert f"{interval}" == str(interval) == "-0.5 [-0.8, -0.2]"
    assert f"{mean_ci([0.5]):.2f}" == "0.50" and f"{mean_ci([]):.2f}" == "–"


def test_paired_difference_is_sharper_than_the_means():
    a = VALUES + 0.1 + np.random.default_rng(2).normal(scale=0.01, size=40)
    images = frame({("a", "average_gain"): a, ("b", "average_gain"): VALUES})
    difference = paired_difference(images, "average_gain", "a", "b")
    assert 0.09 < difference.low < difference.high < 0.11
    assert mean_ci(a).low < mean_ci(VALUES).high  # without pairing, the intervals overlap


def test_paired_difference_takes_the_images_that_both_have():
    images = frame({("a", "insertion"): [1.0, 1.0, np.nan], ("b", "insertion"): [0.5, np.nan, 0.0]})
    difference = paired_difference(images, "insertion", "a", "b")
    assert (difference.mean, difference.n) == (0.5, 1)
    assert paired_difference(images, "insertion", "a", "absent").n == 0


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
