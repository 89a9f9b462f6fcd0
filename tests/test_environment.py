"""One dependency list for pip and conda users, and pins that cover it."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lib.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LINES = [
    line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
]
PINS = {
    canonicalize_name(name): version
    for name, _, version in (line.partition("==") for line in LINES)
}


def requirements() -> list[Requirement]:
    return [Requirement(text) for text in [*PROJECT["dependencies"], *sum(EXTRAS.values(), [])]]


def test_constraints_are_plain_versions():
    assert all(
        re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in LINES
    )  # no path, URL, local version
    assert len(PINS) == len(LINES)


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_is_pinned_within_its_range(requirement):
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_torch_and_torchvision_are_a_pair():
    assert (PINS["torch"], PINS["torchvision"]) == ("2.13.0", "0.28.0")


def test_the_pins_are_complete():
    """Whatever the pinned packages need in turn is pinned too, but for torch's CUDA libraries."""
    missing = {}
    for name in PINS:
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue  # pinned for another platform
        for requirement in map(Requirement, needs):
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            needed = canonicalize_name(requirement.name)
            if (
                wanted
                and needed not in PINS
                and not needed.startswith(("nvidia", "cuda", "triton"))
            ):
                missing.setdefault(needed, name)
    assert missing == {}


def test_make_and_conda_install_the_same():
    [command] = re.findall(r"pip install (.+)", (ROOT / "Makefile").read_text())
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    [pip] = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert " ".join(pip) == command.replace("'", "")
    extras = re.search(r"\[(.+)\]", command)[1].split(",")
    assert sorted(extras) == sorted(EXTRAS)


def test_conda_takes_a_python_that_the_project_supports():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    [python] = [entry for entry in conda if str(entry).startswith("python=")]
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )


def test_what_is_imported_is_declared():
    """Every third-party import of the library is a run-time dependency, or one of the book."""
    from importlib.metadata import packages_distributions
    from sys import stdlib_module_names

    names = packages_distributions()
    declared = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    with_book = declared | {canonicalize_name(Requirement(text).name) for text in EXTRAS["book"]}
    with_book |= {"nbformat"}  # of papermill and jupytext
    for path in (ROOT / "lib").rglob("*.py"):
        allowed = with_book if path.parent.name == "book" else declared
        for module in re.findall(
            r"^\s*(?:from|import) ([a-zA-Z_]\w*)", path.read_text("utf-8"), re.M
        ):
            if module in stdlib_module_names or module == "lib" or module not in names:
                continue
            assert allowed & set(map(canonicalize_name, names[module])), (
                f"{path.name} imports {module}"
            )


def test_ci_runs_the_tests():
    script = ROOT / ".ci/run"
    assert "make test" in script.read_text() and script.stat().st_mode & 0o111
