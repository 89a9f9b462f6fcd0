"""What publishes the book: official actions alone, by their major version, and our own commands."""

import re

import yaml

from lib.paths import ROOT

TEXT = (ROOT / ".github/workflows/book.yml").read_text()
JOBS = yaml.safe_load(TEXT)["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]


def test_every_action_is_official_and_pinned_by_its_major_version():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)


def test_make_is_asked_for_targets_that_there_are():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = [step["run"].split()[1] for step in STEPS if step.get("run", "").startswith("make ")]
    assert asked == ["test", "book", "archive"] and set(asked) <= set(targets)


def test_nothing_is_published_before_the_tests_and_the_book():
    assert JOBS["book"]["needs"] == "test"
    assert {JOBS[name]["needs"] for name in ("publish", "release")} == {"book"}


def test_each_job_has_the_rights_it_needs_and_no_others():
    assert yaml.safe_load(TEXT)["permissions"] == {"contents": "read"}
    writing = {
        name: sorted(right for right, of in job.get("permissions", {}).items() if of == "write")
        for name, job in JOBS.items()
    }
    assert writing == {
        "test": [],
        "book": [],
        "publish": ["id-token", "pages"],
        "release": ["contents"],
    }
