"""The page that says what a copy ran: the whole plan, without the syntax of Python."""

import re

import pytest

from book import experiments
from book.building.runs import options, runs
from lib.paths import ROOT

every_profile = pytest.mark.parametrize("profile", ("smoke", "embedded", "paper"))


@every_profile
def test_one_row_per_experiment(profile):
    rows = re.findall(r"<tr>(<td.*?)</tr>", runs(profile, ROOT))
    plans = {page: experiments.plan(page, profile) for page in experiments.pages()}
    wanted = [(page, one) for page, plan in plans.items() for one in plan.experiments]
    assert len(rows) == len(wanted)
    for row, (page, one) in zip(rows, wanted):
        assert f"<code>{one.network}</code>" in row
        number = "all" if one.images is None else one.images
        assert f"<td>{number} of {one.dataset}" in row
        first = one is plans[page].experiments[0]
        assert (f"notebooks/{page}.html" in row) == first
        told = [*one.without, *one.options, *one.settings, *(plans[page].settings if first else ())]
        assert all(name.replace("_", " ") in row.replace("_", " ") for name in told)


@every_profile
def test_values_are_told_without_the_marks_of_python(profile):
    html = runs(profile, ROOT)
    assert not re.search(r"[{}\[\]']|None|: ?(;|<)", html)


def test_options_of_methods():
    told = options("paper")
    assert "* `extremal_perturbation`: areas 0.025, 0.05, 0.1, 0.2, iterations 800\n" in told
    assert "* `lime`: n 1000\n" in told
